//! What can be wrong with a store, each in one line. It holds names and numbers, never a value.

use std::fmt;

use crate::store::audit::Broken;
use crate::store::seal::shown_id;

/// How many are told one by one.
pub(super) const FAULTS_MAX: u32 = 100;

/// What was found, as far as it is told, and how many more there were.
#[derive(Debug, Default)]
pub struct Faults {
    pub told: Vec<Fault>,
    pub more: u64,
}

#[derive(Debug)]
pub enum Fault {
    /// SQLite finds this wrong with pages, indexes, columns or references.
    Integrity {
        said: String,
    },
    /// Rows of this table cannot be read further.
    Unreadable {
        what: &'static str,
        said: String,
    },
    /// A table, index, trigger or view that is not to be there.
    Planted {
        kind: String,
        name: String,
    },
    /// One that is to be there.
    SchemaGone {
        kind: String,
        name: String,
    },
    /// One that is another than was made.
    SchemaAltered {
        kind: String,
        name: String,
    },
    /// The ring has more or other keys than it is to have.
    Keyring,
    /// A row that carries a code, which does not hold.
    Row {
        table: &'static str,
        key: Vec<String>,
    },
    /// It does not open, or stands where it was not put, or is not the last version.
    Secret {
        organization: String,
        name: String,
    },
    SecretGone {
        organization: String,
        name: String,
    },
    /// No record says that there is such a secret.
    Unvouched {
        organization: String,
        name: String,
    },
    /// It is under a master key that was not given.
    SecretKey {
        organization: String,
        name: String,
        key_id: Vec<u8>,
    },
    /// The secrets are not in the order that they are to be in, so that a walk does not end.
    Order,
    /// A salt that was given back and stands there all the same.
    Salt {
        slot: i64,
    },
    Chain {
        organization: String,
        broken: Broken,
    },
    /// Records of an organization that is not there.
    OrganizationGone {
        organization: String,
    },
    /// A checkpoint saw a record behind the last.
    Cut {
        organization: String,
        seen: i64,
        last: i64,
    },
    /// A checkpoint saw another record with this sequence.
    Other {
        organization: String,
        sequence: i64,
    },
    /// A checkpoint is of an organization that is not there.
    CheckpointAlone {
        organization: String,
    },
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        if self.told.len() < FAULTS_MAX as usize {
            self.told.push(fault);
        } else {
            self.more += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integrity { said } => write!(f, "the database is damaged: {said}"),
            Self::Unreadable { what, said } => {
                write!(f, "not all of `{what}` can be read: {said}")
            }
            Self::Planted { kind, name } => {
                write!(f, "{kind} `{name}` is there, which no `inject` made")
            }
            Self::SchemaGone { kind, name } => write!(f, "{kind} `{name}` is missing"),
            Self::SchemaAltered { kind, name } => {
                write!(f, "{kind} `{name}` is not as it was made")
            }
            Self::Keyring => f.write_str("there are other keys in the ring than were made"),
            Self::Row { table, key } => {
                write!(f, "{table} `{}` is not as it was written", key.join("`, `"))
            }
            Self::Secret { organization, name } => {
                write!(f, "secret `{name}` of `{organization}` is not as it was written")
            }
            Self::SecretGone { organization, name } => write!(
                f,
                "secret `{name}` of `{organization}` is missing, though no record says that it was \
                 deleted"
            ),
            Self::Unvouched { organization, name } => write!(
                f,
                "secret `{name}` of `{organization}` is there, though no record says that it was \
                 created"
            ),
            Self::SecretKey { organization, name, key_id } => write!(
                f,
                "secret `{name}` of `{organization}` is sealed under a master key (id {}) that was \
                 not given",
                shown_id(key_id)
            ),
            Self::Order => f.write_str("the secrets are out of order, and not all were looked at"),
            Self::Salt { slot } => {
                write!(f, "salt {slot} is given back, and holds something all the same")
            }
            Self::Chain { organization, broken: Broken::Absent { sequence } } => {
                write!(
                    f,
                    "record {sequence} of `{organization}` is missing, and later ones are not"
                )
            }
            Self::Chain { organization, broken: Broken::Altered { sequence } } => {
                write!(f, "record {sequence} of `{organization}` is not as it was written")
            }
            Self::OrganizationGone { organization } => {
                write!(f, "organization `{organization}` is missing, and its records are not")
            }
            Self::Cut { organization, seen, last } => write!(
                f,
                "the records of `{organization}` end with {last}, and a checkpoint saw record {seen}"
            ),
            Self::Other { organization, sequence } => write!(
                f,
                "record {sequence} of `{organization}` is another than the checkpoint saw"
            ),
            Self::CheckpointAlone { organization } => {
                write!(f, "organization `{organization}`, of a checkpoint, is not there")
            }
        }
    }
}
