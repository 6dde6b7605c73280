// Fields, forms and dialogs. An error stands next to what it is about; nothing that was typed goes
// with it.

let lastId = 0;
const freshId = () => `f${++lastId}`;

/** A labelled field with room for a hint and an error. `control` is what is typed into. */
function field(label, control, { hint, optional } = {}) {
  const id = freshId();
  control.id ||= id;
  const errorLine = h("p.error", { id: `${id}e` });
  const row = h("div.field",
    h("label", { for: control.id }, label, optional && quiet(" optional")), control, h("p.hint", { id: `${id}h` }, hint), errorLine);
  control.setAttribute("aria-describedby", `${id}h ${id}e`);
  return {
    row, control,
    get value() { return control.value; },
    error(text) {
      errorLine.textContent = text ?? "";
      text ? control.setAttribute("aria-invalid", "true") : control.removeAttribute("aria-invalid");
      if (text) control.focus();
      return !text;
    },
  };
}

/** The browser adds nothing of its own. */
const PLAIN = { autocomplete: "off", spellcheck: "false", autocapitalize: "off" };
const input = (attributes) => h("input", { type: "text", ...PLAIN, ...attributes });
function select(options, value) {
  const control = h("select", options.map(([value, label]) => h("option", { value }, label)));
  control.value = value;
  return control;
}

/** A form that runs something: busy when that takes time, its failure beside the button. */
function form({ children, submit, danger, run, dialog }) {
  const failure = h("p.error", { role: "alert" });
  const main = h("button", { class: danger ? "danger" : "primary" }, submit);
  const element = h("form", { novalidate: true, onsubmit }, children, failure,
    h("div.actions", dialog && button("Cancel", () => dialog.leave()), main));
  async function onsubmit(event) {
    event.preventDefault();
    if (element.running) return;
    failure.textContent = "";
    element.running = true;
    const done = working(element);
    try {
      await run(element);
    } catch (error) {
      if (error.name !== "AbortError") failure.textContent = error.message;
      if (!(error instanceof Failure) && error.name !== "AbortError") console.error(error);
    } finally {
      element.running = false;
      done();
      // Whoever was told to wait need not.
      element.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }
  element.fail = (text) => (failure.textContent = text);
  element.submitLabel = (text) => (main.textContent = text);
  return element;
}

/** Says that something takes time, once it does. */
function working(element) {
  const timer = setTimeout(() => element.setAttribute("aria-busy", "true"), 200);
  return () => {
    clearTimeout(timer);
    element.removeAttribute("aria-busy");
  };
}

/**
 * A modal dialog. `guard` says, when somebody is about to leave, what would be lost; who leaves
 * again means it. Focus goes back to where it came from.
 */
function openDialog(title, build, { guard, wide } = {}) {
  const opener = document.activeElement;
  const openerName = opener?.getAttribute("aria-label");
  const heading = h("h2", { id: freshId() }, title);
  const warning = h("p.warning", { role: "alert" });
  const dialog = h("dialog", { "aria-labelledby": heading.id, class: wide && "wide-dialog", oncancel, onclose }, heading);
  let warned = false;
  const waits = () => dialog.querySelector("form")?.running && (signingIn ? "Sign in first, or cancel." : "Wait until this is done.");
  dialog.lost = () => waits() || guard?.(dialog);
  dialog.warn = (text) => (warning.textContent = text || "");
  dialog.guards = () => {
    const lost = waits() || !warned && guard?.(dialog);
    dialog.warn(lost);
    warned ||= lost && !waits();
    return lost;
  };
  dialog.goesOn = () => {
    warned = false;
    dialog.warn();
  };
  dialog.leave = () => dialog.guards() || dialog.close();
  function oncancel(event) {
    event.preventDefault();
    dialog.leave();
  }
  function onclose() {
    // No value stays in the document once its dialog is closed.
    dialog.querySelectorAll("input, textarea").forEach((control) => (control.value = ""));
    dialog.remove();
    const named = () => [...document.querySelectorAll("main [aria-label]")].find((one) => one.getAttribute("aria-label") === openerName);
    const back = opener?.isConnected && opener !== document.body ? opener : (openerName && named()) || viewHeading();
    back?.focus();
  }
  for (const kind of ["input", "submit"]) dialog.addEventListener(kind, () => openDialogs().forEach((one) => one.goesOn()));
  // Escape asks each time; a browser would let the second one through.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    dialog.leave();
  });
  dialog.append(...[build(dialog)].flat(3).filter(Boolean), warning, h("div.notice", { role: "status" }));
  // What stands there from the beginning was not typed.
  if (guard === typed) dialog.querySelectorAll("input").forEach((control) => (control.defaultValue = control.value));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

