//! Who reads INI files: Python's own configparser, in one process for all the documents of a test.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// As from a file, whose line ends are made `\n`, and as from a string, whose are not. A section
/// put before all others is how Python reads options before any section, which it can of itself
/// from 3.13 on (`allow_unnamed_section`).
const SCRIPT: &str = r#"
import configparser, io, itertools, json, sys

def read(parser, lines):
    try:
        parser.read_file(lines)
    except (configparser.Error, AttributeError) as error:
        # Before 3.13, it is the latter for a further line behind a name without a value.
        return type(error).__name__
    sections = {str(name): parser._sections[name] for name in parser.sections()}
    named = [("DEFAULT", parser.defaults()), *sections.items()]
    return [[name, list(options.items())] for name, options in named]

def strict(lines):
    return read(configparser.ConfigParser(interpolation=None), lines)

def lenient(lines):
    options = dict(interpolation=None, strict=False, allow_no_value=True)
    if sys.version_info >= (3, 13):
        options["allow_unnamed_section"] = True
    else:
        lines = itertools.chain(["[<UNNAMED_SECTION>]\n"], lines)
    return read(configparser.ConfigParser(**options), lines)

for document in map(json.loads, sys.stdin):
    data = document.encode("utf-8")
    file = lambda: io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig")
    string = lambda: io.StringIO(data.decode("utf-8-sig"))
    readings = [[of(file()), of(string())] for of in (strict, lenient)]
    print(json.dumps(readings), flush=True)
"#;

/// Sections with their options, the defaults first. An option may have no value.
pub type Sections = Vec<(String, Vec<(String, Option<String>)>)>;

/// What is found, or the name of the error.
pub type Reading = Result<Sections, String>;

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

    /// With its own options. Both ways to read must find the same.
    pub fn read(&mut self, document: &str) -> Reading {
        self.readings(document).0
    }

    /// With the options of the lines here: also what stands before any section, comes again, or
    /// has no value. The first section is what stands before all others.
    pub fn read_leniently(&mut self, document: &str) -> Reading {
        self.readings(document).1
    }

    pub fn readings(&mut self, document: &str) -> (Reading, Reading) {
        let stdin = self.stdin.as_mut().expect("it is there until the end");
        writeln!(stdin, "{}", json!(document)).expect("python3 takes a line");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("python3 answers");
        let readings: [[Value; 2]; 2] = serde_json::from_str(&line).expect("four readings");
        let [strict, lenient] = readings.map(|[file, string]| {
            assert_eq!(file, string, "{document:?}");
            match file {
                Value::String(error) => Err(error),
                sections => Ok(serde_json::from_value(sections).expect("sections")),
            }
        });
        (strict, lenient)
    }
}

impl Drop for Configparser {
    fn drop(&mut self) {
        self.stdin = None;
        self.child.wait().expect("python3 ends with its input");
    }
}
