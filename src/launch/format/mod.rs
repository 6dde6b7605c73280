//! Config files in their own formats: where references stand in a document, and how a value is
//! written there so that no value breaks out of its scalar. One file a format; pure.
//!
//! The raw text decides what is a reference. A format then says for each in which scalar it stands,
//! or that it stands in a comment, where it is none. To render, it is given the scalar's parts, and
//! writes them so that the output parses to the template's structure with the scalar's references
//! replaced, or it refuses.

mod env;
mod ini;
mod json;
mod properties;
mod sites;
mod text;
mod toml;
#[cfg(test)]
mod trial;
mod xml;
mod yaml;

use std::fmt;
use std::ops::Range;
use std::path::Path;

/// How a document is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Json,
    Yaml,
    Toml,
    Env,
    Ini,
    Properties,
    Xml,
    Text,
}

/// The part of a document that is written anew when a reference in it is replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scalar {
    /// From its opening quote to behind its closing one, where it has any.
    pub range: Range<usize>,
    pub style: Style,
}

/// How a scalar is written, in the words of its format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    Json(json::Style),
    Yaml(yaml::Style),
    Toml(toml::Style),
    Env(env::Style),
    Ini(ini::Style),
    Properties(properties::Style),
    Xml(xml::Style),
    /// The bytes as they are.
    Text,
}

/// Where a reference stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Site {
    /// In a comment: it is none.
    Comment,
    /// In the scalar of this number.
    Scalar(usize),
}

/// What a format says of a document: a site for each of the references, in their order.
#[derive(Debug, Default)]
pub struct Layout {
    pub scalars: Vec<Scalar>,
    pub sites: Vec<Site>,
}

/// What keeps a document from being read, and at which offset.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    pub at: usize,
    pub kind: FaultKind,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// The template is none of its format, as its parser says.
    Syntax { format: &'static str, message: String },
    /// It is, and its readers would not agree on it, or would run or expand what is there.
    Unsafe { what: &'static str, hint: &'static str },
    /// Not read, for a reason that has a way out of its own, such as a comment in JSON.
    Unread { what: &'static str, hint: &'static str },
    /// An escape sequence reaches into a reference.
    Escape,
    /// A reference stands where the format has no scalar, such as an anchor or a tag.
    NoScalar,
}

/// A part of a scalar, in order: its raw text as it stands in the document, or a value.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    Raw(&'a [u8]),
    Value(&'a [u8]),
}

/// Why a scalar cannot be written with these values. It holds nothing of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It stands outside of quotes, and is none of what may stand there, such as "a number".
    NotBare {
        allowed: &'static str,
    },
    NotUtf8,
    Nul,
    /// What the format, or this kind of quoting, cannot hold, and the way out.
    Unheld {
        what: &'static str,
        hint: &'static str,
    },
    /// With these values two keys of one table are the same.
    Duplicate,
}

/// A rendered document that does not have its template's structure: which scalar is to blame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Changed {
    pub scalar: usize,
    pub why: Refusal,
}

impl Format {
    const NAMES: [(&'static str, Self); 8] = [
        ("json", Self::Json),
        ("yaml", Self::Yaml),
        ("toml", Self::Toml),
        ("env", Self::Env),
        ("ini", Self::Ini),
        ("properties", Self::Properties),
        ("xml", Self::Xml),
        ("text", Self::Text),
    ];

    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, format)| *format == self).map_or("text", |(name, _)| name)
    }

    /// The format that a template's name says, else its output's, else text.
    pub fn of(template: &Path, output: Option<&Path>) -> Self {
        let of_output = || output.and_then(Self::of_name);
        Self::of_name(template).or_else(of_output).unwrap_or(Self::Text)
    }

    fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let mut name = name.as_str();
        while let Some(stem) = TEMPLATE_ENDINGS.iter().find_map(|end| name.strip_suffix(end)) {
            name = stem;
        }
        if name == ".env" || name.starts_with(".env.") {
            return Some(Self::Env);
        }
        let (_, ending) = name.rsplit_once('.')?;
        Self::parse(if ending == "yml" { "yaml" } else { ending })
    }

    /// Finds the scalar of each reference; `references` are their ranges in the text, in order.
    /// Scalars are in order too, do not overlap, and each holds a reference.
    pub fn lay_out(self, text: &[u8], references: &[Range<usize>]) -> Result<Layout, Fault> {
        match self {
            Self::Json => json::lay_out(text, references),
            Self::Yaml => yaml::lay_out(text, references),
            Self::Toml => toml::lay_out(text, references),
            Self::Env => env::lay_out(text, references),
            Self::Ini => ini::lay_out(text, references),
            Self::Properties => properties::lay_out(text, references),
            Self::Xml => xml::lay_out(text, references),
            Self::Text => Ok(text::lay_out(text, references)),
        }
    }

    /// Judges what only the whole output shows, such as two keys that became the same. `written`
    /// says where in the output each of the scalars is.
    pub fn verify(
        self,
        scalars: &[Scalar],
        output: &[u8],
        written: &[Range<usize>],
    ) -> Result<(), Changed> {
        match self {
            Self::Json => json::verify(scalars, output, written),
            Self::Yaml => yaml::verify(scalars, output, written),
            Self::Toml => toml::verify(scalars, output, written),
            Self::Ini => ini::verify(scalars, output, written),
            Self::Properties => properties::verify(scalars, output, written),
            Self::Env | Self::Xml | Self::Text => Ok(()),
        }
    }
}

