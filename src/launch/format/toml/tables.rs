//! Which keys and table headers may stand beside each other: TOML 1.0, "Keys" and "Table". It knows
//! no syntax; it is told of each header and each key in turn.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

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
pub type Table = usize;

#[derive(Debug)]
pub struct Tables<'t> {
    nodes: HashMap<(Table, Cow<'t, [u8]>), Node>,
    tables: usize,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    kind: Kind,
    /// Of an array of tables, its last one.
    table: Table,
    label: Label,
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

impl<'t> Tables<'t> {
    pub const ROOT: Table = 0;

    pub fn new() -> Self {
        Self { nodes: HashMap::new(), tables: 1 }
    }

    /// A table of its own, such as one in an array.
    pub fn fresh(&mut self) -> Table {
        self.tables += 1;
        self.tables - 1
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
        let (array, name) = (kind == Kind::ArrayOfTables, (table, key.text.clone()));
        let table = self.descend(table, key, kind, |there| match there {
            Kind::Implied if !array => Some(kind),
            Kind::ArrayOfTables if array => Some(kind),
            _ => None,
        })?;
        if !array {
            return Ok(Some(table));
        }
        let element = self.fresh();
        if let Some(node) = self.nodes.get_mut(&name) {
            node.table = element;
        }
        Ok(Some(element))
    }

    /// The table at a key, of this kind if it is not there yet. If it is, `becomes` says of which
    /// kind it is from now on, or that it may not be used so.
    fn descend(
        &mut self,
        table: Table,
        key: Key<'t>,
        kind: Kind,
        becomes: impl Fn(Kind) -> Option<Kind>,
    ) -> Result<Table, Clash> {
        match self.nodes.entry((table, key.text)) {
            Entry::Vacant(vacant) => {
                let table = self.tables;
                self.tables += 1;
                vacant.insert(Node { kind, table, label: key.label });
                Ok(table)
            }
            Entry::Occupied(mut occupied) => {
                let node = occupied.get_mut();
                let is_same = node.label.name == key.label.name;
                match becomes(node.kind).filter(|_| is_same) {
                    Some(kind) => {
                        node.kind = kind;
                        Ok(node.table)
                    }
                    None => {
                        let label = if key.label.name == 0 { node.label } else { key.label };
                        Err(Clash { at: key.at, label })
                    }
                }
            }
        }
    }
}
