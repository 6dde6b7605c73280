//! axe-core's judgement of what the page shows: WCAG 2.2 AA and its best practices.

use std::fs;

use serde_json::json;

use super::Browser;

const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/axe/package/axe.min.js");

impl Browser {
    /// Fails if axe-core has anything to say against the page as it is now.
    #[track_caller]
    pub fn is_accessible(&self, what: &str) {
        let axe = fs::read_to_string(AXE)
            .unwrap_or_else(|error| panic!("{AXE}: {error}: `tests/run` fetches axe-core"));
        self.script(&format!("if (!window.axe) {{ {axe} }}"), json!([]));
        let violations = self.promise(
            "axe.run(document, {
                resultTypes: ['violations'],
                rules: { 'target-size': { enabled: true } },
            }).then(({ violations, passes }) =>
                passes.length < 10 ? 'it did not look' : violations.map(({ id, help, nodes }) =>
                    [id, help, nodes.map((node) => node.html)]))",
            json!([]),
        );
        assert_eq!(violations, json!([]), "{what}");
    }
}
