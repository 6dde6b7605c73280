//! What can be wrong with a store, each in one line. It holds names and numbers, never a value.

use std::fmt;

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
    /// A table, index, trigger or view.
    Schema {
        kind: String,
        name: String,
        how: SchemaFault,
    },
    /// The ring has more or other keys than it is to have.
    Keyring,
    /// A row that carries a code, which does not hold.
    Row {
        table: &'static str,
        key: Vec<String>,
    },
    Secret {
        organization: String,
        name: String,
        how: SecretFault,
    },
    /// A member or a token, as records call it.
    Person {
        organization: String,
        subject: String,
        how: PersonFault,
    },
    /// The secrets are not in the order that they are to be in, so that a walk does not end.
    Order,
    /// A salt that was given back and stands there all the same.
    Salt {
        slot: i64,
    },
    Record {
        organization: String,
        sequence: i64,
        how: RecordFault,
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
    /// A checkpoint is of an organization that is not there.
    CheckpointAlone {
        organization: String,
    },
}

#[derive(Debug)]
pub enum SchemaFault {
    /// It is not to be there.
    Planted,
    Gone,
    Altered,
}

#[derive(Debug)]
pub enum SecretFault {
    /// It does not open, or stands where it was not put, or is not the last version.
    Altered,
    Gone,
    /// No record says that there is such a secret.
    Unvouched,
    /// It is under a master key that was not given.
    KeyUnknown {
        key_id: Vec<u8>,
    },
}

#[derive(Debug)]
pub enum PersonFault {
    Gone,
    /// The row is not the one that its last record made.
    Unvouched,
}

#[derive(Debug)]
pub enum RecordFault {
    Absent,
    Altered,
    /// A checkpoint saw another one with this sequence.
    Other,
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
            Self::Schema { kind, name, how } => write!(f, "{kind} `{name}` is {how}"),
            Self::Keyring => f.write_str("there are other keys in the ring than were made"),
            Self::Row { table, key } => {
                write!(f, "{table} `{}` is not as it was written", key.join("`, `"))
            }
            Self::Secret { organization, name, how } => {
                write!(f, "secret `{name}` of `{organization}` is {how}")
            }
            Self::Person { organization, subject, how } => {
                let (kind, id) = subject.split_once(':').unwrap_or(("row", subject));
                write!(f, "{kind} `{id}` of `{organization}` is {how}")
            }
            Self::Order => f.write_str("the secrets are out of order, and not all were looked at"),
            Self::Salt { slot } => {
                write!(f, "salt {slot} is given back, and holds something all the same")
            }
            Self::Record { organization, sequence, how } => {
                write!(f, "record {sequence} of `{organization}` is {how}")
            }
            Self::OrganizationGone { organization } => {
                write!(f, "organization `{organization}` is missing, and its records are not")
            }
            Self::Cut { organization, seen, last } => write!(
                f,
                "the records of `{organization}` end with {last}, and a checkpoint saw record \
                 {seen}"
            ),
            Self::CheckpointAlone { organization } => {
                write!(f, "organization `{organization}`, of a checkpoint, is not there")
            }
        }
    }
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Planted => "there, which no `inject` made",
            Self::Gone => "missing",
            Self::Altered => "not as it was made",
        })
    }
}

impl fmt::Display for SecretFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered => f.write_str("not as it was written"),
            Self::Gone => f.write_str("missing, though no record says that it was deleted"),
            Self::Unvouched => f.write_str("there, though no record says that it was created"),
            Self::KeyUnknown { key_id } => {
                let id = shown_id(key_id);
                write!(f, "sealed under a master key (id {id}) that was not given")
            }
        }
    }
}

impl fmt::Display for PersonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "missing, though no record says that it was taken away",
            Self::Unvouched => "not as its last record says",
        })
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "missing, and later ones are not",
            Self::Altered => "not as it was written",
            Self::Other => "another than the checkpoint saw",
        })
    }
}
