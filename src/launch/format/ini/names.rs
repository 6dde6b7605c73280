//! Which names of sections and options are the same to configparser. It keeps no two of them: one
//! that comes twice is an error, and an option hides one of the defaults.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::super::{Changed, Refusal};
use super::lines::{self, Line, Lines};

pub const DEFAULT_SECTION: &str = "DEFAULT";

/// Names as they are read, each with what is to be remembered of it.
pub struct Names<'t, T> {
    sections: HashMap<&'t str, T>,
    defaults: HashMap<Cow<'t, str>, T>,
    /// Of the section that was entered last; none comes twice.
    options: HashMap<Cow<'t, str>, T>,
    in_defaults: bool,
}

impl<T> Default for Names<'_, T> {
    fn default() -> Self {
        Self {
            sections: HashMap::new(),
            defaults: HashMap::new(),
            options: HashMap::new(),
            in_defaults: false,
        }
    }
}

impl<'t, T> Names<'t, T> {
    /// Enters a section, and returns what is known of an earlier one of this name.
    pub fn enter(&mut self, name: &'t str, of_it: T) -> Option<T> {
        self.enter_unknown();
        self.in_defaults = name == DEFAULT_SECTION;
        // This one may come twice, and goes on then.
        if self.in_defaults { None } else { self.sections.insert(name, of_it) }
    }

    /// Enters a section that has no name yet.
    pub fn enter_unknown(&mut self) {
        self.in_defaults = false;
        self.options = HashMap::new();
    }

    /// Returns what is known of an earlier option of this name in the section.
    pub fn option(&mut self, name: &'t str, of_it: T) -> Option<T> {
        let options = if self.in_defaults { &mut self.defaults } else { &mut self.options };
        options.insert(folded(name), of_it)
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
    let mut names = Names::<Option<usize>>::default();
    for line in Lines::new(document) {
        let (scalar, earlier) = match line.map_err(|_| changed(first))? {
            Line::Section { name, .. } => {
                let scalar = scalar_of(&name);
                (scalar, names.enter(&document[name], scalar))
            }
            Line::Option { name, .. } => {
                let scalar = scalar_of(&name);
                (scalar, names.option(&document[name], scalar))
            }
            Line::Comment(_) | Line::Continuation(_) => continue,
        };
        if let Some(earlier) = earlier {
            return Err(changed(scalar.or(earlier).unwrap_or(first)));
        }
    }
    let defaults = names.defaults;
    match hidden_default(document, &defaults, scalar_of) {
        Some(scalar) => Err(changed(scalar)),
        None => Ok(()),
    }
}

/// The scalar of an option, or of the default that it hides, if one of them is written with values.
fn hidden_default(
    document: &str,
    defaults: &HashMap<Cow<'_, str>, Option<usize>>,
    scalar_of: impl Fn(&Range<usize>) -> Option<usize>,
) -> Option<usize> {
    let mut in_defaults = false;
    Lines::new(document).filter(|_| !defaults.is_empty()).flatten().find_map(|line| match line {
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
