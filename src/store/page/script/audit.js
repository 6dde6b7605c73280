// What happened, by whom; and whether the record of it is whole.

const BROKEN = { absent: "is missing", altered: "was altered", cut: "and what follows was cut off", other: "is not the one that the checkpoint saw" };
const FILTERS = ["name", "actor", "workload", "since", "until"];
const SECRETS_SHOWN = 5;

/** A moment as a field for local time has it. */
const local = (at) => {
  const date = new Date(at);
  return at && !isNaN(date) ? new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "";
};

function auditView(org, at) {
  const asked = () => Object.fromEntries(FILTERS.map((key) => [key, new URLSearchParams(location.search).get(key) ?? ""]));
  return async () => {
    const fields = {
      name: field("Secret", input()),
      actor: field("Who", input()),
      workload: field("Workload", input()),
      since: field("Since", input({ type: "datetime-local" })),
      until: field("Until", input({ type: "datetime-local" })),
    };
    const table = pagedTable({
      caption: `Audit trail of ${org}`, read: pages(orgPath(org, "/audit"), "records", asked),
      columns: [["When"], ["Who"], ["What"], ["Workload"], ["From"]],
      cells: (record) => [h("span", exactly(record.at), " ", quiet(`#${record.sequence}`)), record.actor, happened(record), record.workload ?? "–", record.client ?? "–"],
      noun: "record",
      empty: () => h("div.empty", h("p", "No record is like this.")),
    });
    const now = asked();
    for (const key of FILTERS) fields[key].control.value = key === "since" || key === "until" ? local(now[key]) : now[key];
    function filter(event) {
      event.preventDefault();
      const moment = (value) => value && new Date(value).toISOString();
      const wanted = { name: fields.name.value.trim().toUpperCase(), actor: fields.actor.value.trim(), workload: fields.workload.value.trim(), since: moment(fields.since.value), until: moment(fields.until.value) };
      if (!fields.name.error(wanted.name && !isName(wanted.name) && "This is not a secret's name.")) return;
      if (!fields.workload.error(wanted.workload && !/^[a-z0-9][a-z0-9._-]{0,62}$/.test(wanted.workload) && "This is not a workload's name.")) return;
      history.pushState(null, "", location.pathname + query(wanted));
      table.load();
    }
    at.ends(table.stop);
    await table.load();
    return [chain(org),
      h("form.panel", { onsubmit: filter, "aria-label": "Filter", novalidate: true }, h("div.filters", FILTERS.map((key) => fields[key].row)),
        h("div.actions.start", h("button.primary", "Filter"), h("a.button", { href: location.pathname }, "Clear"))),
      table.element];
  };
}

function happened({ action, secrets, subject, detail, outcome }) {
  const name = (one) => [code(one.name), one.version && quiet(` v${one.version}`), " "];
  const rest = secrets.slice(SECRETS_SHOWN);
  const set = Object.entries(detail ?? {}).filter(([, value]) => value?.length);
  const said = set.map(([key, value]) => `${key.replace("_", " ")}: ${Array.isArray(value) ? value.join(", ") : value}`).join("; ");
  return [action[0].toUpperCase(), action.slice(1).replace(".", " "), " ", secrets.slice(0, SECRETS_SHOWN).map(name), subject && h("strong", subject), said && quiet(` ${said}`),
    outcome !== "ok" && tag(outcome, outcome === "repeated" ? "" : "bad"),
    rest.length > 0 && h("details", h("summary", `and ${count(rest.length, "more", "more")}`), rest.flatMap(name))];
}

/** Whether the chain of records is whole, asked for by hand: it is walked from its beginning. */
function chain(org) {
  const result = h("p", { role: "status" }, quiet("Each record is chained to the one before, so that none can be changed, dropped or moved unseen."));
  const picker = h("input", { type: "file", hidden: true, accept: ".json", onchange: () => picker.files[0] && against(picker.files[0]) });
  const panel = h("section.panel", { "aria-label": "Chain of records" }, result,
    h("div.actions.start", button("Verify chain", () => act(() => verify({}))), button("Save checkpoint", () => act(save)), button("Verify against a checkpoint…", () => picker.click())), picker);

  let last = Promise.resolve();
  /** One after the other, each to its end. */
  const act = (what) => (last = last.then(() => run(what)));
  async function run(what) {
    const done = working(panel);
    try {
      result.replaceChildren(...[await what()].flat());
    } catch (error) {
      result.replaceChildren(h("span.error", error instanceof Failure ? error.message : "This file is no checkpoint."));
    } finally {
      done();
    }
  }
  async function verify(body) {
    const { records, broken } = await call("POST", orgPath(org, "/audit/verify"), { body, time: 10 * ANSWER_MS_MAX });
    if (broken) return [tag("Broken", "bad"), ` Record ${broken.sequence} ${BROKEN[broken.what] ?? broken.what}; the ${count(records, "record")} before are whole.`];
    return [h("strong", "Whole. "), `${count(records, "record")}, none altered, dropped or moved${body.checkpoint ? `, none cut off since record ${body.checkpoint.sequence}` : ""}.`];
  }
  async function save() {
    const seen = await get(orgPath(org, "/audit/checkpoint"));
    const url = URL.createObjectURL(new Blob([JSON.stringify(seen), "\n"], { type: "application/json" }));
    h("a", { href: url, download: `${org}-checkpoint-${seen.sequence}.json` }).click();
    URL.revokeObjectURL(url);
    return `Saved the chain's end at record ${seen.sequence}. Keep it elsewhere: it shows later whether records were cut off.`;
  }
  const against = (file) => {
    picker.value = "";
    act(async () => verify({ checkpoint: JSON.parse(await file.text()) }));
  };
  return panel;
}
