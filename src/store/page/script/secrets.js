// The secrets of an organization: searched as one types, sorted, and read as one scrolls.

const SORTS = ["name", "-name", "updated", "-updated"];

function secretsView(org, at) {
  const asked = new URLSearchParams(location.search);
  let q = asked.get("q") ?? "";
  let sort = SORTS.includes(asked.get("sort")) ? asked.get("sort") : "name";
  const read = pages(orgPath(org, "/secrets"), "secrets", () => ({ q, sort }));
  // It is under way while the caller's role is still being asked for.
  const first = read("", at.signal);
  first.catch(() => {});

  return async () => {
    const own = orgOf(org);
    const writes = own && may(own, "editor");
    const create = (name) => createSecret(org, () => table.load(), typeof name === "string" ? name : "");
    const search = input({ type: "search", value: q, placeholder: "Search by name, or press /", "aria-label": "Search secrets", "aria-keyshortcuts": "/", oninput: typedIn, onkeydown: clears, maxlength: 128 });
    const table = pagedTable({
      caption: `Secrets of ${org}`,
      columns: [["Name", "name"], ["Last Updated", "updated"], ["Created By"], ["Actions"]],
      read, cells, sort,
      onsort(key) { sort = key; go(false); table.load(null, key); },
      noun: "secret",
      empty,
    });
    let timer;

    function go(replaces) {
      const address = location.pathname + query({ q, sort: sort === "name" ? "" : sort });
      history[replaces ? "replaceState" : "pushState"](null, "", address);
    }
    function typedIn() {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (q === search.value.trim()) return;
        q = search.value.trim();
        go(true);
        table.load();
      }, 120);
    }
    function clears(event) {
      if (event.key !== "Escape" || !search.value) return;
      event.preventDefault();
      search.value = "";
      typedIn();
    }

    function cells(secret) {
      const { name } = secret;
      const changed = (now) => table.change((one) => one.name === name, now);
      const tags = [isStale(secret) && tag("Stale", "warn", `Not updated for over ${STALE_DAYS} days. Rotate it.`), secret.damaged && tag("Damaged", "bad", "Not as it was written. Delete it and set it again, or restore a backup.")];
      return [
        [button(name, () => showSecret(org, secret), { class: "name", "aria-label": `Show ${name}` }), tags],
        secret.updated_at ? [when(secret.updated_at), " ", quiet(`by ${secret.updated_by}`)] : "–",
        secret.created_by ? h("span", { title: `Created ${exact.format(new Date(secret.created_at))}` }, secret.created_by) : "–",
        h("div.row-actions",
          button("Copy", (event) => copy(`$${name}`, event.currentTarget), { "aria-label": `Copy reference to ${name}`, title: `Copy $${name}` }),
          writes && !secret.damaged && rowButton("Update", name, () => updateSecret(org, secret, changed)),
          writes && rowButton("Delete", name, () => deleteSecret(org, secret, () => changed(null)), "bad")),
      ];
    }

    function empty() {
      if (q) {
        const name = asName(q);
        return h("div.empty", h("p", `No secret has ${q} in its name.`),
          h("div.actions", button("Clear the search", () => { search.value = ""; typedIn(); search.focus(); }),
            writes && name && button(`Create ${name}`, () => create(name))));
      }
      return h("div.empty", h("h2", "No secrets yet"),
        h("p", "Keep API keys, tokens and credentials here once, and reference them by name in every workload."),
        writes && [h("div.actions", button("Create your first secret", create, { class: "primary" })),
          h("p.hint", "Or on the command line:"), copyable(`inject secret set --org ${org} DB_PASSWORD_PROD`)]);
    }

    at.keys = (event) => {
      if (event.key !== "/" || event.target.closest("input, textarea, select, dialog") || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      search.select();
      search.focus();
    };
    at.ends(() => { clearTimeout(timer); table.stop(); });
    await first;
    table.load(first);
    return [
      h("div.toolbar", h("search", search), writes && button("Create secret", create, { class: "primary" })),
      table.element,
    ];
  };
}
