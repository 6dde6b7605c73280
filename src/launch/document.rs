//! A config file that holds references: what is to become of it, and where in its format its
//! references stand. Pure.

use std::borrow::Cow;
use std::fs::Metadata;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::launch::format::{Fault, FaultKind, Format, Layout, Site};
use crate::launch::reference::{self, Found, Grammar, Kind};
use crate::name::SecretName;

/// A file that was read.
#[derive(Debug)]
pub struct Document {
    pub path: Rc<PathBuf>,
    pub text: Rc<Vec<u8>>,
    pub format: Format,
    /// Names that are plain text in this file alone.
    pub literal: Vec<SecretName>,
    /// None where the file is left alone, and only its references are wanted.
    pub target: Option<Target>,
}

/// Where the rendered document goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    Path(Output),
    /// A sealed memory file whose path is in this variable.
    Variable(Vec<u8>),
    /// A sealed memory file at this descriptor.
    Descriptor(i32),
    /// Back to the caller, for standard output.
    Stdout,
}

/// A file to be written, whole or not at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Output {
    pub path: PathBuf,
    pub mode: u32,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// The folder that it may not leave, where it was named by a manifest that was only found.
    pub within: Option<FileId>,
}

/// A file or a folder, however it is called: the device that it is on, and its number there.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

/// The folder that a path's last name is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl Target {
    /// What is to be at a path, where it is one.
    pub fn output(&self) -> Option<&Output> {
        match self {
            Self::Path(output) => Some(output),
            Self::Variable(_) | Self::Descriptor(_) | Self::Stdout => None,
        }
    }

    pub fn path(&self) -> Option<&Path> {
        self.output().map(|output| output.path.as_path())
    }
}

impl Output {
    pub const MODE_DEFAULT: u32 = 0o600;

    pub fn new(path: PathBuf) -> Self {
        Self { path, mode: Self::MODE_DEFAULT, uid: None, gid: None, within: None }
    }
}

impl FileId {
    pub fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }
}

impl Document {
    /// The grammar for this document: with its own literal names.
    pub fn grammar<'g>(&self, grammar: &'g Grammar) -> Cow<'g, Grammar> {
        if self.literal.is_empty() {
            return Cow::Borrowed(grammar);
        }
        let mut own = grammar.clone();
        own.literal.extend(self.literal.iter().cloned());
        Cow::Owned(own)
    }

    /// Where all that the grammar finds stands. A document without any is not read any further.
    pub fn lay_out(&self, grammar: &Grammar) -> Result<Layout, Fault> {
        // Each of its dollars would go unseen, and so every reference through.
        if self.text.starts_with(b"\xff\xfe") || self.text.starts_with(b"\xfe\xff") {
            return Err(Fault { at: 0, kind: WIDE });
        }
        // All of a text is one scalar, and it has no comments.
        if self.format == Format::Text {
            return Ok(Layout::default());
        }
        let range = |found: Found<'_>| found.start..masked_end(&found, &self.text);
        let ranges: Vec<Range<usize>> = grammar.scan(&self.text).map(range).collect();
        match ranges.is_empty() {
            true => Ok(Layout::default()),
            false => self.format.lay_out(&self.text, &ranges),
        }
    }
}

const WIDE: FaultKind = FaultKind::Unsafe {
    what: "this file is UTF-16, in which no reference is seen",
    hint: "save it as UTF-8",
};

impl Layout {
    /// Whether what was found at this place of the order is a reference, and no part of a comment.
    pub fn counts(&self, index: usize) -> bool {
        self.sites.get(index) != Some(&Site::Comment)
    }
}

/// What follows in the braces of `${NAME:-x}` is no part of the document: it is to be rewritten,
/// and must not make a parser stumble meanwhile.
fn masked_end(found: &Found<'_>, text: &[u8]) -> usize {
    let Kind::Fault(reference::Fault::NotClosed { .. }) = found.kind else { return found.end };
    let rest = &text[found.end..];
    // What a parser must judge stays for it to see.
    let ends = |b: &u8| !matches!(b, b' '..=b'~') || b"}$\"'<\\".contains(b);
    match rest.iter().position(ends) {
        Some(length) if rest[length] == b'}' => found.end + length + 1,
        _ => found.end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::plan::tests::document;

    #[test]
    fn braces_that_are_not_closed_hide_nothing_of_what_is_behind() {
        for (path, text) in [
            ("a.json", r#"["${A:-{}", "$B"]"#),
            ("a.toml", "a = \"${A:-x\"\nb = '$B'"),
            ("a.yaml", "a: \"${A:-x\"\nb: $B"),
        ] {
            let document = document(path, text);
            let layout = document.lay_out(&Grammar::default());
            assert_eq!(layout.map(|layout| layout.sites.len()), Ok(2), "{text}");
        }
    }

    #[test]
    fn where_an_output_goes() {
        for (path, folder) in
            [("a", "."), ("d/a", "d"), ("/a", "/"), ("./a", "."), ("/d/e/a", "/d/e")]
        {
            assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
        }
        let output = Output::new(PathBuf::from("d/a"));
        let target = Target::Path(output.clone());
        assert_eq!((target.output(), target.path()), (Some(&output), Some(Path::new("d/a"))));
        for other in [Target::Variable(b"A".to_vec()), Target::Descriptor(9), Target::Stdout] {
            assert_eq!((other.output(), other.path()), (None, None));
        }
    }
}
