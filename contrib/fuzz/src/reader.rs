//! Who reads the formats: parsers from elsewhere, and where there are none worth having, some that
//! follow the source of the program that everyone uses.

mod env;
mod ini;
pub mod json;
mod properties;
mod toml;
mod xml;
mod yaml;

use std::cell::Cell;
use std::panic;
use std::sync::Once;

use inject::launch::format::Format;

use crate::token::Token;

/// What is made of a document; none if it is not taken.
pub type Read = fn(&[u8]) -> Option<Vec<Token>>;

pub struct Reader {
    pub name: &'static str,
    pub read: Read,
    /// Whether it takes all that is rendered.
    pub exact: bool,
    /// Whether it refuses documents for how a scalar is quoted, which then tells nothing.
    pub fickle: bool,
    /// Who must read a template in the same way; else only the outputs are compared.
    pub standard: Option<Read>,
    /// What it reads in another way than the format says. It does not judge templates with these.
    pub misreads: &'static [&'static str],
}

impl Reader {
    const fn new(name: &'static str, read: Read) -> Self {
        Self { name, read, exact: false, fickle: false, standard: None, misreads: &[] }
    }

    const fn exact(self) -> Self {
        Self { exact: true, ..self }
    }

    const fn fickle(self) -> Self {
        Self { fickle: true, ..self }
    }

    const fn beside(self, standard: Read) -> Self {
        Self { standard: Some(standard), ..self }
    }

    const fn misreads(self, misreads: &'static [&'static str]) -> Self {
        Self { misreads, ..self }
    }
}

pub fn readers(format: Format) -> &'static [Reader] {
    match format {
        Format::Json => JSON,
        Format::Yaml => YAML,
        Format::Toml => TOML,
        Format::Env => ENV,
        Format::Ini => INI,
        Format::Properties => PROPERTIES,
        Format::Xml => XML,
        Format::Text => &[],
    }
}

const JSON: &[Reader] = &[Reader::new("JSON", json::read).exact()];

const YAML: &[Reader] = &[
    Reader::new("libyaml", yaml::libyaml).beside(yaml::saphyr).misreads(LIBYAML_MISREADS),
    Reader::new("saphyr", yaml::saphyr).fickle(),
];

/// It takes tabs in a blank line behind a scalar without quotes, and not behind one with them. The
/// others are line breaks of YAML 1.1, and plain characters of 1.2.
const LIBYAML_MISREADS: &[&str] = &["\t", "\u{85}", "\u{2028}", "\u{2029}"];

const TOML: &[Reader] =
    &[Reader::new("toml", toml::toml).exact(), Reader::new("toml-span", toml::toml_span)];

const ENV: &[Reader] =
    &[Reader::new("python-dotenv", env::python_dotenv), Reader::new("a shell", env::shell)];

const INI: &[Reader] = &[Reader::new("configparser", ini::read).exact()];

const PROPERTIES: &[Reader] = &[
    Reader::new("Java", properties::latin_1).exact(),
    Reader::new("Java in UTF-8", properties::utf_8),
];

const XML: &[Reader] = &[Reader::new("roxmltree", xml::read)];

/// Runs a reader that may panic, which is then nobody's fault but its own.
fn quietly<T>(read: impl FnOnce() -> Option<T> + panic::UnwindSafe) -> Option<T> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        // libFuzzer's ends the process.
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                hook(info)
            }
        }));
    });
    QUIET.set(true);
    let outcome = panic::catch_unwind(read);
    QUIET.set(false);
    outcome.ok().flatten()
}
