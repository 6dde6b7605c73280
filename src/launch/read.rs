//! The inherited environment, the additions and the files → variables and documents to plan with.

use std::collections::HashSet;
use std::ffi::CStr;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::byte;
use crate::launch::document::{Document, Target};
use crate::launch::env_file;
use crate::launch::format::Format;
use crate::launch::plan::{Content, Variable};
use crate::launch::problem::Problem;
use crate::launch::reference::{Grammar, Kind};
use crate::launch::wanted::file_place;
use crate::name::SecretName;
use crate::pattern::Pattern;
use crate::settings::{Additions, ScanEnv, Template};
use crate::sys::{self, expect_large};

/// The largest env file or document that is read, in bytes: a text is held in memory whole.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The same for what does not say how much it is, such as a pipe or a device, which may never end.
const STREAM_BYTES_MAX: u64 = 1 << 28;

/// Of our own settings, no variable reaches the application.
const OWN_PREFIX: &[u8] = b"INJECT_";

/// Prompts and exported functions of a shell hold dollars of their own.
const NOT_SCANNED: [&str; 6] = ["BASH_FUNC_*", "PS1", "PS2", "PS3", "PS4", "PROMPT_COMMAND"];

/// All that references are looked for in.
#[derive(Debug, Default)]
pub struct Read {
    /// The application's variables in their order: the inherited ones, then what was added.
    pub variables: Vec<Variable>,
    /// Config files: those that are rendered, and those of which the references are exported or
    /// checked.
    pub documents: Vec<Document>,
    /// What was found wrong on the way.
    pub problems: Vec<Problem>,
    /// Inherited variables that were not scanned, and would have held references.
    pub skipped: Vec<String>,
}

