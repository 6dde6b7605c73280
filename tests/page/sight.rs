//! What a person sees of the page and can reach: by role and accessible name, as text, as rows.
//! Each look waits until there is what is looked for.

use serde_json::{Value, json};

use super::Browser;
use super::driver::ELEMENT_KEY;
use super::element::Element;

impl Browser {
    #[track_caller]
    pub fn button(&self, name: &str) -> Element<'_> {
        self.find("button", name)
    }

    #[track_caller]
    pub fn link(&self, name: &str) -> Element<'_> {
        self.find("link", name)
    }

    #[track_caller]
    pub fn field(&self, name: &str) -> Element<'_> {
        self.find("field", name)
    }

    #[track_caller]
    pub fn dialog(&self, name: &str) -> Element<'_> {
        self.find("dialog", name)
    }

    /// Waits until what has this role and accessible name can be reached.
    #[track_caller]
    pub fn find(&self, role: &str, name: &str) -> Element<'_> {
        self.wait(&format!("the {role} `{name}`"), || self.look(role, name))
    }

    #[track_caller]
    pub fn has(&self, role: &str, name: &str) -> bool {
        self.look(role, name).is_some()
    }

    /// Waits until nothing that can be reached has this role and name.
    #[track_caller]
    pub fn lacks(&self, role: &str, name: &str) {
        let gone = || self.look(role, name).is_none().then_some(());
        self.wait(&format!("no {role} `{name}`"), gone);
    }

    fn look(&self, role: &str, name: &str) -> Option<Element<'_>> {
        let found = self.try_script(include_str!("find.js"), json!([role, name])).ok()?;
        let ids = found.as_array()?.iter().filter_map(|one| one[ELEMENT_KEY].as_str());
        let mut named = ids.filter(|id| {
            let label = self.driver.get(&format!("/element/{id}/computedlabel"));
            label.is_ok_and(|label| label.as_str().is_some_and(|label| label.trim() == name))
        });
        named.next().map(|id| Element { browser: self, id: id.to_owned() })
    }

    /// The first element that fits a selector of CSS.
    #[track_caller]
    pub fn select(&self, selector: &str) -> Element<'_> {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = || {
            let found = self.driver.post("/element", &wanted).ok()?;
            let id = found[ELEMENT_KEY].as_str()?.to_owned();
            Some(Element { browser: self, id })
        };
        self.wait(selector, found)
    }

    /// Waits for a link that leads into an organization.
    #[track_caller]
    pub fn link_of(&self, org: &str) -> Element<'_> {
        self.select(&format!("main a[href='/orgs/{org}/secrets']"))
    }

    /// Waits until nothing is under way.
    #[track_caller]
    pub fn is_idle(&self) {
        let idle = "return document.querySelector('h1') !== null
            && document.querySelector('[aria-busy=true]') === null
            && performance.getEntriesByType('resource').every((one) => one.responseEnd > 0)";
        self.wait("nothing under way", || (self.script(idle, json!([])) == true).then_some(()));
    }

    /// Fails if the page did anything that its policy forbids, or complained of anything.
    #[track_caller]
    pub fn is_quiet(&self) {
        let violations = self.script("return window.seen.violations", json!([]));
        assert_eq!(violations, json!([]), "the page's own policy is violated");
        // That a request failed is the browser's note of an answer, not the page's; what it
        // recommends or tells is no complaint.
        let is_bad = |line: &&Value| {
            line["source"] != "network" && (line["level"] == "SEVERE" || line["level"] == "WARNING")
        };
        let lines = self.log("browser");
        let complaints: Vec<_> = lines.iter().filter(is_bad).collect();
        assert!(complaints.is_empty(), "{complaints:?}");
    }

    /// What has the focus.
    #[track_caller]
    pub fn focused(&self) -> Element<'_> {
        let found = self.done(self.driver.get("/element/active"));
        let id = found[ELEMENT_KEY].as_str().expect("the body, if nothing else").to_owned();
        Element { browser: self, id }
    }

    /// The text of the page as it is shown, that of open dialogs included.
    #[track_caller]
    pub fn text(&self) -> String {
        let text = self.script("return document.body.innerText", json!([]));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        self.wait(&format!("the text `{text}`"), || self.text().contains(text).then_some(()));
    }

    #[track_caller]
    pub fn hides(&self, text: &str) {
        self.wait(&format!("no text `{text}`"), || (!self.text().contains(text)).then_some(()));
    }

    /// The cells of the table's rows, as they are shown.
    #[track_caller]
    pub fn rows(&self) -> Vec<Vec<String>> {
        let script = "return [...document.querySelectorAll('tbody tr')]
            .filter((row) => row.checkVisibility())
            .map((row) => [...row.cells].map((cell) => cell.innerText.trim()))";
        serde_json::from_value(self.script(script, json!([]))).expect("texts")
    }

    /// Waits until the first column of the table's rows is as wanted.
    #[track_caller]
    pub fn lists(&self, wanted: &[&str]) {
        let script = "return [...document.querySelectorAll('tbody tr')]
            .filter((row) => row.checkVisibility() && row.cells.length > 1)
            .map((row) => (row.cells[0].querySelector('button, a, strong') ?? row.cells[0])
                .innerText.trim().split('\\n')[0])";
        let names = || self.script(script, json!([]));
        self.wait(&format!("the rows {wanted:?}"), || (names() == json!(wanted)).then_some(()));
    }

    /// What is wrong with a field, as it is told to who cannot see: empty if nothing is.
    #[track_caller]
    pub fn fault(&self, field: &str) -> String {
        let field = self.field(field);
        if field.attribute("aria-invalid").is_none_or(|invalid| invalid != "true") {
            return String::new();
        }
        let script = "return (arguments[0].getAttribute('aria-describedby') ?? '').split(/\\s+/)
            .map((id) => document.getElementById(id)?.innerText ?? '').join(' ').trim()";
        let text = self.script(script, json!([field.argument()]));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until something is said to be wrong with a field, and gives what.
    #[track_caller]
    pub fn faults(&self, field: &str) -> String {
        let fault = || Some(self.fault(field)).filter(|fault| !fault.is_empty());
        self.wait(&format!("a fault of `{field}`"), fault)
    }

    /// Waits until a token is shown, as text or in a field, and gives it.
    #[track_caller]
    pub fn token(&self) -> String {
        let script = "const shown = [document.body.innerText, ...[...document.querySelectorAll(
            'input, textarea, output')].map((field) => field.value)].join(' ');
            return shown.match(/inj_[mw]_[A-Za-z0-9]{50}/)?.[0] ?? null";
        let token = || self.script(script, json!([])).as_str().map(str::to_owned);
        self.wait("a token", token)
    }
}
