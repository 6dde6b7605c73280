//! Which keys and table headers may stand beside each other: TOML 1.0, "Keys" and "Table". It knows
//! no syntax; it is told of each header and each key in turn.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

/// One part of a dotted key.
#[derive(Debug)]
pub struct Key<'t> {
    pub text: Cow<'t, [u8]>,
    pub at: usize,
    pub label: Label,
}

/// What a key is in the template.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Label {
    /// The same for keys that are the same there; 0 for one that no value decides.
    pub name: u32,
    /// The number of its scalar, if a value decides it.
    pub scalar: usize,
}

/// A key or a table is there already, and may not be again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Clash {
    pub at: usize,
    /// Of the two keys, the later one that a value decides.
    pub label: Label,
}

/// A table that keys may be put in.
pub type Table = u32;

/// A large document has a node for each of its keys, so nodes are small: what few of them have is
/// beside them.
#[derive(Debug)]
pub struct Tables<'t> {
    nodes: HashMap<Place<'t>, Node>,
    /// The last table of each array of them.
    elements: HashMap<Table, Table>,
    /// What has a label that is not 0.
    labels: HashMap<Table, Label>,
    count: Table,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Place<'t> {
    table: Table,
    text: Cow<'t, [u8]>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    table: Table,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// A scalar, an array or an inline table: complete.
    Value,
    /// Made by the header of a table inside it.
    Implied,
    /// It has its own header.
    Headed,
    /// Made by a dotted key.
    Dotted,
    ArrayOfTables,
}

impl Hash for Place<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.text);
        state.write_u32(self.table);
    }
}

impl<'t> Tables<'t> {
    pub const ROOT: Table = 0;

    pub fn new() -> Self {
        Self {
            nodes: HashMap::new(),
            elements: HashMap::new(),
            labels: HashMap::new(),
            count: Self::ROOT,
        }
    }

    /// `[a.b]`: the table that it opens; `None` where there is no key at all.
    pub fn header(&mut self, path: &mut Vec<Key<'t>>) -> Result<Option<Table>, Clash> {
        self.head(path, Kind::Headed)
    }

    /// `[[a.b]]`: the table that it adds.
    pub fn array_header(&mut self, path: &mut Vec<Key<'t>>) -> Result<Option<Table>, Clash> {
        self.head(path, Kind::ArrayOfTables)
    }

    /// `a.b = …` in a table: the table that the value is, should it be one.
    pub fn assign(
        &mut self,
        mut table: Table,
        path: &mut Vec<Key<'t>>,
    ) -> Result<Option<Table>, Clash> {
        let last = path.pop();
        for key in path.drain(..) {
            table = self.descend(table, key, Kind::Dotted, |kind| {
                // Whoever extends it so defines it: no header may follow.
                matches!(kind, Kind::Implied | Kind::Dotted).then_some(Kind::Dotted)
            })?;
        }
        last.map(|key| self.descend(table, key, Kind::Value, |_| None)).transpose()
    }

    fn head(&mut self, path: &mut Vec<Key<'t>>, kind: Kind) -> Result<Option<Table>, Clash> {
        let mut table = Self::ROOT;
        let last = path.pop();
        for key in path.drain(..) {
            table = self
                .descend(table, key, Kind::Implied, |kind| (kind != Kind::Value).then_some(kind))?;
        }
        let Some(key) = last else {
            return Ok(None);
        };
        let array = kind == Kind::ArrayOfTables;
        let node = self.node(table, key, kind, |there| match there {
            Kind::Implied if !array => Some(kind),
            Kind::ArrayOfTables if array => Some(kind),
            _ => None,
        })?;
        if !array {
            return Ok(Some(node.table));
        }
        let element = self.next();
        self.count = element;
        self.elements.insert(node.table, element);
        Ok(Some(element))
    }

    /// No document has so many keys; of one that had, some would be called the same.
    fn next(&self) -> Table {
        self.count.saturating_add(1)
    }

    /// The table to go on with at a key.
    fn descend(
        &mut self,
        table: Table,
        key: Key<'t>,
        kind: Kind,
        becomes: impl Fn(Kind) -> Option<Kind>,
    ) -> Result<Table, Clash> {
        let node = self.node(table, key, kind, becomes)?;
        let is_array = node.kind == Kind::ArrayOfTables;
        let element = if is_array { self.elements.get(&node.table) } else { None };
        Ok(element.copied().unwrap_or(node.table))
    }

    /// What is at a key, of this kind if it is not there yet. If it is, `becomes` says of which
    /// kind it is from now on, or that it may not be used so.
    fn node(
        &mut self,
        table: Table,
        key: Key<'t>,
        kind: Kind,
        becomes: impl Fn(Kind) -> Option<Kind>,
    ) -> Result<Node, Clash> {
        let next = self.next();
        match self.nodes.entry(Place { table, text: key.text }) {
            Entry::Vacant(vacant) => {
                self.count = next;
                if key.label.name != 0 {
                    self.labels.insert(next, key.label);
                }
                Ok(*vacant.insert(Node { table: next, kind }))
            }
            Entry::Occupied(mut occupied) => {
                let node = occupied.get_mut();
                let label = self.labels.get(&node.table).copied().unwrap_or_default();
                let is_same = label.name == key.label.name;
                match becomes(node.kind).filter(|_| is_same) {
                    Some(kind) => {
                        node.kind = kind;
                        Ok(*node)
                    }
                    None => {
                        let label = if key.label.name == 0 { label } else { key.label };
                        Err(Clash { at: key.at, label })
                    }
                }
            }
        }
    }
}
