//! How fast a text's references are found and replaced: 100 MB with one every 200 bytes, through the
//! launcher's own path, beside a plain copy and the programs that people use instead.
//!
//!     substitute [ROUNDS]

mod table;

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Instant;

use inject::launch::reference::Grammar;
use inject::launch::render::{Values, substitute};
use inject::launch::wanted::{Source, SourceFile, Wanted};
use inject::secret::Secret;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const TEXT_BYTES: usize = 100_000_000;
const PERIOD_BYTES: usize = 200;
const ROUNDS: usize = 7;
const REFERENCE: &str = "${DB_PASSWORD_PROD}";
const VALUE: &str = "ahgh8Iquoo9ohth2Aif1";
/// Megabytes a second.
const SPEED_MIN: f64 = 1000.0;

fn main() -> Outcome {
    let rounds = env::args().skip(1).find(|arg| arg != "--bench");
    let rounds = rounds.map_or(Ok(ROUNDS), |text| text.parse())?;
    let line = format!("{REFERENCE}{}\n", "x".repeat(PERIOD_BYTES - REFERENCE.len() - 1));
    let text: Rc<Vec<u8>> = line.repeat(TEXT_BYTES / PERIOD_BYTES).into_bytes().into();
    let expected = String::from_utf8_lossy(&text).replace(REFERENCE, VALUE);
    if replace(&text)? != expected.as_bytes() {
        return Err("the substitution is wrong".into());
    }
    drop(expected);
    let copy = speed(rounds, || {
        black_box(text.to_vec());
        Ok(())
    })?;
    let ours = speed(rounds, || {
        black_box(replace(&text)?);
        Ok(())
    })?;
    row("plain copy", copy, copy, None)?;
    row("inject, scan and substitute", ours, copy, Some(('≥', SPEED_MIN)))?;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("substitute.txt");
    fs::write(&path, text.as_slice())?;
    let script = format!("s/{}/{VALUE}/g", REFERENCE.replace('$', "\\$"));
    let others: [(&str, &[&str]); 2] = [("envsubst", &[]), ("sed", &[&script])];
    for (program, args) in others {
        match find(program) {
            Some(found) => {
                row(program, speed(rounds, || filter(&found, args, &path))?, copy, None)?
            }
            None => table::row([program, "not on PATH", "", ""], (0.0, ""), None)?,
        }
    }
    fs::remove_file(path)?;
    Ok(())
}

/// What a launch does with a text, from reading the grammar to the new text.
fn replace(text: &Rc<Vec<u8>>) -> Outcome<Vec<u8>> {
    let mut wanted = Wanted::default();
    let source = || Source::File(SourceFile::new(&Rc::default(), text, Vec::new()));
    let (edits, faults) = wanted.scan(text, &Grammar::default(), |_| true, source);
    if !faults.is_empty() {
        return Err("the text has malformed references".into());
    }
    let values = wanted.names().map(|name| (name.clone(), Secret::new(VALUE.into()))).collect();
    let mut out = Vec::new();
    substitute(text, &edits, &Values::new(values), &mut out);
    Ok(out)
}

/// A program between two files, its start included; the output is thrown away.
fn filter(program: &Path, args: &[&str], input: &Path) -> Outcome {
    let mut command = Command::new(program);
    command.args(args).env("DB_PASSWORD_PROD", VALUE);
    let status = command.stdin(File::open(input)?).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{} failed", program.display()).into()) }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.exists())
}

/// Megabytes of input a second: the median, and what nine of ten rounds reach.
fn speed(rounds: usize, mut work: impl FnMut() -> Outcome) -> Outcome<(f64, f64)> {
    let mut all = Vec::with_capacity(rounds);
    for _ in 0..rounds.max(1) {
        let start = Instant::now();
        work()?;
        all.push(TEXT_BYTES as f64 / 1e6 / start.elapsed().as_secs_f64());
    }
    all.sort_by(f64::total_cmp);
    Ok((all[all.len() / 2], all[all.len() / 10]))
}

fn row(what: &str, (median, p90): (f64, f64), copy: (f64, f64), target: table::Target) -> Outcome {
    let what = format!("substitution: {what}");
    let [shown, p90] = [median, p90].map(|speed| format!("{speed:.0} MB/s"));
    let ratio = format!("{:.2}", median / copy.0);
    Ok(table::row([&what, &shown, &p90, &ratio], (median, " MB/s"), target)?)
}
