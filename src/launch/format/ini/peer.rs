//! Who reads INI files: Python's own configparser, in one process for all the documents of a test.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// As from a file, whose line ends are made `\n`, and as from a string, whose are not.
const SCRIPT: &str = r#"
import configparser, io, json, sys

def read(lines):
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_file(lines)
    except configparser.Error as error:
        return type(error).__name__
    sections = {name: parser._sections[name] for name in parser.sections()}
    named = [("DEFAULT", parser.defaults()), *sections.items()]
    return [[name, list(options.items())] for name, options in named]

for document in map(json.loads, sys.stdin):
    data = document.encode("utf-8")
    file = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig")
    string = io.StringIO(data.decode("utf-8-sig"))
    print(json.dumps([read(file), read(string)]), flush=True)
"#;

/// Sections with their options, the defaults first.
pub type Sections = Vec<(String, Vec<(String, String)>)>;

pub struct Configparser {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Configparser {
    pub fn start() -> Self {
        let mut command = Command::new("python3");
        command.args(["-I", "-X", "utf8", "-c", SCRIPT]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().expect("`python3` starts; install Debian's python3");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, stdin, stdout }
    }

    /// What it finds, or the name of its error. Both ways to read must find the same.
    pub fn read(&mut self, document: &str) -> Result<Sections, String> {
        let stdin = self.stdin.as_mut().expect("it is there until the end");
        writeln!(stdin, "{}", json!(document)).expect("python3 takes a line");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("python3 answers");
        let [file, string]: [Value; 2] = serde_json::from_str(&line).expect("two readings");
        assert_eq!(file, string, "{document:?}");
        match file {
            Value::String(error) => Err(error),
            sections => Ok(serde_json::from_value(sections).expect("sections")),
        }
    }
}

impl Drop for Configparser {
    fn drop(&mut self) {
        self.stdin = None;
        self.child.wait().expect("python3 ends with its input");
    }
}
