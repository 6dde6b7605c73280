//! The database as such: SQLite's own checks, and whether the schema is what was made. A planted
//! trigger or view is never run, and still is not to be there.

use std::collections::BTreeMap;

use crate::store::operations::verify::fault::SchemaFault;
use crate::store::operations::verify::{Fault, Walk};
use crate::store::storage::StorageError;
use crate::store::storage::walk::{SchemaItem, expected_schema};

type Schema = BTreeMap<(String, String), Option<String>>;

impl Walk<'_> {
    pub(super) fn integrity(&mut self) -> Result<(), StorageError> {
        let said = self.look("database", |tx, _| tx.integrity())?;
        for said in said.unwrap_or_default() {
            self.faults.add(Fault::Integrity { said });
        }
        Ok(())
    }

    pub(super) fn schema(&mut self) -> Result<(), StorageError> {
        let expected = expected_schema().expect("the schema that is built in is sound");
        let Some(found) = self.look("schema", |tx, _| tx.schema())? else {
            return Ok(());
        };
        let (expected, found) = (keyed(expected), keyed(found));
        let mut faults = Vec::new();
        for (key, sql) in &found {
            match expected.get(key) {
                None => faults.push((key, SchemaFault::Planted)),
                Some(made) if made != sql => faults.push((key, SchemaFault::Altered)),
                Some(_) => {}
            }
        }
        for key in expected.keys().filter(|key| !found.contains_key(*key)) {
            faults.push((key, SchemaFault::Gone));
        }
        for ((kind, name), how) in faults {
            self.faults.add(Fault::Schema { kind: kind.clone(), name: name.clone(), how });
        }
        Ok(())
    }
}

fn keyed(items: Vec<SchemaItem>) -> Schema {
    let mut keyed = Schema::new();
    keyed.extend(items.into_iter().map(|item| ((item.kind, item.name), item.sql)));
    keyed
}
