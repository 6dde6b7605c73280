//! Who reads TOML: Python's `tomllib`, which shares nothing with what is tested, and `toml`. Both
//! give the same words: a table is an object, and each scalar a string that begins with its type.

use std::fs::File;
use std::io::Write;
use std::process::Command;

use serde_json::Value;

/// What `tomllib` makes of each of the documents; `None` where it refuses one. One process for all.
pub fn tomllib<'d>(documents: impl IntoIterator<Item = &'d str>) -> Vec<Option<Value>> {
    let mut input = tempfile::tempfile().expect("a file for the documents");
    for document in documents {
        let line = serde_json::to_string(document).expect("a string is JSON");
        writeln!(input, "{line}").expect("the documents are written");
    }
    let output = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(rewound(input))
        .output()
        .expect("`python3` is needed: apt-get install python3");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python3 3.11 or later is needed, for `tomllib`: {complaint}");
    let lines = output.stdout.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("a line of JSON")).collect()
}

const SCRIPT: &str = "
import json, struct, sys, tomllib

def told(value):
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    if isinstance(value, list):
        return [told(item) for item in value]
    if isinstance(value, str):
        return 's:' + value
    if isinstance(value, bool):
        return 'b:' + str(value).lower()
    if isinstance(value, int):
        return 'i:' + str(value)
    if isinstance(value, float):
        return 'f:nan' if value != value else 'f:' + struct.pack('>d', value).hex()
    return 't:' + value.isoformat()

for line in sys.stdin:
    try:
        print(json.dumps(told(tomllib.loads(json.loads(line)))))
    except tomllib.TOMLDecodeError:
        print('null')
";

fn rewound(mut file: File) -> File {
    std::io::Seek::rewind(&mut file).expect("it is a file");
    file
}

/// What `toml` makes of it.
pub fn toml(document: &str) -> Option<Value> {
    let table: toml::Table = document.parse().ok()?;
    Some(told(&toml::Value::Table(table)))
}

fn told(value: &toml::Value) -> Value {
    Value::String(match value {
        toml::Value::Table(table) => {
            return table.iter().map(|(key, item)| (key.clone(), told(item))).collect();
        }
        toml::Value::Array(items) => return items.iter().map(told).collect(),
        toml::Value::String(text) => format!("s:{text}"),
        toml::Value::Boolean(value) => format!("b:{value}"),
        toml::Value::Integer(value) => format!("i:{value}"),
        toml::Value::Float(value) if value.is_nan() => "f:nan".to_owned(),
        toml::Value::Float(value) => format!("f:{:016x}", value.to_bits()),
        toml::Value::Datetime(value) => format!("t:{value}"),
    })
}

/// What a document that was rendered with marks has to be with the values: each text with what its
/// marks stand for, and each of these integers as what it stands for. `None` where two keys of one
/// table become the same.
pub fn replaced(
    marked: &Value,
    texts: &[(String, String)],
    integers: &[(String, Value)],
) -> Option<Value> {
    let text_of = |text: &str| {
        texts.iter().fold(text.to_owned(), |text, (mark, value)| text.replace(mark, value))
    };
    Some(match marked {
        Value::Object(members) => {
            let mut changed = serde_json::Map::new();
            for (key, item) in members {
                let item = replaced(item, texts, integers)?;
                if changed.insert(text_of(key), item).is_some() {
                    return None;
                }
            }
            Value::Object(changed)
        }
        Value::Array(items) => {
            items.iter().map(|item| replaced(item, texts, integers)).collect::<Option<_>>()?
        }
        Value::String(text) if text.starts_with("s:") => Value::String(text_of(text)),
        scalar => {
            let stands = integers.iter().find(|(mark, _)| scalar == mark.as_str());
            stands.map_or_else(|| scalar.clone(), |(_, value)| value.clone())
        }
    })
}
