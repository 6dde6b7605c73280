//! Who reads env files: python-dotenv 1.2 as its source says, and the system's shell.

use std::process::Command;

/// By the rules of its `parser.py` and `variables.py`, without their regular expressions; `None` if
/// it would skip a line with a warning.
pub fn python_dotenv(text: &str) -> Option<Vec<(String, String)>> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut pairs: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start_matches(is_space);
        if rest.is_empty() {
            return Some(pairs);
        }
        let (key, value, behind) = binding(rest)?;
        rest = behind;
        if let Some(key) = key {
            let value = expanded(&value.unwrap_or_default(), &pairs);
            pairs.retain(|(other, _)| *other != key);
            pairs.push((key, value));
        }
    }
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(|c| is_space(c) && c != '\n')
}

type Binding<'t> = (Option<String>, Option<String>, &'t str);

fn binding(line: &str) -> Option<Binding<'_>> {
    let mut rest = line;
    if let Some(behind) = rest.strip_prefix("export")
        && skip_blanks(behind).len() < behind.len()
    {
        rest = skip_blanks(behind);
    }
    let mut key = None;
    if let Some(quoted) = rest.strip_prefix('\'') {
        let (name, behind) = quoted.split_once('\'').filter(|(name, _)| !name.is_empty())?;
        key = Some(name.to_owned());
        rest = behind;
    } else if !rest.starts_with('#') {
        let end = rest.find(|c| c == '=' || c == '#' || is_space(c)).unwrap_or(rest.len());
        key = Some(rest[..end].to_owned()).filter(|key| !key.is_empty());
        key.as_ref()?;
        rest = &rest[end..];
    }
    rest = skip_blanks(rest);
    let mut value = None;
    if let Some(behind) = rest.strip_prefix('=') {
        let unblanked = skip_blanks(behind);
        if unblanked.len() < behind.len() && unblanked.starts_with('#') {
            (value, rest) = (Some(String::new()), unblanked);
        } else {
            let (read, behind) = value_of(unblanked)?;
            (value, rest) = (Some(read), behind);
        }
    }
    if skip_blanks(rest).starts_with('#') {
        rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
    }
    rest = skip_blanks(rest);
    if rest.is_empty() {
        Some((key, value, rest))
    } else {
        Some((key, value, rest.strip_prefix('\n')?))
    }
}

fn value_of(text: &str) -> Option<(String, &str)> {
    match text.chars().next() {
        Some('\'') => quoted(&text[1..], '\'', "\\'"),
        Some('"') => quoted(&text[1..], '"', "\\'\"abfnrtv"),
        None | Some('\n') => Some((String::new(), text)),
        Some(_) => {
            let end = text.find('\n').unwrap_or(text.len());
            let mut value = &text[..end];
            let hashes = value.match_indices('#').map(|(i, _)| i);
            let comment = hashes.into_iter().find(|i| value[..*i].ends_with(is_space));
            value = &value[..comment.unwrap_or(end)];
            Some((value.trim_end_matches(is_space).to_owned(), &text[end..]))
        }
    }
}

/// The end is looked for by `((?:\\"|[^"])*)"`, in which a quote behind a backslash is a part of
/// the value, whatever stands before that; where there is no other, the last one of all ends it.
fn quoted<'t>(text: &'t str, quote: char, escapes: &str) -> Option<(String, &'t str)> {
    let mut quotes = text.match_indices(quote).map(|(i, _)| i);
    let end = quotes.clone().find(|i| !text[..*i].ends_with('\\')).or(quotes.next_back())?;
    let mut value = String::new();
    let mut chars = text[..end].chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                None => value.push('\\'),
                Some(c) => match c {
                    c if !escapes.contains(c) => value.extend(['\\', c]),
                    'a' => value.push('\x07'),
                    'b' => value.push('\x08'),
                    'f' => value.push('\x0c'),
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    'v' => value.push('\x0b'),
                    c => value.push(c),
                },
            },
            c => value.push(c),
        }
    }
    Some((value, &text[end + 1..]))
}

/// `${NAME}` and `${NAME:-DEFAULT}`, whatever quotes the value was in.
fn expanded(value: &str, pairs: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let inner = &rest[start + 2..];
        let end = inner.find([':', '}']).unwrap_or(inner.len());
        let default = inner[end..].strip_prefix(":-").and_then(|text| text.split_once('}'));
        let (default, behind) = match (inner[end..].strip_prefix('}'), default) {
            (Some(behind), _) => ("", behind),
            (None, Some(found)) => found,
            (None, None) => {
                out.push_str(&rest[..start + 2]);
                rest = inner;
                continue;
            }
        };
        out.push_str(&rest[..start]);
        let pair = pairs.iter().find(|(name, _)| *name == inner[..end]);
        out.push_str(pair.map_or(default, |(_, value)| value));
        rest = behind;
    }
    out + rest
}

/// What a shell has in these variables behind the document; `None` if it does not get there.
pub fn shell(document: &str, names: &[String]) -> Option<Vec<String>> {
    let print = names.iter().map(|name| format!(" \"${name}\"")).collect::<String>();
    let script = format!("{document}\nprintf '%s\\0'{print}\n");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]).env_clear().env("PATH", "/nonexistent");
    let stdout = String::from_utf8(command.output().expect("/bin/sh runs").stdout).expect("UTF-8");
    let values: Vec<String> = stdout.split_terminator('\0').map(str::to_owned).collect();
    (values.len() == names.len()).then_some(values)
}
