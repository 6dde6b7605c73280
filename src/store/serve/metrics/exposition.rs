//! The text format of Prometheus, version 0.0.4. It counts nothing.

use std::fmt::Write;

/// A text that grows family by family.
pub struct Exposition {
    out: String,
    family: &'static str,
}

type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    pub fn new() -> Self {
        Self { out: String::with_capacity(8 * 1024), family: "" }
    }

    pub fn counter(&mut self, family: &'static str, help: &str) {
        self.begin(family, "counter", help);
    }

    pub fn gauge(&mut self, family: &'static str, help: &str) {
        self.begin(family, "gauge", help);
    }

    pub fn histogram(&mut self, family: &'static str, help: &str) {
        self.begin(family, "histogram", help);
    }

    pub fn sample(&mut self, labels: Labels<'_>, value: u64) {
        self.named("", labels, None);
        self.write(format_args!(" {value}\n"));
    }

    /// A histogram: `counts` has one more than `bounds`, which are microseconds, as is the sum.
    pub fn buckets(&mut self, labels: Labels<'_>, bounds: &[u64], counts: &[u64], sum: u64) {
        let mut total = 0;
        let bounds = bounds.iter().map(|bound| seconds(*bound)).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(counts) {
            total += count;
            self.named("_bucket", labels, Some(&bound));
            self.write(format_args!(" {total}\n"));
        }
        self.named("_sum", labels, None);
        self.write(format_args!(" {}\n", seconds(sum)));
        self.named("_count", labels, None);
        self.write(format_args!(" {total}\n"));
    }

    pub fn text(self) -> String {
        self.out
    }

    fn begin(&mut self, family: &'static str, kind: &str, help: &str) {
        self.family = family;
        self.write(format_args!("# HELP {family} {help}\n# TYPE {family} {kind}\n"));
    }

    /// Labels are constants of this program and hold nothing that would need escaping.
    fn named(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<&str>) {
        let family = self.family;
        self.write(format_args!("{family}{suffix}"));
        let labels = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let mut open = '{';
        for (name, value) in labels {
            self.write(format_args!("{open}{name}=\"{value}\""));
            open = ',';
        }
        if open == ',' {
            self.out.push('}');
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("a string takes every write");
    }
}

/// Microseconds as seconds, exactly and as short as can be.
fn seconds(microseconds: u64) -> String {
    let (whole, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:06}").trim_end_matches('0').to_owned()
}
