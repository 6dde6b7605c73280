// The elements that a person can reach now and that may have this role and name; who asks compares
// the name with the browser's own. While a modal dialog is open, only what is in it can be reached.
const [role, name] = arguments;
const KINDS = {
    button: 'button, [role=button], summary',
    link: 'a[href]',
    field: 'input:not([type=checkbox], [type=radio]), textarea, select, [role=combobox]',
    checkbox: 'input[type=checkbox], input[type=radio]',
    heading: 'h1, h2, h3',
    dialog: 'dialog[open], [role=dialog], [role=alertdialog]',
    table: 'table, [role=table]',
    row: 'tbody tr, [role=row]',
};
const modal = [...document.querySelectorAll('dialog:modal')];
const top = modal.find((one) => one.contains(document.activeElement)) ?? modal.at(-1);
const root = role === 'dialog' ? document : (top ?? document);
const plain = (text) => (text ?? '').replace(/\s+/g, ' ').trim();
const texts = (element) => [
    element.getAttribute('aria-label'),
    ...(element.getAttribute('aria-labelledby') ?? '').split(/\s+/)
        .map((id) => document.getElementById(id)?.textContent),
    ...[...(element.labels ?? [])].map((label) => label.textContent),
    element.textContent,
    element.title,
];
return [...root.querySelectorAll(KINDS[role])]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .filter((element) => texts(element).some((text) => plain(text).includes(name)))
    .slice(0, 20);