impl Style {
    /// Appends the scalar with these parts. Where it refuses, what it appended is of no use.
    pub fn write(self, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
        match self {
            Self::Json(style) => json::write(style, parts, out),
            Self::Yaml(style) => yaml::write(style, parts, out),
            Self::Toml(style) => toml::write(style, parts, out),
            Self::Env(style) => env::write(style, parts, out),
            Self::Ini(style) => ini::write(style, parts, out),
            Self::Properties(style) => properties::write(style, parts, out),
            Self::Xml(style) => xml::write(style, parts, out),
            Self::Text => text::write(parts, out),
        }
    }
}

/// Endings that only say that a file is a template.
const TEMPLATE_ENDINGS: [&str; 4] = [".tpl", ".tmpl", ".template", ".in"];

impl FaultKind {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => {
                "mend it there, or name another format: `--format text` reads any file, and \
                 escapes nothing"
            }
            Self::Unsafe { hint, .. } | Self::Unread { hint, .. } => hint,
            Self::Escape => "write `$$NAME` for the plain text `$NAME`",
            Self::NoScalar => {
                "move the reference into a value, or keep plain text with `--literal`"
            }
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { format, message } => write!(f, "this is no {format}: {message}"),
            Self::Unsafe { what, .. } | Self::Unread { what, .. } => f.write_str(what),
            Self::Escape => f.write_str("an escape reaches into a reference"),
            Self::NoScalar => f.write_str("a reference stands where the format has no value"),
        }
    }
}

impl Refusal {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NotBare { .. } => "put the reference in quotes",
            Self::NotUtf8 | Self::Nul => "deliver it as a file with `--as-file`",
            Self::Unheld { hint, .. } => hint,
            Self::Duplicate => "change one of the secrets, or name the key in the template",
        }
    }
}

/// Ends a sentence that begins with the secret's name.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBare { allowed } => write!(f, "outside of quotes it must be {allowed}"),
            Self::NotUtf8 => f.write_str("its bytes are no UTF-8, which this format needs"),
            Self::Nul => f.write_str("it holds a NUL byte, which this format cannot"),
            Self::Unheld { what, .. } => f.write_str(what),
            Self::Duplicate => f.write_str("with it two keys of one table would be the same"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn names_say_the_format() {
        for (template, output, expected) in [
            ("a.json", "", Format::Json),
            ("dir.toml/a.yml", "", Format::Yaml),
            ("a.YAML.TPL", "", Format::Yaml),
            ("a.toml.template", "b.json", Format::Toml),
            ("a.ini.in.tmpl", "", Format::Ini),
            (".env", "", Format::Env),
            (".env.production", "", Format::Env),
            (".env.tpl", "", Format::Env),
            ("app.env", "", Format::Env),
            ("a.properties", "", Format::Properties),
            ("a.xml", "", Format::Xml),
            ("a.tpl", "b.xml", Format::Xml),
            ("a.txt", "b.json", Format::Json),
            ("nginx.conf", "", Format::Text),
            ("json", "", Format::Text),
            ("a.text", "b.json", Format::Text),
            ("a.envrc", "", Format::Text),
        ] {
            let output = (!output.is_empty()).then(|| Path::new(output));
            assert_eq!(Format::of(Path::new(template), output), expected, "{template}");
        }
        let odd = OsStr::from_bytes(b"caf\xe9.json");
        assert_eq!(Format::of(Path::new(odd), None), Format::Json);
    }

    #[test]
    fn each_format_has_a_name() {
        for (name, format) in Format::NAMES {
            assert_eq!((format.as_str(), Format::parse(name)), (name, Some(format)));
        }
    }

    #[test]
    fn each_fault_has_a_way_out() {
        for fault in [
            FaultKind::Unsafe { what: "one", hint: "two" },
            FaultKind::Unread { what: "one", hint: "two" },
        ] {
            assert_eq!((fault.to_string().as_str(), fault.hint()), ("one", "two"));
        }
        let unheld = Refusal::Unheld { what: "one", hint: "two" };
        assert_eq!((unheld.to_string().as_str(), unheld.hint()), ("one", "two"));
    }
}
