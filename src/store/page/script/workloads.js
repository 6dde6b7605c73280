// What launches with secrets: which versions each workload has, and the tokens that they launch with.

const SOON = 14 * DAY;

function workloadsView(org, at) {
  const path = orgPath(org, "/workloads");
  const read = pages(path, "workloads");
  const first = read("", at.signal);
  first.catch(() => {});

  return async () => {
    const isOwner = may(orgOf(org), "owner");
    const launches = pagedTable({
      caption: "What each workload resolved", read,
      columns: [["Workload"], ["Last launched"], ["Secrets"]],
      cells: (one) => [h("strong", one.workload), when(one.last_resolved_at), resolved(one)],
      noun: "workload",
      empty: () => h("div.empty", h("h2", "Nothing was launched yet"),
        h("p", "A workload shows here once it resolved a secret, with the versions that it has."),
        copyable("inject -- your-program")),
    });
    at.ends(launches.stop);
    await launches.load(first);
    const top = [h("h2", "Launches"), launches.element];
    const { rows, next } = await first;
    const all = isOwner && next ? await allPages(path, "workloads") : rows;
    const lastUse = new Map(all.map((one) => [one.workload, one.last_resolved_at]));
    return isOwner ? [...top, ...(await tokensOf(org, at, lastUse))] : [...top, h("p.hint", "Owners see and make the tokens of workloads.")];
  };
}

/** Which versions a workload has; those that are no longer current first. */
function resolved({ secrets, behind }) {
  const isOld = (one) => one.version !== one.current;
  const old = secrets.filter(isOld).length;
  const list = h("ul");
  const line = (one) => h("li", code(one.name), ` version ${one.version} `, quiet(when(one.resolved_at)),
    one.current == null ? tag("Deleted", "bad") : isOld(one) && tag(`Version ${one.current} is current`, "warn"));
  const fill = () => list.childElementCount || list.append(...secrets.toSorted((one, other) => isOld(other) - isOld(one)).map(line));
  return h("details", { ontoggle: fill }, h("summary", count(secrets.length, "secret"),
    (behind || old > 0) && tag(`${old || ""} behind`.trim(), "warn", "Launch it again to get the current version.")), list);
}

async function tokensOf(org, at, lastUse) {
  const all = pages(orgPath(org, "/tokens"), "tokens");
  const read = async (...asked) => {
    const { rows, next } = await all(...asked);
    return { rows: rows.filter((token) => token.workload || token.damaged), next };
  };
  const table = pagedTable({
    caption: "Tokens of workloads", read,
    columns: [["Workload"], ["Names"], ["Expires"], ["Network"], ["Workload used"], ["Actions"]],
    cells: (token) => [
      [h("strong", token.workload ?? "–"), " ", quiet(token.id), token.damaged && tag("Damaged", "bad")],
      shownNames(token.names), expiry(token), token.network ?? quiet("any"),
      lastUse.has(token.workload) ? when(lastUse.get(token.workload)) : quiet("none seen"),
      h("div.row-actions", rowButton("Revoke", token.id, () => revokeToken(org, token.id, token.workload ?? token.id, () => table.change((one) => one.id === token.id, null)), "bad")),
    ],
    noun: "token",
    empty: () => h("div.empty", h("p", "No workload has a token yet. It launches with one, and gets the secrets that its list names."),
      copyable(`inject token create --org ${org} --workload billing`)),
  });
  at.ends(table.stop);
  await table.load();
  return [h("div.toolbar", h("h2", "Tokens"), button("Create token", () => createToken(org, () => table.load()), { class: "primary" })), table.element];
}

function expiry({ expires_at: at }) {
  if (!at) return quiet("never");
  const left = new Date(at) - Date.now();
  return [when(at), left <= 0 ? tag("Expired", "bad") : left < SOON && tag("Soon", "warn")];
}

function createToken(org, done) {
  openDialog("Create token", (dialog) => {
    const workload = field("Workload", input({ required: true, maxlength: 63, placeholder: "billing" }), { hint: "The program that launches with it. Lower case, digits, . _ and -." });
    const names = namesField("Names", ["*"], "The secrets that it may have: names and patterns, such as STRIPE_* or *_PROD. A lone * is all of them.");
    const expires = field("Expires", select([[7, "In 7 days"], [30, "In 30 days"], [90, "In 90 days"], [180, "In 180 days"], [365, "In a year"]], 90));
    const network = field("Network", input({ placeholder: "10.0.0.0/8" }), { optional: true, hint: "It is taken from there alone." });
    async function run() {
      const name = workload.value.trim();
      if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) return workload.error("Use lower case, digits, . _ and -, such as billing.");
      const list = names.names();
      if (!list) return;
      if (list.length === 0) return names.error("Name at least one secret or pattern; * is all of them.");
      const place = network.value.trim();
      if (place && !/^[0-9a-f.:]+(\/\d+)?$/i.test(place)) return network.error("Enter an address or a network, such as 10.0.0.0/8.");
      const body = { workload: name, names: list, expires_at: new Date(Date.now() + expires.value * DAY).toISOString(), network: place || null };
      const made = await call("POST", orgPath(org, "/tokens"), { body });
      dialog.close();
      const lines = [h("h3", "Launch with it"), h("p.hint", "And with INJECT_STORE, as the store printed it."), copyable(`INJECT_ORG=${org} INJECT_TOKEN_FILE=/run/secrets/inject inject -- your-program`, "the command")];
      await showToken(`Token for ${made.workload}`, { token: made.token, intro: `Put it where ${made.workload} launches, in a file or a secret of the platform.`, lines });
      done();
    }
    return form({ children: [workload.row, names.row, expires.row, network.row], submit: "Create", run, dialog });
  }, { guard: typed });
}

function revokeToken(org, id, whose, done) {
  openDialog(`Revoke ${id}`, (dialog) => {
    async function run() {
      await call("DELETE", orgPath(org, `/tokens/${encodeURIComponent(id)}`)).catch(unless(404));
      dialog.close();
      done();
      notify(`Revoked ${id}`);
    }
    return form({ children: h("p", `This token of ${whose} stops working with its next request, for good. What runs already keeps what it has.`), submit: "Revoke", danger: true, run, dialog });
  });
}