const NOT_SAVED = "What you typed is not saved. Do it again to throw it away.";
/** What was typed is not thrown away by one slip. */
const typed = (dialog) =>
  [...dialog.querySelectorAll("input, textarea")].some((control) => control.value && control.value !== control.defaultValue && control.type !== "checkbox")
    && NOT_SAVED;

const viewHeading = () => document.querySelector("main h1");
const openDialogs = () => [...document.querySelectorAll("dialog[open]")];
const topDialog = () => openDialogs().at(-1);

/** What would be lost if all dialogs went, said where it is seen. */
function guarded() {
  const lost = openDialogs().map((dialog) => dialog.guards()).find(Boolean);
  if (lost) topDialog().warn(lost);
  return lost;
}

/** A token, shown this once. */
function showToken(title, { token, intro, lines = [] }) {
  return new Promise((resolve) => {
    let isCopied = false;
    const dialog = openDialog(title, (dialog) => [
      h("p", intro),
      h("div.once",
        h("label", { for: "once" }, "Token"),
        input({ id: "once", readonly: true, value: token, onfocus: (event) => event.target.select(), oncopy: () => (isCopied = true) }),
        button("Copy token", async (event) => (isCopied = await copy(token, event.currentTarget, "the token")), { class: "primary" })),
      h("p.hint", "It is shown this once. The store keeps only a hash of it."),
      lines,
      h("div.actions", button("Done", () => dialog.leave())),
    ], { guard: () => !isCopied && "The token was not copied, and cannot be shown again. Do it again to close all the same." });
    // Who signs out elsewhere still needs it.
    dialog.stays = () => !isCopied && !state.signedIn;
    dialog.addEventListener("close", resolve);
  });
}

function tokenField() {
  return field("Token", input({ type: "password", name: "token", autocomplete: "current-password", required: true }), {
    hint: "A member's token; it begins with inj_m_.",
  });
}

/** Takes a token, and says what is wrong with it next to it. */
async function takeToken(token) {
  const text = token.value.trim();
  if (!text) return token.error("Enter your token.");
  if (text.startsWith("inj_w_")) return token.error("This is a workload's token. Sign in with a member's, which begins with inj_m_.");
  try {
    await signIn(text);
  } catch (error) {
    if (error.status === 401) return token.error("This token is unknown, expired or revoked.");
    if (error.status === 403) return token.error("This token may not sign in here.");
    throw error;
  }
  token.control.value = "";
  return true;
}

let signingIn = null;
/** The session ended in mid-work: signs in over what is there, so that nothing of it is lost. */
function signInAgain() {
  signingIn ??= new Promise((resolve, reject) => {
    let isIn = false;
    const dialog = openDialog("Sign in again", (dialog) => {
      const token = tokenField();
      const run = async () => (isIn = await takeToken(token)) && dialog.close();
      return [h("p", "Your session ended. What you were doing goes on once you are signed in."),
        form({ children: token.row, submit: "Sign in", run, dialog })];
    });
    dialog.addEventListener("close", () => (isIn ? resolve() : reject(new Failure(401))));
  }).finally(() => (signingIn = null));
  return signingIn;
}
