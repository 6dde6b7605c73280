//! Judges the rendered document where a value became a key, or part of one: only then can it make
//! two keys the same, or one longer than readers take. It changes nothing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use granit_parser::{Event, Parser};

use super::super::{Changed, Refusal, Scalar, Style};
use super::is_blank;
use super::layout::parser_options;

pub fn verify(scalars: &[Scalar], output: &[u8], written: &[Range<usize>]) -> Result<(), Changed> {
    let is_key = |scalar: &Scalar| matches!(scalar.style, Style::Yaml(style) if style.key);
    let Some(first) = scalars.iter().position(is_key) else { return Ok(()) };
    let Ok(text) = std::str::from_utf8(output) else {
        return Err(Changed { scalar: first, why: Refusal::NotUtf8 });
    };
    let mut walk = Walk { output, written, ..Walk::default() };
    for event in Parser::new_from_str_with_options(text, parser_options()) {
        let (event, span) = event.map_err(|error| {
            // It tells where the key begins that has no end, or where the `:` of the first one is.
            let at = error.marker().byte_offset().unwrap_or(0);
            let mut keys = (scalars.iter().zip(written).enumerate())
                .filter(|(_, (scalar, _))| is_key(scalar))
                .map(|(index, (_, range))| (index, range));
            let blamed = match output.get(at) {
                Some(b':') => keys.take_while(|(_, range)| range.end <= at).last(),
                _ => keys.find(|(_, range)| range.start >= at),
            };
            Changed { scalar: blamed.map_or(first, |(index, _)| index), why: LONG }
        })?;
        walk.event(&event, span.byte_range().unwrap_or_default())?;
    }
    if walk.passed < written.len() { Err(walk.changed()) } else { Ok(()) }
}

pub const LONG: Refusal = Refusal::Unheld {
    what: "with it a key is longer than 1024 bytes, which some readers do not take",
    hint: "begin the key with `? `, and its value with `: ` on a line of its own",
};

const MOVED: Refusal = Refusal::Unheld {
    what: "with it the file would not be read as its template",
    hint: "write the reference in double quotes",
};

#[derive(Default)]
struct Walk<'o> {
    output: &'o [u8],
    written: &'o [Range<usize>],
    /// How many of the scalars that were written were found.
    passed: usize,
    /// The end of what the events told of.
    behind: usize,
    open: Vec<Open>,
    /// By their numbers, what the anchors are put at.
    anchors: HashMap<usize, Node>,
}

/// What is compared of a node. Texts are not kept.
#[derive(Clone, Copy)]
struct Node {
    meaning: u64,
    /// A scalar that was written stands in it.
    blame: Option<usize>,
}

struct Open {
    mapping: bool,
    anchor: usize,
    start: usize,
    children: DefaultHasher,
    blame: Option<usize>,
    at_key: bool,
    keys: Vec<Node>,
}

impl Walk<'_> {
    fn event(&mut self, event: &Event<'_>, range: Range<usize>) -> Result<(), Changed> {
        match event {
            Event::Scalar(value, _, anchor, _) => {
                let blame = self.written_at(&range)?;
                let node = Node { meaning: meaning(&(0, value)), blame };
                self.anchors.insert(*anchor, node);
                if value == "<<"
                    && self.stands_at_key()
                    && let Some(scalar) = blame
                {
                    return Err(Changed { scalar, why: MERGE });
                }
                self.node(node, self.start_of(range.start), range.end)?;
            }
            Event::Alias(anchor) => {
                let unknown = Node { meaning: meaning(&(1, anchor)), blame: None };
                let node = *self.anchors.get(anchor).unwrap_or(&unknown);
                self.node(node, range.start, range.end)?;
            }
            Event::SequenceStart(_, anchor, _) => self.begin(false, *anchor, range.start),
            Event::MappingStart(_, anchor, _) => self.begin(true, *anchor, range.start),
            Event::SequenceEnd | Event::MappingEnd => self.end(range.end)?,
            _ => {}
        }
        self.behind = self.behind.max(range.end);
        Ok(())
    }

    /// The number of the written scalar that this one is.
    fn written_at(&mut self, range: &Range<usize>) -> Result<Option<usize>, Changed> {
        match self.written.get(self.passed) {
            // A block's text begins behind its header, and ends behind its line break.
            Some(written) if range.end > written.start => {
                if range.start < written.start || range.start >= written.end {
                    return Err(self.changed());
                }
                self.passed += 1;
                Ok(Some(self.passed - 1))
            }
            _ => Ok(None),
        }
    }

    fn changed(&self) -> Changed {
        Changed { scalar: self.passed, why: MOVED }
    }

    fn begin(&mut self, mapping: bool, anchor: usize, start: usize) {
        let start = self.start_of(start);
        let children = DefaultHasher::new();
        let keys = Vec::new();
        self.open.push(Open { mapping, anchor, start, children, blame: None, at_key: true, keys });
    }

    fn end(&mut self, end: usize) -> Result<(), Changed> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        open.keys.sort_unstable_by_key(|key| key.meaning);
        for keys in open.keys.chunk_by(|a, b| a.meaning == b.meaning) {
            if let Some(scalar) = keys.iter().find_map(|key| key.blame)
                && keys.len() > 1
            {
                return Err(Changed { scalar, why: Refusal::Duplicate });
            }
        }
        let kind = if open.mapping { 2 } else { 3 };
        let node = Node { meaning: meaning(&(kind, open.children.finish())), blame: open.blame };
        self.anchors.insert(open.anchor, node);
        self.node(node, open.start, end)
    }

    fn stands_at_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.mapping && open.at_key)
    }

    /// A node that is complete, in the collection that is open.
    fn node(&mut self, node: Node, start: usize, end: usize) -> Result<(), Changed> {
        let key = self.stands_at_key();
        if let Some(scalar) = node.blame
            && key
            && self.is_too_long(start, end)
        {
            return Err(Changed { scalar, why: LONG });
        }
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        node.meaning.hash(&mut open.children);
        open.blame = open.blame.or(node.blame);
        open.at_key = !open.at_key;
        if key {
            open.keys.push(node);
        }
        Ok(())
    }

    /// Where a node begins, with the anchor and the tag before it on its line.
    fn start_of(&self, start: usize) -> usize {
        let before = self.output.get(self.behind..start).unwrap_or_default();
        let line = before.iter().rposition(|b| matches!(b, b'\n' | b'\r')).unwrap_or(0);
        let property = before[line..].iter().position(|b| matches!(b, b'&' | b'!'));
        property.map_or(start, |i| self.behind + line + i)
    }

    /// Readers look for the `:` of a key that no `?` announces only so far.
    fn is_too_long(&self, start: usize, end: usize) -> bool {
        let Some(key) = self.output.get(start..end) else { return false };
        let behind = self.output[end..].iter().take_while(|b| is_blank(**b)).count();
        let has_colon = self.output.get(end + behind) == Some(&b':');
        // Only one that a `?` announces may have several lines.
        let announced = key.contains(&b'\n') || !has_colon;
        !announced && key.len() + behind > KEY_BYTES_MAX
    }
}

/// YAML 1.2.2, section 7.4.2, says characters; readers count those, code units or bytes.
const KEY_BYTES_MAX: usize = 1024;

/// Ruby's reader takes it for one even in quotes.
const MERGE: Refusal = Refusal::Unheld {
    what: "as a key it is `<<`, which some readers merge a mapping for",
    hint: "change the secret, or name the key in the template",
};

fn meaning(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
