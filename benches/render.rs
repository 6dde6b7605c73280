//! How fast config files are rendered: 10 MB in each format with a reference every 200 bytes, from
//! the file's bytes to the new text through the launcher's own stages, beside the bare parser of
//! the format, and as whole processes beside a plain copy and `envsubst`.
//!
//!     render [ROUNDS]

mod document;
mod measured;
mod parse;
mod table;

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Instant;

use inject::launch::document::{Document, Target};
use inject::launch::format::Format;
use inject::launch::plan::{Plan, plan};
use inject::launch::reference::Grammar;
use inject::launch::render::{Values, render};
use inject::secret::Secret;

use document::{SECRETS, document};
use measured::inject;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const DOCUMENT_BYTES: usize = 10_000_000;
const ROUNDS: usize = 9;
/// In megabytes a second; the ending of a file's name stands for its format.
const SPEEDS_MIN: [(&str, f64); 8] = [
    ("txt", 1000.0),
    ("json", 200.0),
    ("yaml", 20.0),
    ("toml", 20.0),
    ("env", 20.0),
    ("ini", 20.0),
    ("properties", 20.0),
    ("xml", 20.0),
];

fn main() -> Outcome {
    let rounds = env::args().skip(1).find(|arg| arg != "--bench");
    let rounds = Rounds(rounds.map_or(Ok(ROUNDS), |text| text.parse())?);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("render");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for (ending, least) in SPEEDS_MIN {
        let text: Rc<Vec<u8>> = document(ending, DOCUMENT_BYTES).into_bytes().into();
        verify(ending, &text)?;
        let ours = rounds
            .speed(text.len(), || render_once(ending, &text).map(|out| drop(black_box(out))))?;
        let parser = match parse::parser(ending) {
            Some(parse) => Some(rounds.speed(text.len(), || parse(&text))?),
            None => None,
        };
        row(&format!("render {ending}, in memory"), ours, parser, Some(('≥', least)))?;
        if let Some(parser) = parser {
            row(&format!("its parser alone, {ending}"), parser, None, None)?;
        }
    }
    whole_processes(&folder, &rounds)
}

/// `inject render` with its start, the embedded store and the output, beside others.
fn whole_processes(folder: &Path, rounds: &Rounds) -> Outcome {
    let data = folder.join("data");
    for (name, value) in SECRETS {
        set_secret(&data, name, value)?;
    }
    let path = folder.join("config.txt");
    let text = document("txt", DOCUMENT_BYTES);
    fs::write(&path, &text)?;
    let copy = rounds.speed(text.len(), || run(&mut Command::new("cat"), &path))?;
    row("`cat`, a plain copy of 10 MB", copy, None, None)?;
    let ours = rounds.speed(text.len(), || {
        let mut command = Command::new(inject());
        run(command.args(["render", "-", "--format", "text"]).env("INJECT_DATA", &data), &path)
    })?;
    row("`inject render` of 10 MB of text", ours, Some(copy), None)?;
    match find("envsubst") {
        Some(found) => {
            let envsubst = rounds.speed(text.len(), || {
                run(Command::new(&found).envs(SECRETS.iter().copied()), &path)
            })?;
            row("`envsubst` of the same", envsubst, Some(copy), None)
        }
        None => Ok(table::row(["envsubst", "not on PATH", "", ""], (0.0, ""), None)?),
    }
}

/// What a launch does with a config file, from its bytes to the new text.
fn render_once(ending: &str, text: &Rc<Vec<u8>>) -> Outcome<Secret> {
    let path = PathBuf::from("config").with_extension(ending);
    let document = Document {
        format: Format::of(&path, None),
        path: Rc::new(path),
        text: Rc::clone(text),
        literal: Vec::new(),
        target: Some(Target::Stdout),
    };
    let planned = plan(Vec::new(), vec![document], &Grammar::default(), &[]);
    let Plan { wanted, documents, problems, .. } = planned;
    if let Some(problem) = problems.first() {
        return Err(format!("{ending}: {problem}").into());
    }
    let value = |name: &str| SECRETS.iter().find(|(known, _)| *known == name);
    let values = wanted.names().map(|name| {
        let (_, value) = value(name.as_str()).expect("documents refer to these");
        (name.clone(), Secret::new(value.as_bytes().to_vec()))
    });
    let values = Values::new(values.collect());
    let rendered = render(Vec::new(), documents, values, 0);
    let mut rendered = rendered.map_err(|problems| format!("{ending}: {}", problems[0]))?;
    Ok(rendered.files.remove(0).contents)
}

/// The values here need no escape anywhere: then every format gives what a plain replacement does.
fn verify(ending: &str, text: &Rc<Vec<u8>>) -> Outcome {
    let mut expected = String::from_utf8(text.to_vec())?;
    for (name, value) in SECRETS {
        expected = expected.replace(&format!("${{{name}}}"), value);
    }
    let rendered = render_once(ending, text)?;
    if rendered.expose_secret() == expected.as_bytes() {
        return Ok(());
    }
    Err(format!("{ending}: what is rendered is not what a plain replacement gives").into())
}

fn set_secret(data: &Path, name: &str, value: &str) -> Outcome {
    use std::io::Write as _;
    let mut set = Command::new(inject());
    let set = set.args(["secret", "set", name]).env("INJECT_DATA", data).stdin(Stdio::piped());
    let mut set = set.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    set.stdin.take().expect("it is piped").write_all(value.as_bytes())?;
    if set.wait()?.success() { Ok(()) } else { Err("inject secret set failed".into()) }
}

/// A program from a file to nowhere, its start included.
fn run(command: &mut Command, input: &Path) -> Outcome {
    let status = command.stdin(File::open(input)?).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.exists())
}

/// How often each is done, after once that does not count.
struct Rounds(usize);

impl Rounds {
    /// Megabytes of input a second: the median, and what nine of ten rounds reach.
    fn speed(&self, bytes: usize, mut work: impl FnMut() -> Outcome) -> Outcome<(f64, f64)> {
        work()?;
        let mut all = Vec::new();
        for _ in 0..self.0.max(1) {
            let start = Instant::now();
            work()?;
            all.push(bytes as f64 / 1e6 / start.elapsed().as_secs_f64());
        }
        all.sort_by(f64::total_cmp);
        Ok((all[all.len() / 2], all[all.len() / 10]))
    }
}

fn row(
    what: &str,
    (median, p90): (f64, f64),
    beside: Option<(f64, f64)>,
    target: table::Target,
) -> Outcome {
    let [shown, p90] = [median, p90].map(|speed| format!("{speed:.0} MB/s"));
    let ratio = beside.map_or_else(String::new, |beside| format!("{:.2}", median / beside.0));
    Ok(table::row([what, &shown, &p90, &ratio], (median, " MB/s"), target)?)
}
