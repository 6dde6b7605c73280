// Addresses and what stands at them; signing in and out.

const TABS = { secrets: ["Secrets", secretsView], members: ["Members", membersView], workloads: ["Workloads", workloadsView], audit: ["Audit", auditView] };
let shown = null;

/** What an address means, or null. */
function parse(path) {
  const [first, org, tab, more] = path.split("/").slice(1).map(decodeSafely);
  if (first === "" && org === undefined) return { title: "Overview", view: overview };
  if (first !== "orgs" || org === "" || more !== undefined) return null;
  if (org === undefined) return { title: "Organizations", view: organizations };
  if (tab === undefined) return { redirect: `/orgs/${encodeURIComponent(org)}/secrets` };
  return Object.hasOwn(TABS, tab) ? { title: TABS[tab][0], view: (at) => TABS[tab][1](org, at), org, tab } : null;
}

function decodeSafely(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

function navigate(address, replaces) {
  if (guarded()) return;
  history[replaces ? "replaceState" : "pushState"](null, "", address);
  show(true);
}

/** Shows what the address says; signed out, the form to sign in, and then the same. */
async function show(moves = false) {
  shown?.leave();
  const stops = [];
  const abort = new AbortController();
  const at = (shown = { path: location.pathname, search: location.search, signal: abort.signal, ends: (stop) => stops.push(stop) });
  at.leave = () => { abort.abort(); stops.forEach((stop) => stop()); };
  openDialogs().forEach((dialog) => dialog.stays?.() || dialog.close());
  const found = parse(location.pathname);
  if (found?.redirect) return navigate(found.redirect, true);
  const done = working($("main"));
  let content;
  try {
    const build = found?.view(at);
    if (!state.orgs) await loadOrgs();
    if (shown !== at) return;
    if (!found) content = nothing("Nothing is here", "This address leads nowhere.");
    else if (found.org && !orgOf(found.org)) content = nothing("No such organization", `You are no member of ${found.org}, or there is none.`, true);
    else if (found.tab === "members" && !may(orgOf(found.org), "owner")) content = nothing("Members", "Only owners see and change members.");
    else content = [h("h1", { tabindex: -1 }, found.title), await build(at)];
  } catch (error) {
    if (shown !== at || error.name === "AbortError") return;
    if (error.status === 401) return signedOut(at);
    content = [h("h1", { tabindex: -1 }, found?.title ?? "inject"), failed(error, () => show())];
  } finally {
    done();
  }
  if (shown !== at) return;
  frame(found);
  $("main").replaceChildren(...content.flat(2).filter(Boolean));
  document.title = [found?.title ?? "Not found", found?.org, "inject"].filter(Boolean).join(" · ");
  if (moves) {
    scrollTo(0, 0);
    viewHeading()?.focus({ preventScroll: true });
  }
}

/** Who one is has changed: what stands there was drawn for another, and goes once it is in use no more. */
function redraw() {
  frame(parse(location.pathname));
  topDialog() ? topDialog().addEventListener("close", redraw) : show();
}

const nothing = (title, text, adds) => [h("h1", { tabindex: -1 }, title), h("p", text), h("p", h("a", { href: "/" }, "Overview")), adds && addToken()];

/** The header: where one is, who one is there, and the tabs. */
function frame(found) {
  const { org, tab, title } = found ?? {};
  const own = org && orgOf(org);
  const crumbs = [["/", "Overview"], ["/orgs", "Organizations"], own && [`/orgs/${org}/secrets`, org]].filter(Boolean);
  const last = own ? org : title;
  $("crumbs").replaceChildren(h("ol", crumbs.slice(0, title === "Overview" ? 1 : undefined).map(([href, text]) =>
    h("li", h("a", { href, "aria-current": text === last && !own && "page" }, text)))));
  const member = own?.member ?? state.orgs?.[0]?.member;
  $("account").replaceChildren(...(state.signedIn ? [h("span.quiet.who", member ?? "", own && tag(own.role)), button("Sign out", signOut)] : []));
  const tabs = own ? Object.entries(TABS).filter(([key]) => key !== "members" || may(own, "owner")) : [];
  $("tabs").hidden = !own;
  $("tabs").replaceChildren(h("div.wide", tabs.map(([key, [label]]) =>
    h("a", { href: `/orgs/${org}/${key}`, "aria-current": key === tab && "page" }, label))));
}

function signedOut(at) {
  state.signedIn = false;
  state.orgs = null;
  frame(null);
  $("crumbs").replaceChildren();
  const token = tokenField();
  const made = form({ children: token.row, submit: "Sign in", run: async () => (await takeToken(token)) && show(true) });
  document.title = "Sign in · inject";
  $("main").replaceChildren(h("section.sign-in", h("h1", { tabindex: -1 }, "Sign in"),
    h("p.quiet", "Organizational secrets: kept once, encrypted, and given to workloads by name."), made,
    h("p.hint", "An owner of your organization gives you a token. The first one is printed by ", code("inject store init"), ".")));
  if (shown === at) token.control.focus();
}

const cards = () => h("ul.cards", state.orgs.map((org) =>
  h("li", h("a.card", { href: `/orgs/${org.name}/secrets` }, h("strong", org.name), quiet(`You are ${org.role}`)))));

/** Signs in to one more organization beside those of the session. */
function addToken() {
  return button("Add with a token", () => openDialog("Add an organization", (dialog) => {
    const token = tokenField();
    const run = async () => {
      if (!(await takeToken(token))) return;
      dialog.close();
      show();
    };
    return [h("p", "A token opens the organization that it belongs to, beside those that you see now."),
      form({ children: token.row, submit: "Add", run, dialog })];
  }));
}

function overview() {
  return () => [
    h("h2", h("a", { href: "/orgs" }, "Organizations")), cards(),
    h("h2", "How secrets reach a workload"),
    h("ol.steps",
      h("li", h("strong", "Create a secret"), " in the organization, under a name such as ", code("DB_PASSWORD_PROD"), "."),
      h("li", h("strong", "Reference it"), " in the environment or a config file: ", code("DATABASE_PASSWORD=$DB_PASSWORD_PROD"), "."),
      h("li", h("strong", "Launch"), " with ", code("inject -- your-program"), " and a workload's token; values are put in place at deploy time.")),
  ];
}

function organizations() {
  return () => {
    const owns = state.orgs.some((org) => org.role === "owner");
    return [cards(), h("div.actions.start", owns && button("Create organization", createOrg), addToken())];
  };
}

function createOrg() {
  openDialog("Create organization", (dialog) => {
    const name = field("Name", input({ required: true, maxlength: 63, placeholder: "acme" }), { hint: "Lower case, digits and -, beginning with a letter. It cannot be changed." });
    async function run() {
      if (!/^[a-z][a-z0-9-]{0,62}$/.test(name.value)) return name.error("Use lower case, digits and -, beginning with a letter.");
      let made;
      try {
        made = await call("POST", "/orgs", { body: { name: name.value } });
      } catch (error) {
        if (error.status === 409) return name.error(`There is an organization ${name.value} already.`);
        throw error;
      }
      dialog.close();
      // Not later: who signs out elsewhere, while the token is shown, stays signed out.
      if (state.signedIn) await signIn(made.token).catch((error) => notify(error.message));
      await showToken(`Your token for ${made.name}`, { token: made.token, intro: `You own ${made.name}. This token is how you sign in to it.` });
      if (state.signedIn) navigate(`/orgs/${made.name}/secrets`);
    }
    return form({ children: name.row, submit: "Create", run, dialog });
  }, { guard: typed });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/']");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  navigate(link.getAttribute("href"));
});
document.addEventListener("keydown", (event) => !event.defaultPrevented && shown?.keys?.(event));
addEventListener("popstate", () => {
  if (guarded()) return history.pushState(null, "", shown.path + shown.search);
  show(true);
});
addEventListener("pageshow", (event) => event.persisted && location.reload());
addEventListener("beforeunload", (event) => openDialogs().some((dialog) => dialog.lost()) && event.preventDefault());
show();
