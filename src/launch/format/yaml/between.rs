//! What stands between a document's nodes: where readers differ on it, they would differ on the
//! scalar beside it too. It judges only what is beside one that is written anew.

use std::ops::Range;

use super::super::{Fault, FaultKind};
use super::{is_blank, is_break};
use crate::byte;

/// What was found since the last scalar.
#[derive(Default)]
pub struct Between {
    found: Option<Fault>,
    /// The last scalar is written anew.
    beside: bool,
}

impl Between {
    /// Looks at what no event told of.
    pub fn pass(&mut self, text: &[u8], gap: Range<usize>) -> Result<(), Fault> {
        let found = find(text, gap);
        if self.beside
            && let Some(fault) = found
        {
            return Err(fault);
        }
        self.found = self.found.take().or(found);
        Ok(())
    }

    /// A scalar follows; says whether it is written anew.
    pub fn scalar(&mut self, touched: bool) -> Result<(), Fault> {
        self.beside = touched;
        match self.found.take().filter(|_| touched) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }
}

fn find(text: &[u8], gap: Range<usize>) -> Option<Fault> {
    let lines = text.get(gap.clone())?;
    // There is no other way to a fault.
    byte::find_either([b'&', b'\t'], lines)?;
    let mut start = gap.start;
    lines.split(|b| is_break(*b)).find_map(|line| {
        let range = start..start + line.len();
        start = range.end + 1;
        in_line(text, range)
    })
}

/// In one line, or in what of it the gap has.
fn in_line(text: &[u8], line: Range<usize>) -> Option<Fault> {
    let whole = &text[line.clone()];
    let fault = |at, kind| Some(Fault { at: line.start + at, kind });
    let begins = line.start == 0 || is_break(text[line.start - 1]);
    let ends = text.get(line.end).is_none_or(|b| is_break(*b));
    if begins && ends && whole.iter().all(|b| is_blank(*b)) {
        return whole.contains(&b'\t').then_some(Fault { at: line.start, kind: TAB });
    }
    let mut before = if begins { b' ' } else { text[line.start - 1] };
    let mut token = 0;
    for (at, b) in whole.iter().copied().enumerate() {
        if b == b'#' && is_blank(before) {
            return None;
        }
        let names = b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if is_blank(b) || b",[]{}".contains(&b) {
            token = at + 1;
        } else if whole.get(token) == Some(&b'&') && at > token && !names {
            return fault(token, ANCHOR);
        }
        before = b;
    }
    None
}

/// For PyYAML and libyaml an anchor's name ends at what is none of these, and text begins there.
pub const ANCHOR: FaultKind = FaultKind::Unsafe {
    what: "readers do not agree where the name of this anchor ends",
    hint: "name it with letters, digits, `_` and `-`",
};
/// libyaml reads such a line behind plain text, and not behind a quoted one.
pub const TAB: FaultKind = FaultKind::Unsafe {
    what: "a line of blanks holds a tab, which some readers do not take",
    hint: "empty that line",
};
