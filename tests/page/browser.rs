//! What a person does in a browser and sees there. Each look waits until there is what is looked
//! for; a failure shows the page as it was.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use super::driver::{Driver, Refused};
use super::network::Exchange;

/// How long the page may take to show what it should, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Browsers that run at once.
const SEATS: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// Room for the browsers of one test, which is given back when it is dropped.
pub struct Seat;

pub struct Browser {
    pub(super) driver: Driver,
    /// `http://127.0.0.1:…`
    origin: String,
    pub(super) exchanges: std::cell::RefCell<Vec<Exchange>>,
}

impl Seat {
    pub fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = FREED.wait_while(taken, |taken| *taken >= SEATS);
        *waited.unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}

impl Browser {
    pub fn start(origin: &str) -> Self {
        let driver = Driver::start(origin.starts_with("https:"));
        let browser = Self { driver, origin: origin.to_owned(), exchanges: Vec::new().into() };
        let watch = json!({"source": include_str!("watch.js")});
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", &watch);
        // What the browser's own first page did is not ours.
        browser.log("performance");
        browser
    }

    /// Goes to an address of the store.
    #[track_caller]
    pub fn open(&self, path: &str) {
        self.record();
        let url = format!("{}{path}", self.origin);
        self.done(self.driver.post("/url", &json!({"url": url})));
    }

    #[track_caller]
    pub fn reload(&self) {
        self.record();
        self.done(self.driver.post("/refresh", &json!({})));
    }

    /// The same where the page asks whether what was typed may go.
    #[track_caller]
    pub fn reload_anyway(&self) {
        self.devtools("Page.reload", &json!({}));
        let asks = || self.driver.get("/alert/text").is_ok();
        if asks() {
            self.done(self.driver.post("/alert/accept", &json!({})));
        }
    }

    #[track_caller]
    pub fn back(&self) {
        self.done(self.driver.post("/back", &json!({})));
    }

    /// Path and query of the address.
    #[track_caller]
    pub fn address(&self) -> String {
        let url = self.done(self.driver.get("/url"));
        let url = url.as_str().expect("an address is text");
        url.strip_prefix(&self.origin).unwrap_or(url).to_owned()
    }

    /// Waits until the address is this one.
    #[track_caller]
    pub fn is_at(&self, path: &str) {
        self.wait(&format!("the address `{path}`"), || (self.address() == path).then_some(()));
    }

    /// Signs in where the page asks for it.
    #[track_caller]
    pub fn sign_in(&self, path: &str, token: &str) {
        self.open(path);
        self.field("Token").types(token);
        self.button("Sign in").click();
        self.button("Sign out");
    }

    /// Chooses one of a field's options by its value.
    #[track_caller]
    pub fn choose(&self, field: &str, option: &str) {
        let field = self.field(field);
        let options = "return [...arguments[0].options].find((one) =>
            one.value === arguments[1]).textContent";
        let label = self.script(options, json!([field.argument(), option]));
        field.types(label.as_str().expect("an option has a text"));
        assert_eq!(field.value(), option);
    }

    /// Presses keys one after the other, wherever the focus is: characters, or names such as `Tab`.
    #[track_caller]
    pub fn press(&self, keys: &[&str]) {
        let codes = keys.iter().map(|key| code(key));
        let actions: Vec<Value> = codes
            .flat_map(|code| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": code})))
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.done(self.driver.post("/actions", &json!({"actions": [keyboard]})));
    }

    /// What a field has once the clipboard is pasted into it; it is empty again then.
    #[track_caller]
    pub fn pasted(&self, field: &str) -> String {
        let field = self.field(field);
        field.click();
        let held = |kind: &str, key: &str| json!({"type": kind, "value": code(key)});
        let actions = [
            held("keyDown", "Control"),
            held("keyDown", "v"),
            held("keyUp", "v"),
            held("keyUp", "Control"),
        ];
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.done(self.driver.post("/actions", &json!({"actions": [keyboard]})));
        let value = field.value();
        field.clear();
        value
    }

    /// Types a text wherever the focus is.
    #[track_caller]
    pub fn types(&self, text: &str) {
        let characters: Vec<String> = text.chars().map(String::from).collect();
        self.press(&characters.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[track_caller]
    pub fn script(&self, script: &str, arguments: Value) -> Value {
        self.done(self.try_script(script, arguments))
    }

    pub(super) fn try_script(&self, script: &str, arguments: Value) -> Result<Value, Refused> {
        self.driver.post("/execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// The value of a promise.
    #[track_caller]
    pub fn promise(&self, expression: &str, arguments: Value) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             Promise.resolve({expression}).then(done, (error) => done('failed: ' + error));"
        );
        let asked = json!({"script": script, "args": arguments});
        self.done(self.driver.post("/execute/async", &asked))
    }

    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.done(self.driver.devtools(command, parameters))
    }

    pub(super) fn try_devtools(&self, command: &str, parameters: &Value) -> Option<Value> {
        self.driver.devtools(command, parameters).ok()
    }

    /// What was logged since the last look; `browser` or `performance`.
    #[track_caller]
    pub fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.done(self.driver.post("/se/log", &json!({"type": kind})));
        log.as_array().cloned().unwrap_or_default()
    }

    #[track_caller]
    pub fn cookies(&self) -> Vec<Value> {
        let cookies = self.done(self.driver.get("/cookie"));
        cookies.as_array().cloned().unwrap_or_default()
    }

    /// A window of this size, in points of CSS.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// What the person prefers: `light` or `dark`, and whether less should move.
    #[track_caller]
    pub fn prefers(&self, scheme: &str, is_still: bool) {
        let motion = if is_still { "reduce" } else { "no-preference" };
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// Writes what the window shows to a file, as PNG.
    #[track_caller]
    pub fn picture(&self, file: &Path) {
        let shot = self.done(self.driver.get("/screenshot"));
        let shot = shot.as_str().expect("a picture is text");
        let bytes = base64::engine::general_purpose::STANDARD.decode(shot).expect("base64");
        std::fs::write(file, bytes).expect("the folder is writable");
    }

    /// Asks until there is an answer. The page tells nobody when it is drawn.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(start.elapsed() < PATIENCE, "not seen: {what}\n{}", self.whole());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    #[track_caller]
    pub(super) fn done(&self, answer: Result<Value, Refused>) -> Value {
        answer.unwrap_or_else(|refused| panic!("{refused}\n{}", self.whole()))
    }

    /// Everything, for a message.
    pub(super) fn whole(&self) -> String {
        let text = |answer: Result<Value, Refused>| {
            answer.map_or_else(
                |refused| refused.to_string(),
                |value| value.as_str().map_or(value.to_string(), str::to_owned),
            )
        };
        let address = text(self.driver.get("/url"));
        let shown = text(self.try_script("return document.body.innerText", json!([])));
        let log = text(self.driver.post("/se/log", &json!({"type": "browser"})));
        format!("address: {address}\n--- shown\n{shown}\n--- log\n{log}\n---")
    }
}

/// A key's code (W3C WebDriver, section 17.4.2); a character is its own.
pub fn code(key: &str) -> &str {
    match key {
        "Null" => "\u{e000}",
        "Tab" => "\u{e004}",
        "Enter" => "\u{e007}",
        "Escape" => "\u{e00c}",
        "Space" => " ",
        "Control" => "\u{e009}",
        "Shift" => "\u{e008}",
        "Backspace" => "\u{e003}",
        "ArrowDown" => "\u{e015}",
        "ArrowUp" => "\u{e013}",
        "End" => "\u{e010}",
        other => other,
    }
}
