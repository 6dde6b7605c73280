//! Something on the page, and what is done to it. It is found by [`Browser`].

use serde_json::{Value, json};

use super::Browser;
use super::browser::code;
use super::driver::ELEMENT_KEY;

/// As WebDriver knows it; it is gone when the page draws another in its place.
pub struct Element<'b> {
    pub(super) browser: &'b Browser,
    pub(super) id: String,
}

impl Element<'_> {
    #[track_caller]
    pub fn click(&self) {
        // What moves or is drawn anew is tried again; what stays covered is a fault.
        let path = format!("/element/{}/click", self.id);
        let passing = ["element click intercepted", "element not interactable"];
        self.browser.wait("it can be clicked", || {
            match self.browser.driver.post(&path, &json!({})) {
                Ok(_) => Some(()),
                Err(refused) if passing.contains(&refused.error.as_str()) => None,
                Err(refused) => panic!("{refused}\n{}", self.browser.whole()),
            }
        });
    }

    /// Types behind what stands there; a path, where files are chosen.
    #[track_caller]
    pub fn types(&self, text: &str) -> &Self {
        self.does("value", &json!({"text": text}));
        self
    }

    /// Marks all that stands there and removes it, as a person does.
    #[track_caller]
    pub fn clear(&self) -> &Self {
        let (control, release, backspace) = (code("Control"), code("Null"), code("Backspace"));
        self.types(&format!("{control}a{release}{backspace}"))
    }

    #[track_caller]
    fn does(&self, what: &str, body: &Value) {
        let path = format!("/element/{}/{what}", self.id);
        self.browser.done(self.browser.driver.post(&path, body));
    }

    #[track_caller]
    fn says(&self, what: &str) -> Value {
        self.browser.done(self.browser.driver.get(&format!("/element/{}/{what}", self.id)))
    }

    #[track_caller]
    pub fn text(&self) -> String {
        self.says("text").as_str().unwrap_or_default().to_owned()
    }

    /// The accessible name, as the browser computes it.
    #[track_caller]
    pub fn name(&self) -> String {
        self.says("computedlabel").as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn property(&self, name: &str) -> Value {
        self.says(&format!("property/{name}"))
    }

    #[track_caller]
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.says(&format!("attribute/{name}")).as_str().map(str::to_owned)
    }

    #[track_caller]
    pub fn value(&self) -> String {
        self.property("value").as_str().unwrap_or_default().to_owned()
    }

    /// As an argument of a script.
    pub fn argument(&self) -> Value {
        json!({ELEMENT_KEY: self.id})
    }
}
