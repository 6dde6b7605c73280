//! The manifest `inject.toml`: found or named, read, and checked for keys and types. What its
//! values mean is for `settings` to say.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use toml::Value;

use crate::launch::document::folder_of;
use crate::launch::problem::os_text;

/// The name that is looked for from the working directory upward.
pub const FILE_NAME: &str = "inject.toml";
/// The largest manifest that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Keys that take one text, a list of texts (or one text), and a table of texts.
const TEXTS: [&str; 10] = [
    "store",
    "org",
    "environment",
    "workload",
    "token-file",
    "ca-file",
    "timeout",
    "report",
    "scan-env",
    "format",
];
const LISTS: [&str; 6] =
    ["environments", "literal", "require", "export", "export-from", "env-file"];
const TABLES: [&str; 2] = ["env", "as-file"];
/// Keys that take tables, how these are written, and what each of them may hold.
const TABLE_LISTS: [(&str, &str, &[&str]); 2] = [
    (
        "render",
        "tables, as `[[render]]`",
        &["template", "output", "mode", "uid", "gid", "format", "literal"],
    ),
    (
        "memfd",
        "tables, as `[[memfd]]`",
        &["template", "variable", "descriptor", "format", "literal"],
    ),
];

/// What one manifest says, by key.
#[derive(Debug, Default)]
pub struct Manifest {
    pub path: PathBuf,
    /// Whether the user named it. One that was merely found is a stranger's.
    pub trusted: bool,
    entries: Vec<(String, Vec<(String, String)>)>,
    tables: Vec<(String, Table)>,
}

/// One table of a list of them: its texts by key.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<(String, Vec<String>)>,
    /// Keys that are there, or were meant, and of which a fault was told.
    bad: Vec<String>,
}

