// The page of the store. The names that people and programs find things by, which tests rely on:
// sign-in field `Token`, buttons `Sign in` and `Sign out`; tabs `Secrets`, `Members`, `Workloads`,
// `Audit`; search field `Search secrets`; `Create secret`; dialogs `Create secret`, `Update NAME`,
// `Delete NAME`; fields `Name`, `Secret value`; buttons `Create`, `Update`, `Delete`, `Cancel`; row
// buttons `Update NAME`, `Delete NAME`, `Copy reference to NAME`; `Add member` with `E-mail` and
// `Role`; `Create token` with `Workload`, `Names`, `Expires`; `Revoke ID`.
//
// This piece makes elements. Whatever comes from the store becomes text, never markup.

const $ = (id) => document.getElementById(id);

/**
 * An element, `tag.class`. What may stand second is attributes: keys with `on` are listeners, some
 * are properties. All else is children.
 */
function h(kind, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  const attributes = children[0]?.constructor === Object ? children.shift() : {};
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child != null && child !== false && child !== ""));
  return element;
}

const button = (label, onclick, attributes) => h("button", { type: "button", onclick, ...attributes }, label);
/** A button in a row, which says of what row it is to who does not see that. */
const rowButton = (label, what, onclick, kind) => button(label, onclick, { class: kind, "aria-label": `${label} ${what}` });
const code = (text) => h("code", text);
const tag = (text, kind, title) => [" ", h(`span.tag${kind ? `.${kind}` : ""}`, { title }, text)];
const quiet = (...children) => h("span.quiet", ...children);

const DAY = 86_400_000;
const STALE_DAYS = 90;
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "long" });
const brief = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const STEPS = [["year", 365 * DAY], ["month", 30 * DAY], ["week", 7 * DAY], ["day", DAY], ["hour", 3_600_000], ["minute", 60_000]];

function ago(at) {
  const distance = new Date(at) - Date.now();
  const [unit, length] = STEPS.find(([, length]) => Math.abs(distance) >= length) ?? [];
  return unit ? relative.format(Math.round(distance / length), unit) : distance > 0 ? "in a moment" : "just now";
}

/** How long ago, exactly when it is pointed at. */
const when = (at) => (at ? h("time", { datetime: at, title: exact.format(new Date(at)) }, ago(at)) : "–");
const exactly = (at) => h("time", { datetime: at, title: exact.format(new Date(at)) }, brief.format(new Date(at)));
const isStale = (secret) => secret.updated_at && Date.now() - new Date(secret.updated_at) > STALE_DAYS * DAY;
const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** A failure where something should stand, and the way on. */
const failed = (error, again) => [h("p.error", { role: "alert" }, error.message), button("Try again", again)];

/** Says it below, and to who listens; it goes by itself. */
function notify(text) {
  const said = h("p", text);
  // What is behind a dialog is read to nobody.
  (topDialog()?.querySelector(".notice") ?? $("notice")).replaceChildren(said);
  setTimeout(() => said.remove(), 6000);
}

/** Copies a text, and says so on the button itself. */
async function copy(text, from, what = text) {
  try {
    await navigator.clipboard.writeText(text);
    notify(`Copied ${what}`);
    const label = (from.dataset.label ??= from.textContent);
    from.textContent = "Copied";
    setTimeout(() => (from.textContent = label), 1500);
    return true;
  } catch {
    notify("The browser does not let this page copy. Select the text and copy it by hand.");
    return false;
  }
}

/** A text to be copied, with its button. */
function copyable(text, label) {
  return h("span.copyable", code(text), button("Copy", (event) => copy(text, event.currentTarget), { class: "small", "aria-label": `Copy ${label ?? text}` }));
}