impl Read {
    /// Reads the environment and every file that was named.
    pub fn new(
        inherited: &[&'static CStr],
        scan_env: &ScanEnv,
        additions: &Additions,
        grammar: &Grammar,
    ) -> Self {
        let mut read = Self::default();
        let lines = read.env_files(&additions.env_files);
        let exported = read.exports_of_files(additions, grammar);
        let mut added: Vec<Variable> = lines;
        for secret in exported {
            let name = secret.as_str().as_bytes().to_vec();
            added.push(Variable { name, content: Content::Export(secret) });
        }
        for (name, value) in &additions.env {
            let content = Content::Given(value.clone());
            added.push(Variable { name: name.clone(), content });
        }
        for secret in &additions.export {
            let name = secret.as_str().as_bytes().to_vec();
            added.push(Variable { name, content: Content::Export(secret.clone()) });
        }
        for (name, secret) in &additions.as_file {
            let content = Content::AsFile(secret.clone());
            added.push(Variable { name: name.clone(), content });
        }
        for template in &additions.templates {
            added.extend(read.template(template, additions.format));
        }
        read.inherit(inherited, scan_env, grammar);
        read.add(added);
        read
    }

    /// A config file alone, with no environment around it; `-` is standard input.
    pub fn alone(template: &Template, format: Option<Format>) -> Self {
        let mut read = Self::default();
        if template.path != Path::new("-") {
            read.template(template, format);
            return read;
        }
        let (path, target) = (Path::new("<stdin>"), template.target.clone());
        let output = target.path();
        let format = format.unwrap_or_else(|| Format::of(path, output));
        let text = sys::stdin().and_then(read_whole).map_err(|error| unread(path, error));
        read.push(path, text, format, Vec::new(), Some(target.clone()));
        read
    }

    /// Reads one more file whose references are wanted: as it would be rendered, where it is named
    /// for that too.
    pub fn document(&mut self, path: &Path, additions: &Additions) {
        let named = additions.template(path);
        let format = named.and_then(|named| named.format).or(additions.format);
        let output = named.and_then(|named| named.target.path());
        let format = format.unwrap_or_else(|| Format::of(path, output));
        let literal = named.map_or_else(Vec::new, |named| named.literal.clone());
        self.push(path, read_file(path), format, literal, None);
    }

    /// Reads a file that is to be rendered. Returns the variable that will say where it is.
    fn template(&mut self, template: &Template, format: Option<Format>) -> Option<Variable> {
        let Template { path, target, literal, .. } = template;
        let format = template.format.or(format);
        let format = format.unwrap_or_else(|| Format::of(path, target.path()));
        let file = self.documents.len();
        if !self.push(path, read_file(path), format, literal.clone(), Some(target.clone())) {
            return None;
        }
        match target {
            Target::Variable(name) => {
                Some(Variable { name: name.clone(), content: Content::Memory { file } })
            }
            Target::Path(_) | Target::Descriptor(_) | Target::Stdout => None,
        }
    }

    fn push(
        &mut self,
        path: &Path,
        text: Result<Vec<u8>, Problem>,
        format: Format,
        literal: Vec<SecretName>,
        target: Option<Target>,
    ) -> bool {
        let text = match text {
            Ok(text) => text.into(),
            Err(problem) => {
                self.problems.push(problem);
                return false;
            }
        };
        let path = Rc::new(path.to_owned());
        self.documents.push(Document { path, text, format, literal, target });
        true
    }

    fn env_files(&mut self, paths: &[PathBuf]) -> Vec<Variable> {
        let mut variables = Vec::new();
        for path in paths {
            let text: Rc<Vec<u8>> = match read_file(path) {
                Ok(text) => text.into(),
                Err(problem) => {
                    self.problems.push(problem);
                    continue;
                }
            };
            let path = Rc::new(path.clone());
            let (lines, faults) = env_file::parse(&text);
            self.problems.extend(faults.into_iter().map(|fault| {
                let place = file_place(&path, &text, fault.at);
                Problem::EnvFile { kind: fault.kind, place }
            }));
            variables.extend(lines.into_iter().map(|line| {
                let (path, text) = (Rc::clone(&path), Rc::clone(&text));
                let name = line.name.clone();
                Variable { name, content: Content::Line { path, text, line } }
            }));
        }
        variables
    }

    /// The distinct names that these files refer to. What is malformed in them is found when the
    /// documents are planned.
    fn exports_of_files(&mut self, additions: &Additions, grammar: &Grammar) -> Vec<SecretName> {
        let before = self.documents.len();
        for path in &additions.export_from {
            self.document(path, additions);
        }
        let mut names = Vec::new();
        let mut seen = HashSet::new();
        for document in &self.documents[before..] {
            let grammar = document.grammar(grammar);
            // What cannot be read in its format is told when it is planned.
            let Ok(layout) = document.lay_out(&grammar) else { continue };
            let counted = grammar.scan(&document.text).enumerate();
            for (_, found) in counted.filter(|(index, _)| layout.counts(*index)) {
                let name = match found.kind {
                    Kind::Reference(name) => SecretName::parse(name).ok(),
                    Kind::ReferenceFor(name) => Some(name),
                    Kind::Escape | Kind::Fault(_) => None,
                };
                let Some(name) = name else { continue };
                if name.as_str().as_bytes().starts_with(OWN_PREFIX) {
                    self.problems.push(own_name(&document.path, &name));
                } else if seen.insert(name.clone()) {
                    names.push(name);
                }
            }
        }
        names
    }

    fn inherit(&mut self, inherited: &[&'static CStr], scan_env: &ScanEnv, grammar: &Grammar) {
        let excluded = NOT_SCANNED.map(|pattern| Pattern::new(pattern.as_bytes()));
        self.variables.reserve(inherited.len());
        for entry in inherited.iter().copied() {
            let bytes = entry.to_bytes();
            if bytes.starts_with(OWN_PREFIX) {
                continue;
            }
            let equals = byte::find(b'=', bytes);
            let name = bytes[..equals.unwrap_or(0)].to_vec();
            let value_start = equals.map_or(bytes.len(), |equals| equals + 1);
            // Most values hold no dollar; then no pattern needs to be asked.
            let content = if byte::find(b'$', &bytes[value_start..]).is_none() {
                Content::Untouched(entry)
            } else if scan_env.scans(&name, &excluded) {
                Content::Inherited { entry, value_start }
            } else {
                if grammar.scan(&bytes[value_start..]).next().is_some() {
                    self.skipped.push(String::from_utf8_lossy(&name).into_owned());
                }
                Content::Untouched(entry)
            };
            self.variables.push(Variable { name, content });
        }
    }

    /// An added variable takes the place of the inherited one of its name, and of what was added
    /// before it; a new one comes last.
    fn add(&mut self, added: Vec<Variable>) {
        for variable in added {
            let same = |other: &Variable| other.name == variable.name && !other.name.is_empty();
            match self.variables.iter().position(same) {
                Some(first) => {
                    let mut index = 0;
                    self.variables.retain(|other| {
                        index += 1;
                        index - 1 <= first || !same(other)
                    });
                    self.variables[first] = variable;
                }
                None => self.variables.push(variable),
            }
        }
    }
}

impl ScanEnv {
    fn scans(&self, name: &[u8], excluded: &[Pattern]) -> bool {
        match self {
            Self::All => !excluded.iter().any(|pattern| pattern.matches(name)),
            Self::None => false,
            Self::Matching(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
        }
    }
}

fn own_name(path: &Path, name: &SecretName) -> Problem {
    Problem::Setting {
        fault: format!(
            "`--export-from {}`: the application never gets a variable `{name}`",
            path.display()
        ),
        hint: Some(format!("name it otherwise, or keep it with `--literal {name}`")),
    }
}

/// A file's bytes, whatever kind of file it is; a pipe is read to its end.
fn read_file(path: &Path) -> Result<Vec<u8>, Problem> {
    File::open(path).and_then(read_whole).map_err(|error| unread(path, error))
}

fn unread(path: &Path, error: io::Error) -> Problem {
    Problem::File { path: path.to_owned(), doing: "read", error }
}

/// All bytes of a file that stayed the same meanwhile: half of one text and half of another would
/// be neither.
fn read_whole(mut file: File) -> io::Result<Vec<u8>> {
    let before = file.metadata()?;
    let bytes_max = if before.is_file() { FILE_BYTES_MAX } else { STREAM_BYTES_MAX };
    if before.len() > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut text = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0) + 1);
    expect_large(&mut text);
    (&mut file).take(bytes_max + 1).read_to_end(&mut text)?;
    let state = |file: &Metadata| (file.len(), file.mtime(), file.mtime_nsec());
    if before.is_file() && state(&before) != state(&file.metadata()?) {
        return Err(io::Error::other("it changed while it was read"));
    }
    if text.len() as u64 > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}
