//! What a launched program was given, and texts without what differs from run to run.

/// What a launched program got.
pub struct Seen {
    pub entries: Vec<Vec<u8>>,
}

impl Seen {
    /// The value of a variable, as getenv(3) finds it.
    pub fn var(&self, name: &str) -> Option<&[u8]> {
        let start = format!("{name}=").into_bytes();
        self.entries.iter().find_map(|entry| entry.strip_prefix(start.as_slice()))
    }

    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        let value = self.var(name).unwrap_or_else(|| panic!("no variable `{name}`"));
        str::from_utf8(value).expect("a text value")
    }
}

/// Replaces what differs from run to run: ports and times.
pub fn stable(text: &str) -> String {
    without_times(&without_ports(text))
}

fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        // A port that was picked by the kernel has five digits; 7410 is a word of ours.
        let port =
            if part.len() - rest.len() == 5 { "[PORT]" } else { &part[..part.len() - rest.len()] };
        out.push_str("127.0.0.1:");
        out.push_str(port);
        out.push_str(rest);
    }
    out
}

/// Replaces times: `2026-01-02T03:04:05…Z` and `2026-01-02 03:04`, as long as they are.
fn without_times(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("20") {
        let digits = |b: &[u8]| b.iter().all(u8::is_ascii_digit);
        let tail = &rest.as_bytes()[at..];
        let is_date = tail.len() >= 16
            && digits(&tail[..4])
            && (tail[4], tail[7]) == (b'-', b'-')
            && matches!(tail[10], b'T' | b' ')
            && tail[13] == b':';
        let time = |b: u8| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-' | b'+' | b'Z');
        let more = |tail: &[u8]| 11 + tail[11..].iter().take_while(|b| time(**b)).count();
        let taken = if is_date { more(tail) } else { 2 };
        out.push_str(&rest[..at]);
        out.push_str(if is_date { "[TIME]" } else { "20" });
        rest = &rest[at + taken..];
    }
    out + rest
}
