//! What went over the wire, as the browser's own log of it says: heads, cookies and bodies both
//! ways.

use base64::Engine;
use serde_json::{Value, json};

use super::Browser;

/// One request and its answer.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    id: String,
    pub method: String,
    pub url: String,
    /// Headers and body, as far as the browser tells them.
    pub asked: String,
    pub answered: String,
    pub status: u64,
    body_is_due: bool,
}

impl Browser {
    /// Takes over what happened since the last time. Bodies go with the page that asked for them,
    /// so this is done before another is opened.
    pub fn record(&self) {
        let mut exchanges = self.exchanges.borrow_mut();
        for entry in self.log("performance") {
            let text = entry["message"].as_str().expect("an entry has a message");
            let event: Value = serde_json::from_str(text).expect("which is JSON");
            let (method, told) = (event["message"]["method"].as_str(), &event["message"]["params"]);
            let Some(id) = told["requestId"].as_str() else { continue };
            let known = exchanges.iter().rposition(|one| one.id == id);
            let index = known.unwrap_or_else(|| {
                exchanges.push(Exchange { id: id.to_owned(), ..Exchange::default() });
                exchanges.len() - 1
            });
            let is_finished = exchanges[index].hears(method.unwrap_or_default(), told);
            if is_finished {
                self.read_bodies(&mut exchanges[index]);
            }
        }
    }

    fn read_bodies(&self, exchange: &mut Exchange) {
        let id = json!({"requestId": exchange.id});
        if let Some(body) = self.try_devtools("Network.getResponseBody", &id) {
            let text = body["body"].as_str().unwrap_or_default();
            exchange.answered.push_str(&match body["base64Encoded"].as_bool() {
                Some(true) => {
                    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
                    String::from_utf8_lossy(&bytes.expect("base64")).into_owned()
                }
                _ => text.to_owned(),
            });
            exchange.body_is_due = false;
        }
        if let Some(body) = self.try_devtools("Network.getRequestPostData", &id) {
            exchange.asked.push_str(body["postData"].as_str().unwrap_or_default());
        }
    }

    /// Everything so far. It fails where the browser kept a body back.
    #[track_caller]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.record();
        let exchanges = self.exchanges.borrow().clone();
        for one in &exchanges {
            assert!(!one.body_is_due, "the body of {} {} is not known", one.method, one.url);
        }
        exchanges
    }
}

impl Exchange {
    /// Notes an event; whether it was the last.
    fn hears(&mut self, method: &str, told: &Value) -> bool {
        match method {
            "Network.requestWillBeSent" => {
                let request = &told["request"];
                let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
                (self.method, self.url) = (text("method"), text("url"));
                self.asked.push_str(&format!("{request}\n"));
            }
            "Network.requestWillBeSentExtraInfo" => {
                self.asked.push_str(&format!("{}\n", told["headers"]));
            }
            "Network.responseReceived" => {
                self.status = told["response"]["status"].as_u64().unwrap_or_default();
                self.answered.push_str(&format!("{}\n", told["response"]["headers"]));
                self.body_is_due = self.status != 204 && self.url.starts_with("http");
            }
            "Network.responseReceivedExtraInfo" => {
                self.answered.push_str(&format!("{}\n", told["headers"]));
            }
            "Network.loadingFinished" => return true,
            "Network.loadingFailed" => self.body_is_due = false,
            _ => {}
        }
        false
    }
}