#[derive(Debug)]
pub enum Fault {
    Read { path: PathBuf, error: io::Error },
    Planted { path: PathBuf },
    Syntax { path: PathBuf, line: usize, column: usize, message: String },
    UnknownKey { path: PathBuf, key: String, nearest: Option<&'static str> },
    Type { path: PathBuf, key: String, wanted: &'static str },
}

impl Manifest {
    /// The manifest that was named, else the one that is found, if there is one, less what is wrong
    /// with it: with the faults the rest is still known, and judged.
    pub fn load(named: Option<&Path>) -> (Option<Self>, Vec<Fault>) {
        let (path, trusted) = match named {
            Some(path) => (path.to_owned(), true),
            None => match find() {
                Some(path) if is_planted(&path) => return (None, vec![Fault::Planted { path }]),
                Some(path) => (path, false),
                None => return (None, Vec::new()),
            },
        };
        let parsed = match read(&path) {
            Ok(text) => Self::parse(path, trusted, &text),
            Err(error) => Err(Fault::Read { path, error }),
        };
        match parsed {
            Ok((manifest, faults)) => (Some(manifest), faults),
            Err(fault) => (None, vec![fault]),
        }
    }

    fn parse(path: PathBuf, trusted: bool, text: &str) -> Result<(Self, Vec<Fault>), Fault> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            Fault::Syntax {
                path: path.clone(),
                line: 1 + before.matches('\n').count(),
                column: 1 + before[line_start..].chars().count(),
                message: error.message().to_owned(),
            }
        })?;
        let mut manifest = Self { path, trusted, entries: Vec::new(), tables: Vec::new() };
        let mut faults = Vec::new();
        for (key, value) in table {
            if let Some((_, wanted, known)) = TABLE_LISTS.iter().find(|(name, ..)| *name == key) {
                manifest.table_list(&key, wanted, known, value, &mut faults);
                continue;
            }
            match manifest.entry(&key, value) {
                Ok(texts) => manifest.entries.push((key, texts)),
                Err(fault) => faults.push(fault),
            }
        }
        Ok((manifest, faults))
    }

    fn entry(&self, key: &str, value: Value) -> Result<Vec<(String, String)>, Fault> {
        let fault = |wanted| Fault::Type { path: self.path.clone(), key: key.to_owned(), wanted };
        let plain = |text: String| (String::new(), text);
        match value {
            Value::Integer(seconds) if key == "timeout" => Ok(vec![plain(seconds.to_string())]),
            Value::String(text) if TEXTS.contains(&key) || LISTS.contains(&key) => {
                Ok(vec![plain(text)])
            }
            // Nothing would mean the default, which is more than nothing.
            Value::Array(values) if values.is_empty() && key == "environments" => {
                Err(fault("at least one environment, such as `PROD`"))
            }
            Value::Array(values) if values.is_empty() && key == "scan-env" => {
                Err(fault("`all`, `none`, or names and globs such as `DB_*`"))
            }
            Value::Array(values) if LISTS.contains(&key) || key == "scan-env" => values
                .into_iter()
                .map(|value| match value {
                    Value::String(text) => Ok(plain(text)),
                    _ => Err(fault("a list of texts")),
                })
                .collect(),
            Value::Table(table) if TABLES.contains(&key) => table
                .into_iter()
                .map(|(name, value)| match value {
                    Value::String(text) => Ok((name, text)),
                    _ => Err(fault("a table of texts")),
                })
                .collect(),
            _ if key == "timeout" => {
                Err(fault("a time: whole seconds such as `30`, or a text such as `\"500ms\"`"))
            }
            _ if TEXTS.contains(&key) => Err(fault("a text")),
            _ if LISTS.contains(&key) => Err(fault("a list of texts")),
            _ if TABLES.contains(&key) => Err(fault("a table of texts")),
            _ => Err(Fault::UnknownKey {
                path: self.path.clone(),
                key: key.to_owned(),
                nearest: nearest_key(key),
            }),
        }
    }

    fn table_list(
        &mut self,
        key: &str,
        wanted: &'static str,
        known: &[&'static str],
        value: Value,
        faults: &mut Vec<Fault>,
    ) {
        let wanted = Fault::Type { path: self.path.clone(), key: key.to_owned(), wanted };
        let Value::Array(values) = value else { return faults.push(wanted) };
        if !values.iter().all(Value::is_table) {
            faults.push(wanted);
        }
        for value in values {
            let Value::Table(entries) = value else { continue };
            let table = self.table(key, known, entries, faults);
            self.tables.push((key.to_owned(), table));
        }
    }

    /// One table less what is wrong with it.
    fn table(
        &self,
        key: &str,
        known: &[&'static str],
        entries: toml::Table,
        faults: &mut Vec<Fault>,
    ) -> Table {
        let mut table = Table::default();
        for (name, value) in entries {
            let (path, key) = (self.path.clone(), format!("{key}.{name}"));
            if !known.contains(&name.as_str()) {
                let nearest = nearest(&name, known.iter().copied());
                table.bad.extend(nearest.map(str::to_owned));
                faults.push(Fault::UnknownKey { path, key, nearest });
                continue;
            }
            match table_texts(&name, value) {
                Ok(texts) => table.entries.push((name, texts)),
                Err(wanted) => {
                    table.bad.push(name);
                    faults.push(Fault::Type { path, key, wanted });
                }
            }
        }
        table
    }

    /// The tables of a key, in their order.
    pub fn tables(&self, key: &str) -> impl Iterator<Item = &Table> {
        self.tables.iter().filter(move |(name, _)| name == key).map(|(_, table)| table)
    }

    /// The one text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.pairs(key).first().map(|(_, text)| text.as_str())
    }

    pub fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.pairs(key).iter().map(|(_, text)| text.as_str())
    }

    pub fn pairs(&self, key: &str) -> &[(String, String)] {
        let entry = self.entries.iter().find(|(name, _)| name == key);
        entry.map_or(&[], |(_, texts)| texts)
    }

    /// The folder that its paths are relative to.
    pub fn folder(&self) -> &Path {
        folder_of(&self.path)
    }

    /// A path of it as seen from the working directory.
    pub fn path_of(&self, path: &str) -> PathBuf {
        match self.folder() {
            here if here == Path::new(".") => PathBuf::from(path),
            folder => folder.join(path),
        }
    }

    /// Whether a path of it leads to somewhere in its own folder, whatever links are on the way.
    pub fn holds(&self, path: &Path) -> bool {
        match (self.folder().canonicalize(), path.canonicalize()) {
            (Ok(folder), Ok(path)) => path.starts_with(folder),
            _ => false,
        }
    }

    /// Whether what a path of it leads to is there, and not in its own folder. Where nothing is,
    /// nothing can be opened either.
    pub fn leads_out(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok() && !self.holds(path)
    }

    /// As [`Manifest::holds`], for a file that need not be there yet.
    pub fn holds_new(&self, path: &Path) -> bool {
        path.file_name().is_some() && self.holds(folder_of(path))
    }
}

