//! Which names of sections and options are the same to configparser. It keeps no two of them: a
//! section that comes again goes on, an option that does is replaced, and one hides one of the
//! defaults. A template may have such names; values must not make them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use super::super::{Changed, Refusal};
use super::lines::{self, Line, Lines};

pub const DEFAULT_SECTION: &str = "DEFAULT";

/// The options of one section, by their names as they are read.
type Options<'t> = HashMap<Cow<'t, str>, Origin>;

/// The number of the scalar that a name is written from, if it is.
type Origin = Option<usize>;

struct Names<'t> {
    /// With the place of each one's options.
    sections: HashMap<&'t str, (usize, Origin)>,
    /// The first ones are those before any section.
    options: Vec<Options<'t>>,
    current: usize,
}

impl<'t> Names<'t> {
    fn new() -> Self {
        Self { sections: HashMap::new(), options: vec![Options::new()], current: 0 }
    }

    /// Enters a section. Returns the origin of an earlier one's name that is the same.
    fn section(&mut self, name: &'t str, origin: Origin) -> Option<Origin> {
        match self.sections.entry(name) {
            Entry::Occupied(entry) => {
                let (options, earlier) = *entry.get();
                self.current = options;
                Some(earlier)
            }
            Entry::Vacant(entry) => {
                self.current = self.options.len();
                self.options.push(Options::new());
                entry.insert((self.current, origin));
                None
            }
        }
    }

    /// Returns the origin of an earlier option's name that is the same, in the section.
    fn option(&mut self, name: &'t str, origin: Origin) -> Option<Origin> {
        self.options[self.current].insert(folded(name), origin)
    }

    fn defaults(&self) -> Option<&Options<'t>> {
        let (options, _) = self.sections.get(DEFAULT_SECTION)?;
        self.options.get(*options).filter(|options| !options.is_empty())
    }
}

/// The `optionxform` of configparser.
fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_lowercase())
    }
}

/// Whether a name that was written with values is the same as another. `first` is the scalar to
/// blame for what no name explains.
pub fn verify(first: usize, output: &[u8], written: &[Range<usize>]) -> Result<(), Changed> {
    let changed = |scalar| Changed { scalar, why: Refusal::Duplicate };
    let document = lines::decode(output).map_err(|_| changed(first))?;
    // The scalar that a name is written from, if it is.
    let scalar_of =
        |name: &Range<usize>| written.binary_search_by_key(&name.start, |range| range.start).ok();
    let mut names = Names::new();
    for line in Lines::new(document) {
        let (origin, earlier) = match line.map_err(|_| changed(first))? {
            Line::Section { name, .. } => {
                let origin = scalar_of(&name);
                (origin, names.section(&document[name], origin))
            }
            Line::Option { name, .. } => {
                let origin = scalar_of(&name);
                (origin, names.option(&document[name], origin))
            }
            Line::Comment(_) | Line::Continuation(_) => continue,
        };
        // Two that no value changed are the template's own.
        if let Some(scalar) = earlier.and_then(|earlier| origin.or(earlier)) {
            return Err(changed(scalar));
        }
    }
    let Some(defaults) = names.defaults() else { return Ok(()) };
    match hidden_default(document, defaults, scalar_of) {
        Some(scalar) => Err(changed(scalar)),
        None => Ok(()),
    }
}

/// The scalar of an option, or of the default that it hides, if one of them is written with values.
fn hidden_default(
    document: &str,
    defaults: &Options<'_>,
    scalar_of: impl Fn(&Range<usize>) -> Origin,
) -> Option<usize> {
    let mut in_defaults = false;
    Lines::new(document).flatten().find_map(|line| match line {
        Line::Section { name, .. } => {
            in_defaults = &document[name] == DEFAULT_SECTION;
            None
        }
        Line::Option { name, .. } if !in_defaults => {
            let default = defaults.get(&folded(&document[name.clone()]))?;
            scalar_of(&name).or(*default)
        }
        Line::Option { .. } | Line::Comment(_) | Line::Continuation(_) => None,
    })
}
