// Advice on names, by the same rules as `inject secret set` gives it; the store has the last word.

const NAME_MAX = 128;
const VAGUE = "A API CREDENTIAL CREDENTIALS DATA KEY PASS PASSWORD PWD SECRET SECRETS TEST TOKEN VALUE".split(" ");
const ENVIRONMENTS = ["DEV", "STAGING", "PROD"];
const isName = (text) => /^[A-Z][A-Z0-9_]{0,127}$/.test(text);

/** The nearest name to what was typed, or null where nothing of it can be one. */
function asName(text) {
  const words = text.trim().replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase().replace(/[^A-Z0-9_]+/g, "_");
  const name = words.replace(/^[^A-Z]+|_+$/g, "").slice(0, NAME_MAX);
  return isName(name) ? name : null;
}

/** What to say about a name while it is typed: {error, suggestion, hint}. */
function advise(text) {
  if (!text) return {};
  if (!isName(text)) {
    const why = text.length > NAME_MAX ? `A name has up to ${NAME_MAX} characters.` : "Use upper case, digits and _, beginning with a letter.";
    const suggestion = asName(text);
    return { error: why, suggestion: suggestion === text ? null : suggestion };
  }
  if (VAGUE.includes(text.replace(/[0-9_]+$/, ""))) {
    return { hint: `${text} says little. Say what it is for, as in DB_PASSWORD_PROD; that is easier to rotate.` };
  }
  return {};
}

/** The same name for each other environment; whether there is one already is seen when it is created. */
function variants(text) {
  if (!isName(text)) return [];
  const stem = text.replace(/_(DEV|STAGING|PROD)$/, "");
  return ENVIRONMENTS.map((one) => `${stem}_${one}`).filter((name) => isName(name) && name !== text);
}