impl Table {
    pub fn text(&self, key: &str) -> Option<&str> {
        self.list(key).next()
    }

    pub fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        let entry = self.entries.iter().find(|(name, _)| name == key);
        entry.into_iter().flat_map(|(_, texts)| texts.iter().map(String::as_str))
    }

    /// Whether the key is there, were it with a fault that was told.
    pub fn has(&self, key: &str) -> bool {
        self.text(key).is_some() || self.bad.iter().any(|bad| bad == key)
    }
}

/// The texts of one key of such a table, or what it wants.
fn table_texts(name: &str, value: Value) -> Result<Vec<String>, &'static str> {
    match (name, value) {
        ("uid" | "gid" | "descriptor", Value::Integer(number)) => Ok(vec![number.to_string()]),
        ("uid" | "gid" | "descriptor", _) => Err("a number"),
        // A number would be read as decimal by some and as octal by others.
        ("mode", Value::Integer(_)) => Err("a text such as `\"0640\"`"),
        ("literal", Value::Array(values)) => {
            let text = |value| match value {
                Value::String(text) => Ok(text),
                _ => Err("a list of texts"),
            };
            values.into_iter().map(text).collect()
        }
        (_, Value::String(text)) => Ok(vec![text]),
        _ => Err("a text"),
    }
}

fn read(path: &Path) -> io::Result<String> {
    // Anything else might never end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

fn find() -> Option<PathBuf> {
    let here = Path::new(FILE_NAME);
    if here.symlink_metadata().is_ok() {
        return Some(here.to_owned());
    }
    let folder = std::env::current_dir().ok()?;
    folder
        .ancestors()
        .skip(1)
        .map(|folder| folder.join(FILE_NAME))
        .find(|path| path.symlink_metadata().is_ok())
}

/// Whether another user put it where everybody may put files, such as `/tmp`: below it one's own
/// programs would be started as that user says. The rule is the kernel's for links there
/// ("protected_symlinks" in proc(5)).
fn is_planted(path: &Path) -> bool {
    const STICKY_AND_EVERYBODY_S: u32 = 0o1002;
    let (Ok(file), Ok(folder)) = (path.symlink_metadata(), folder_of(path).metadata()) else {
        return false;
    };
    folder.mode() & STICKY_AND_EVERYBODY_S == STICKY_AND_EVERYBODY_S
        && ![geteuid().as_raw(), folder.uid()].contains(&file.uid())
}

fn nearest_key(key: &str) -> Option<&'static str> {
    let tables = TABLE_LISTS.iter().map(|(name, ..)| name);
    nearest(key, TEXTS.iter().chain(&LISTS).chain(&TABLES).chain(tables).copied())
}

fn nearest(key: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let near = known.map(|known| (strsim::jaro_winkler(key, known), known));
    near.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, key)| key)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => {
                write!(f, "cannot read the manifest `{}`: {}", path.display(), os_text(error))
            }
            Self::Planted { path } => write!(
                f,
                "another user put the manifest `{}` in a folder that everybody may write to; make \
                 one of your own nearer, or name one with `--config`",
                path.display()
            ),
            Self::Syntax { path, line, column, message } => {
                write!(f, "{}:{line}:{column}: {}", path.display(), message.trim())
            }
            Self::UnknownKey { path, key, nearest } => {
                write!(f, "`{}` has the unknown key `{key}`", path.display())?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
                    None => Ok(()),
                }
            }
            Self::Type { path, key, wanted } => {
                write!(f, "`{key}` in `{}` wants {wanted}", path.display())
            }
        }
    }
}
