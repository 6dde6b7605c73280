//! Bodies of requests as the store takes them, beside what DESIGN's table says of each; and
//! answers as the client takes them.
//!
//! The input's first byte says what the rest is: a small letter a request, a capital an answer.

use inject::store::fuzzing::{Body, accepted};

use crate::answers;
use crate::json::{self, Json};

/// What may stand under a key.
#[derive(Clone, Copy, Debug)]
enum Leaf {
    Flag,
    Text,
    Workload,
    Org,
    Role,
    /// Anything without a sign that fits in 64 bits; or with one.
    Count,
    Number,
    /// What this reading knows too little of: a text that the store judges.
    Judged,
    Email,
    /// A list of names, none of them twice; a list of names and globs.
    Names,
    Grant,
    Versions,
    Checkpoint,
}

/// A key, what may stand under it, and whether it has to be there. Without, `null` is nothing only
/// where that is said.
type Key = (&'static str, Leaf, Need);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Need {
    Must,
    /// Left out or `null`.
    May,
    /// Left out.
    Default,
}
use Need::{Default, May, Must};

/// What is said of a body before the store is asked.
#[derive(Debug, Eq, PartialEq)]
enum Expected {
    Refused,
    /// As far as this reading goes it says this.
    Says(Json),
    /// The same, and the store may refuse it for what stands in a text.
    Perhaps(Json),
}

pub fn check(input: &[u8]) {
    let Some((which, rest)) = input.split_first() else { return };
    let body = match which {
        b'r' => Body::Resolve,
        b'w' => Body::Watch,
        b'p' => Body::Put,
        b'o' => Body::Org,
        b'm' => Body::Member,
        b'c' => Body::Change,
        b't' => Body::Token,
        b's' => Body::Session,
        b'v' => Body::Verify,
        _ => return answers::check(*which, rest),
    };
    request(body, rest);
}

fn request(body: Body, bytes: &[u8]) {
    let found = accepted(body, bytes);
    let fail = |why: &str| -> ! {
        let found =
            found.as_deref().map_or("(refused)".into(), |found| found.escape_ascii().to_string());
        panic!("{why}\n{body:?} {}\nfound {found}", bytes.escape_ascii());
    };
    let expected = json::read(bytes).map_or(Expected::Refused, |json| expect(body, &json));
    match (&expected, &found) {
        (Expected::Refused, Some(_)) => fail("it is accepted"),
        (Expected::Says(_), None) => fail("it is refused"),
        (Expected::Says(said) | Expected::Perhaps(said), Some(found)) => {
            let Some(found) = json::read(found) else { fail("what is written is no JSON") };
            if !agree(said, &found) {
                fail(&format!("expected {said:?}"));
            }
        }
        (Expected::Refused | Expected::Perhaps(_), None) => {}
    }
    if let Some(found) = &found
        && accepted(body, found).as_ref() != Some(found)
    {
        fail("what is written is read otherwise");
    }
}

fn keys(body: Body) -> &'static [Key] {
    match body {
        Body::Resolve => &[
            ("names", Leaf::Names, Must),
            ("workload", Leaf::Workload, May),
            ("values", Leaf::Flag, Default),
        ],
        Body::Watch => &[("versions", Leaf::Versions, Must), ("wait", Leaf::Count, Default)],
        Body::Put => &[
            ("value", Leaf::Text, May),
            ("value_base64", Leaf::Text, May),
            ("allow_empty", Leaf::Flag, Default),
        ],
        Body::Org => &[("name", Leaf::Org, Must), ("owner", Leaf::Email, May)],
        Body::Member => &[
            ("email", Leaf::Email, Must),
            ("role", Leaf::Role, Must),
            ("names", Leaf::Grant, Default),
        ],
        Body::Change => &[("role", Leaf::Role, May), ("names", Leaf::Grant, May)],
        Body::Token => &[
            ("workload", Leaf::Workload, May),
            ("member", Leaf::Email, May),
            ("names", Leaf::Grant, May),
            ("expires_at", Leaf::Judged, May),
            ("network", Leaf::Judged, May),
        ],
        Body::Session => &[("token", Leaf::Text, Must)],
        Body::Verify => &[("checkpoint", Leaf::Checkpoint, May)],
    }
}

const CHECKPOINT: [Key; 4] = [
    ("organization", Leaf::Org, Must),
    ("sequence", Leaf::Number, Must),
    ("at", Leaf::Judged, Must),
    ("code", Leaf::Text, Must),
];

fn expect(body: Body, json: &Json) -> Expected {
    let mut is_sure = true;
    let Some(mut said) = object(json, keys(body), &mut is_sure) else { return Expected::Refused };
    let is_there = |said: &[(String, Json)], key: &str| said.iter().any(|(name, _)| name == key);
    let fits = match body {
        Body::Put => value(&mut said),
        // All that is not said otherwise.
        Body::Token if is_there(&said, "workload") && !is_there(&said, "member") => {
            if !is_there(&said, "names") {
                said.push(("names".to_owned(), Json::List(vec![Json::Text("*".to_owned())])));
            }
            true
        }
        Body::Token => {
            is_there(&said, "member") && !is_there(&said, "workload") && !is_there(&said, "names")
        }
        _ => true,
    };
    match (fits, is_sure) {
        (false, _) => Expected::Refused,
        (true, true) => Expected::Says(Json::Object(said)),
        (true, false) => Expected::Perhaps(Json::Object(said)),
    }
}

