//! Who reads XML: `roxmltree` in this process, and expat, as Python's standard library has it.
//! What they find is told in the same words, so that two documents can be compared.

use std::io::Write;
use std::process::{Command, Stdio};

use roxmltree::{Document, NodeType, ParsingOptions};
use serde_json::{Value, json};

/// `None` if it is none to it. The names of elements are without their prefixes.
pub fn roxmltree(text: &str) -> Option<Vec<Value>> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).ok()?;
    let items = document.descendants().filter_map(|node| match node.node_type() {
        NodeType::Root => None,
        NodeType::Element => {
            let attributes = node.attributes().flat_map(|one| [one.name(), one.value()]);
            let depth = node.ancestors().count();
            Some(json!(["+", node.tag_name().name(), attributes.collect::<Vec<_>>(), depth]))
        }
        NodeType::PI => {
            let instruction = node.pi()?;
            Some(json!(["?", instruction.target, instruction.value]))
        }
        NodeType::Comment => Some(json!(["!", node.text()])),
        NodeType::Text => Some(json!(["t", node.text()])),
    });
    Some(joined(items))
}

/// Many at once, for it is a process.
pub fn expat(texts: &[String]) -> Vec<Option<Vec<Value>>> {
    let mut child = Command::new("python3")
        .args(["-c", EXPAT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs: it is Debian's package of that name");
    let lines: Vec<_> = texts.iter().map(|text| json!(text).to_string()).collect();
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(lines.join("\n").as_bytes()).expect("it reads all before it writes");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let found = String::from_utf8(output.stdout).expect("JSON");
    let found = found.lines().map(|line| serde_json::from_str(line).expect("a line a document"));
    let found: Vec<_> = found.map(|items: Option<Vec<Value>>| items.map(joined)).collect();
    assert_eq!(found.len(), texts.len(), "it answers to each");
    found
}

const EXPAT: &str = r#"
import json, sys
from xml.parsers import expat

def read(text):
    items = []
    parser = expat.ParserCreate()
    parser.ordered_attributes = True
    parser.StartElementHandler = lambda *found: items.append(["+", *found])
    parser.EndElementHandler = lambda name: items.append(["-"])
    parser.CharacterDataHandler = lambda text: items.append(["t", text])
    parser.CommentHandler = lambda text: items.append(["!", text])
    parser.ProcessingInstructionHandler = lambda *found: items.append(["?", *found])
    parser.StartCdataSectionHandler = lambda: items.append(["["])
    parser.EndCdataSectionHandler = lambda: items.append(["]"])
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError:
        return None
    return items

for line in sys.stdin.buffer.read().split(b"\n"):
    print(json.dumps(read(json.loads(line))))
"#;

/// Text in one piece, where there is some.
pub fn joined(items: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for item in items {
        let Some(text) = text_of(&item) else {
            out.push(item);
            continue;
        };
        match out.last().and_then(text_of) {
            Some(before) => {
                let both = format!("{before}{text}");
                out.pop();
                out.push(json!(["t", both]));
            }
            None if text.is_empty() => {}
            None => out.push(item),
        }
    }
    out
}

fn text_of(item: &Value) -> Option<&str> {
    if item[0] == "t" { item[1].as_str() } else { None }
}
