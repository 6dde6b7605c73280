// Speaks with the store. No value of a secret ever comes back from it.

const API = "/api/v1";
/** How long an answer may take, unless a caller knows better. */
const ANSWER_MS_MAX = 30_000;
const state = { orgs: null, signedIn: false };

/** What went wrong, in words for a person. */
class Failure extends Error {
  constructor(status, problem) {
    super(sentence(status, problem ?? {}));
    this.status = status;
    this.kind = (problem?.type ?? "").replace("urn:inject:problem:", "");
  }
}

function sentence(status, { title, detail }) {
  if (status === 0) return "The store does not answer. Nothing that you typed is lost; try again.";
  if (status === 401) return "You are signed out. Sign in to go on.";
  if (status === 403) return "Your role does not allow this.";
  if (status === 429 || status === 503 && !detail) return "The store has too much to do at the moment. Try again in a few seconds.";
  const text = [title, detail].filter(Boolean).join(": ").replaceAll("`", "") || `The store answered with status ${status}`;
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

async function send(method, path, { body, headers, signal, time = ANSWER_MS_MAX } = {}) {
  const end = AbortSignal.timeout(time);
  const init = { method, headers: { ...headers }, signal: signal ? AbortSignal.any([signal, end]) : end, cache: "no-store", redirect: "error" };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let answer, text;
  try {
    answer = await fetch(API + path, init);
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0);
  }
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    throw new Failure(answer.ok ? 0 : answer.status);
  }
  if (!answer.ok) throw new Failure(answer.status, data);
  return data;
}

/** Who one is where a path leads. */
function whoAt(path) {
  const org = orgOf(path.split("/")[2]) ?? state.orgs?.[0];
  return org && `${org.member}, ${org.role} of ${org.name}`;
}

/**
 * One call. Who was signed in and no longer is signs in again, and the call goes on; under another
 * name, or in another role, nothing goes on by itself.
 */
async function call(method, path, options) {
  const who = whoAt(path);
  for (;;) {
    try {
      return await send(method, path, options);
    } catch (error) {
      if (error.status !== 401 || !state.signedIn) throw error;
      await signInAgain();
      const now = whoAt(path);
      if (who && now !== who) {
        redraw();
        throw new Failure(null, { title: `You are now ${now}. Check, and press again` });
      }
      options?.signal?.throwIfAborted();
    }
  }
}

const get = (path, signal) => call("GET", path, { signal });
const query = (values) => {
  const text = new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
  return text && `?${text}`;
};
const orgPath = (org, rest = "") => `/orgs/${encodeURIComponent(org)}${rest}`;
const secretPath = (org, name) => orgPath(org, `/secrets/${encodeURIComponent(name)}`);

/** For `catch`: an answer that is as good as done. */
const unless = (status) => (error) => {
  if (error.status !== status) throw error;
};

/** How a table reads a list: page by page, with what it asks for at the moment. */
const pages = (path, list, asks) => async (cursor, signal) => {
  const page = await get(path + query({ ...asks?.(), cursor, limit: PAGE_ROWS }), signal);
  return { rows: page[list], next: page.next };
};

async function allPages(path, list, ask = get) {
  const all = [];
  for (let cursor = ""; cursor != null; ) {
    const page = await ask(path + query({ limit: 1000, cursor }));
    all.push(...page[list]);
    cursor = page.next;
  }
  return all;
}

async function loadOrgs(ask) {
  const orgs = await allPages("/orgs", "orgs", ask);
  state.signedIn = true;
  return (state.orgs = orgs);
}

/** The organization with what the caller is in it. */
const orgOf = (name) => state.orgs?.find((org) => org.name === name);
const may = (org, role) => {
  const roles = ["reader", "editor", "owner"];
  return roles.indexOf(org.role) >= roles.indexOf(role);
};

const others = "BroadcastChannel" in window ? new BroadcastChannel("inject-session") : null;

async function signIn(token) {
  // Elsewhere a browser keeps no cookie that is for https, and a token would go in the clear.
  if (!isSecureContext) throw new Failure(null, { title: "This page needs https, or loopback" });
  await send("POST", "/session", { body: { token } });
  await loadOrgs((path) => send("GET", path)).catch((error) => {
    throw error.status === 401 ? new Failure(null, { title: "The browser kept no cookie" }) : error;
  });
}

async function signOut() {
  try {
    await send("DELETE", "/session").catch(unless(401));
  } catch (error) {
    return notify(error.message);
  }
  others?.postMessage("out");
  forget();
}

/** Nothing of what was seen stays. */
function forget() {
  state.orgs = null;
  state.signedIn = false;
  show();
}

if (others) others.onmessage = forget;