/// Exactly one form of a value; as text where it is.
fn value(said: &mut Vec<(String, Json)>) -> bool {
    let coded = said.iter().position(|(key, _)| key == "value_base64");
    let plain = said.iter().any(|(key, _)| key == "value");
    let Some(coded) = coded else { return plain };
    let Some(bytes) = said[coded].1.text().and_then(crate::base64::read) else { return false };
    if let Ok(text) = String::from_utf8(bytes) {
        said[coded] = ("value".to_owned(), Json::Text(text));
    }
    !plain
}

/// What an object of these keys says: nothing twice, nothing else, and nothing that is `null`.
fn object(json: &Json, keys: &[Key], is_sure: &mut bool) -> Option<Vec<(String, Json)>> {
    let Json::Object(pairs) = json else { return None };
    let mut said: Vec<(String, Json)> = Vec::new();
    for (index, (name, value)) in pairs.iter().enumerate() {
        let (_, leaf, need) = keys.iter().find(|(key, ..)| key == name)?;
        if pairs[..index].iter().any(|(other, _)| other == name) {
            return None;
        }
        if *value == Json::Null && *need == May {
            continue;
        }
        said.push((name.clone(), leaf.read(value, is_sure)?));
    }
    let is_whole = |(key, _, need): &Key| *need != Must || said.iter().any(|(name, _)| name == key);
    keys.iter().all(is_whole).then_some(said)
}

impl Leaf {
    fn read(self, value: &Json, is_sure: &mut bool) -> Option<Json> {
        let text = |holds: fn(&str) -> bool| value.text().is_some_and(holds).then(|| value.clone());
        match (self, value) {
            (Self::Flag, Json::True | Json::False) => Some(value.clone()),
            (Self::Text, Json::Text(_)) => Some(value.clone()),
            (Self::Workload, _) => text(is_workload),
            (Self::Org, _) => text(is_org),
            (Self::Role, _) => text(|role| ["owner", "editor", "reader"].contains(&role)),
            (Self::Count, Json::Number(number)) => {
                let is_plain = number.bytes().all(|b| b.is_ascii_digit());
                (is_plain && number.parse::<u64>().is_ok()).then(|| value.clone())
            }
            (Self::Number, Json::Number(number)) => {
                let is_plain = number.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
                let fits = is_plain && number != "-0" && number.parse::<i64>().is_ok();
                fits.then(|| value.clone())
            }
            (Self::Email, Json::Text(text)) => {
                *is_sure = false;
                text.contains('@').then(|| Json::Text(text.to_lowercase()))
            }
            (Self::Judged, Json::Text(_)) => {
                *is_sure = false;
                Some(value.clone())
            }
            (Self::Names, Json::List(items)) => {
                let all: Option<Vec<&str>> =
                    items.iter().map(|item| item.text().filter(|text| is_secret(text))).collect();
                let mut all = all.filter(|all| (1..=4096).contains(&all.len()))?;
                all.sort_unstable();
                all.dedup();
                Some(Json::List(all.into_iter().map(|text| Json::Text(text.to_owned())).collect()))
            }
            (Self::Grant, Json::List(items)) => {
                let fits =
                    |item: &Json| item.text().is_some_and(|t| is_secret(&t.replace('*', "A")));
                (items.len() <= 256 && items.iter().all(fits)).then(|| value.clone())
            }
            (Self::Versions, Json::Object(pairs)) => versions(pairs),
            (Self::Checkpoint, _) => object(value, &CHECKPOINT, is_sure).map(Json::Object),
            _ => None,
        }
    }
}

/// Of a name that is there twice the last counts.
fn versions(pairs: &[(String, Json)]) -> Option<Json> {
    let mut all = std::collections::BTreeMap::new();
    for (name, version) in pairs {
        if !is_secret(name) {
            return None;
        }
        all.insert(name.clone(), Leaf::Count.read(version, &mut true)?);
    }
    Some(Json::Object(all.into_iter().collect()))
}

/// Whether all that was said is found, and nothing else but what stands for nothing.
fn agree(said: &Json, found: &Json) -> bool {
    let (Json::Object(said), Json::Object(found)) = (said, found) else { return said == found };
    let same = |name: &str, one: &Json, other: &Json| match name {
        // Written anew, in another form.
        "at" | "expires_at" | "network" => other.text().is_some(),
        _ => agree(one, other),
    };
    let stands = |(name, one): &(String, Json)| {
        let other = found.iter().find(|(key, _)| key == name).map(|(_, other)| other);
        other.map_or(is_nothing(name, one), |other| same(name, one, other))
    };
    let known = |(name, other): &(String, Json)| {
        said.iter().any(|(key, _)| key == name) || is_nothing(name, other)
    };
    said.iter().all(stands) && found.iter().all(known)
}

/// What is the same as if it were left out.
fn is_nothing(name: &str, value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::True => name == "values",
        Json::False => name == "allow_empty",
        Json::List(items) => name == "names" && items.is_empty(),
        Json::Number(number) => name == "wait" && number == "30",
        Json::Text(_) | Json::Object(_) => false,
    }
}

fn is_secret(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(rest)
}

fn is_org(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(rest)
}

fn is_workload(text: &str) -> bool {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let rest = |c: char| first(c) || "._-".contains(c);
    text.len() <= 63 && text.starts_with(first) && text.chars().all(rest)
}
