// What is done to a secret: create, update, delete, refer to it. A value goes to the store and never
// comes back; what is shown is only what was typed just now.

const VALUE_BYTES_MAX = 65_536;

/** A masked field of many lines, or a file, whose bytes are kept as they are. */
function valueField() {
  const text = h("textarea", { rows: 4, class: "masked", ...PLAIN, wrap: "off" });
  const made = field("Secret value", text, { hint: "Up to 64 KiB, over many lines if need be; or drop a file here." });
  const show = h("input", { type: "checkbox", id: freshId(), onchange: () => text.classList.toggle("masked", !show.checked) });
  const empty = h("input", { type: "checkbox", id: freshId() });
  const emptyRow = h("p", { hidden: true }, empty, h("label", { for: empty.id }, "Set it to an empty value"));
  const picker = h("input", { type: "file", hidden: true, onchange: () => picker.files[0] && take(picker.files[0]) });
  const choose = button("Choose a file…", () => picker.click(), { class: "small" });
  const chosen = h("p.chosen", { hidden: true });
  const note = h("p.hint", { role: "status" });
  let file = null;

  async function take(one) {
    picker.value = "";
    if (one.size > VALUE_BYTES_MAX) return made.error(`${one.name} has ${count(one.size, "byte")}; a value has up to 65,536.`);
    let bytes;
    try {
      bytes = new Uint8Array(await one.arrayBuffer());
    } catch {
      return made.error(`${one.name} cannot be read.`);
    }
    file = bytes;
    text.hidden = note.hidden = true;
    chosen.hidden = false;
    const drop = button("Remove", () => { clearFile(); text.focus(); }, { class: "small", "aria-label": `Remove the file ${one.name}` });
    chosen.replaceChildren(h("strong", one.name), ` ${count(one.size, "byte")}, kept exactly `, drop);
    made.error("");
    drop.focus();
  }

  /** What was typed before comes back. */
  function clearFile() {
    file?.fill(0);
    file = null;
    text.hidden = note.hidden = false;
    chosen.hidden = true;
    chosen.replaceChildren();
  }

  function clear() {
    clearFile();
    text.value = "";
  }

  text.addEventListener("input", () => {
    made.error("");
    const { value } = text;
    note.textContent = /[\r\n]$/.test(value) ? "It ends with a line break, which becomes part of the value."
      : value !== value.trim() ? "It begins or ends with a blank, which becomes part of the value." : "";
  });
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  made.row.addEventListener("dragover", (event) => isFile(event) && (event.preventDefault(), made.row.classList.add("over")));
  made.row.addEventListener("dragleave", () => made.row.classList.remove("over"));
  made.row.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    made.row.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
  text.after(chosen, picker);
  made.row.append(h("div.tools", h("span", show, h("label", { for: show.id }, "Show what I type")), choose), note, emptyRow);

  return {
    row: made.row,
    clear,
    isDirty: () => Boolean(file || text.value),
    /** The body of the request, or null with an error beside the field. */
    body() {
      if (file?.length) return { value_base64: base64(file) };
      const value = file ? "" : text.value;
      if (!value && !empty.checked) {
        emptyRow.hidden = false;
        made.error("Enter a value.");
        return null;
      }
      const bytes = new TextEncoder().encode(value).length;
      if (bytes > VALUE_BYTES_MAX) return made.error(`This is ${count(bytes, "byte")}; a value has up to 65,536.`), null;
      return value ? { value } : { value, allow_empty: true };
    },
  };
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** What is changed, while an old copy is still being wiped, is asked for again: the store knows it by its condition. */
function change(method, org, name, headers, body) {
  const ask = () => call(method, secretPath(org, name), { body, headers });
  return ask().catch((error) => {
    if (error.kind !== "unpurged") throw error;
    return ask();
  });
}

/** Only as it was seen; what is damaged shows no version. */
const asSeen = ({ version }) => (version ? { "If-Match": `"${version}"` } : {});

const isOwn = (org, now) => now.updated_by === orgOf(org)?.member;
const faster = (org, name, now) => `${isOwn(org, now) ? "You" : now.updated_by} updated ${name} ${ago(now.updated_at)}, to version ${now.version}, after you opened this.`;

const unsaved = (value, more) => () => (value.isDirty() || more?.()) && NOT_SAVED;

function createSecret(org, done, start = "") {
  openDialog("Create secret", (dialog) => {
    const advice = h("p.advice", { role: "status" });
    const chips = h("div.chips");
    const control = input({ value: start, maxlength: 200, placeholder: "DB_PASSWORD_PROD", required: true, oninput: judge });
    const name = field("Name", control, { hint: "Upper case, with underscores, saying what it is for." });
    const value = valueField();
    name.row.append(advice, chips);

    function offer(text) {
      return button(text, () => { control.value = text; judge(); control.focus(); }, { class: "chip", "aria-label": `Use the name ${text}` });
    }
    function judge() {
      const { error, suggestion, hint } = advise(control.value);
      name.error("");
      advice.textContent = suggestion ? `${error} Did you mean ${suggestion}?` : error ?? hint ?? "";
      const offered = suggestion ? [suggestion, ...variants(suggestion)] : variants(control.value);
      chips.replaceChildren(...offered.map(offer));
    }
    async function run() {
      const text = control.value.trim();
      const { error } = text ? advise(text) : { error: "Enter a name." };
      const body = value.body();
      if (error) return name.error(error);
      if (!body) return;
      try {
        await change("PUT", org, text, { "If-None-Match": "*" }, body);
      } catch (error) {
        if (error.status === 412) return name.error(await taken(org, text));
        if (error.status === 422 && error.message.includes("name")) return name.error(error.message);
        throw error;
      }
      value.clear();
      dialog.close();
      notify(`Created ${text}`);
      done(text);
    }
    if (start) judge();
    dialog.addEventListener("close", value.clear);
    dialog.unsaved = unsaved(value, () => control.value !== start);
    return form({ children: [name.row, value.row], submit: "Create", run, dialog });
  }, { guard: (dialog) => dialog.unsaved() });
}

async function taken(org, name) {
  const there = await get(secretPath(org, name)).catch(() => null);
  const who = there?.updated_by ? ` It was last updated ${ago(there.updated_at)} by ${there.updated_by}.` : "";
  return `${name} exists already.${who} Choose another name, or close this and update it.`;
}

function updateSecret(org, secret, done) {
  const { name } = secret;
  let condition = asSeen(secret);
  openDialog(`Update ${name}`, (dialog) => {
    const value = valueField();
    const workloads = h("p.hint", "Workloads get the new value at their next launch; the old one is gone for good.");
    const made = form({ children: [value.row, workloads], submit: "Update", run, dialog });
    async function run() {
      const body = value.body();
      if (!body) return;
      try {
        done(await change("PUT", org, name, condition, body));
      } catch (error) {
        if (error.status !== 412) throw error;
        return conflict();
      }
      value.clear();
      dialog.close();
      notify(`Updated ${name}`);
    }
    /** Somebody was faster: says who, keeps what was typed, and lets it be done all the same. */
    async function conflict() {
      const now = await get(secretPath(org, name)).catch(unless(404));
      if (!now) {
        condition = { "If-None-Match": "*" };
        made.submitLabel("Create");
        return made.fail(`${name} was deleted meanwhile. What you typed is still here: Create makes it anew.`);
      }
      condition = asSeen(now);
      made.submitLabel("Update");
      done(now);
      made.fail(`${faster(org, name, now)}${isOwn(org, now) ? " Your first try may have arrived." : ""} What you typed is still here: Update replaces that version.`);
    }
    dialog.addEventListener("close", value.clear);
    dialog.unsaved = unsaved(value);
    return made;
  }, { guard: (dialog) => dialog.unsaved() });
}

function deleteSecret(org, secret, done) {
  const { name } = secret;
  let condition = asSeen(secret);
  openDialog(`Delete ${name}`, (dialog) => {
    const control = input({ required: true, oninput: () => confirm.error("") });
    const confirm = field(`Type ${name} to confirm`, control);
    const users = h("div.users", quiet("Looking for workloads that use it…"));
    const made = form({
      children: [h("p", h("strong", "This cannot be undone. "), "The value is gone for good, and any workload that references it will fail at its next deploy."), users, confirm.row],
      submit: "Delete", danger: true, run, dialog,
    });
    const showUsers = (found) => users.replaceChildren(...usersOf(found, "will fail at the next deploy"));
    get(secretPath(org, name)).then(showUsers).catch((error) =>
      users.replaceChildren(quiet(secret.damaged ? "Who uses it cannot be read." : error.message)));
    async function run() {
      if (control.value.trim() !== name) return confirm.error(`This is not ${name}.`);
      try {
        await change("DELETE", org, name, condition);
      } catch (error) {
        // Gone is gone, by whoever: also where an answer was lost on its way.
        if (error.status === 404 && error.kind === "no-secret") return gone();
        if (error.status !== 412) throw error;
        const now = await get(secretPath(org, name)).catch(unless(404));
        if (!now) return gone();
        condition = asSeen(now);
        showUsers(now);
        return made.fail(`${faster(org, name, now)} Delete removes that version too.`);
      }
      gone();
    }
    function gone() {
      dialog.close();
      done();
      notify(`Deleted ${name}`);
    }
    return made;
  });
}

/** Who resolved it lately, and when. */
function usersOf({ workloads = [] }, fate) {
  if (workloads.length === 0) return [quiet("No workload resolved it in the last 30 days.")];
  const rows = workloads.map((one) => h("li", h("strong", one.workload), " last launched ", when(one.resolved_at), quiet(` with version ${one.version}`)));
  return [h("p", `${count(workloads.length, "workload")} ${fate}:`), h("ul", rows)];
}

/** How to refer to it, in each spelling, and who does. */
function showSecret(org, { name }) {
  const spellings = [
    ["Environment or config file", `$${name}`],
    ["Beside other text", `\${${name}}`],
    ["Shell", `'$${name}'`],
    ["Docker Compose", `$$${name}`],
    ["Kubernetes", `value: $${name}`],
  ];
  openDialog(name, (dialog) => {
    const facts = h("div.users", quiet("Reading…"));
    get(secretPath(org, name)).then((now) => facts.replaceChildren(
      h("p", `Version ${now.version}, updated `, exactly(now.updated_at), ` by ${now.updated_by}; created `, exactly(now.created_at), ` by ${now.created_by}.`),
      ...usersOf(now, "resolved it in the last 30 days"),
    )).catch((error) => facts.replaceChildren(h("p.error", error.message)));
    return [
      h("h3", "Reference it"),
      h("dl.spellings", spellings.map(([where, text]) => [h("dt", where), h("dd", copyable(text, `for ${where}`))])),
      h("p.hint", "Compose halves a doubled dollar. Kubernetes leaves ", code("$NAME"), " alone; ", code("$(NAME)"), " is its own."),
      h("h3", "In use"), facts,
      h("div.actions", button("Close", () => dialog.close())),
    ];
  }, { wide: true });
}
