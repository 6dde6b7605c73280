//! The columns of a row as an input says them, and changes of them: within one, and across two.

/// One column.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Field {
    Number(i64),
    Text(String),
    Optional(Option<String>),
    /// A number that may be none.
    Perhaps(Option<i64>),
    Bytes(Vec<u8>),
}

/// How many changes an input makes, each of so many bytes: kind, field, other field, and how.
const CHANGES_MAX: usize = 8;
pub const CHANGE_BYTES: usize = 4;

/// Columns of these kinds, a letter each. What an input does not say is empty.
pub fn read(kinds: &str, input: &[u8]) -> Vec<Field> {
    let mut parts = input.split(|b| *b == 0xff);
    let mut field = |kind| {
        let part = parts.next().unwrap_or_default();
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match kind {
            'n' => Field::Number(little_endian(part)),
            't' => Field::Text(lossy(part)),
            'o' => Field::Optional(part.split_first().map(|(_, text)| lossy(text))),
            'p' => Field::Perhaps(part.split_first().map(|(_, text)| little_endian(text))),
            _ => Field::Bytes(part.to_vec()),
        }
    };
    kinds.chars().map(&mut field).collect()
}

fn little_endian(bytes: &[u8]) -> i64 {
    let mut eight = [0; 8];
    eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    i64::from_le_bytes(eight)
}

pub fn number(field: &Field) -> i64 {
    let Field::Number(number) = field else { unreachable!("{field:?} is no number") };
    *number
}

pub fn text(field: &Field) -> String {
    let Field::Text(text) = field else { unreachable!("{field:?} is no text") };
    text.clone()
}

pub fn optional(field: &Field) -> Option<String> {
    let Field::Optional(text) = field else { unreachable!("{field:?} may not be none") };
    text.clone()
}

pub fn perhaps(field: &Field) -> Option<i64> {
    let Field::Perhaps(number) = field else { unreachable!("{field:?} is no number") };
    *number
}

pub fn bytes(field: &Field) -> Vec<u8> {
    let Field::Bytes(bytes) = field else { unreachable!("{field:?} are no bytes") };
    bytes.clone()
}

/// The changes of an input, in their order.
pub fn changes(input: &[u8]) -> impl Iterator<Item = [u8; CHANGE_BYTES]> {
    let four = |change: &[u8]| change.try_into().expect("it is as long");
    input.chunks_exact(CHANGE_BYTES).take(CHANGES_MAX).map(four)
}

pub fn alter(row: &mut [Field], input: &[u8]) {
    for change in changes(input) {
        alter_once(row, change);
    }
}

pub fn alter_once(row: &mut [Field], [kind, field, other, how]: [u8; CHANGE_BYTES]) {
    let (at, other) = (usize::from(field) % row.len(), usize::from(other) % row.len());
    match kind % 7 {
        0 => row[at].grow(how),
        1 => row[at].flip(how),
        2 => drop(row[at].cut(1)),
        3 => {
            let end = row[at].cut(usize::from(how));
            row[other].begin_with(&end);
        }
        4 if row[at].is_like(&row[other]) => row.swap(at, other),
        5 if row[at].is_like(&row[other]) => row[at] = row[other].clone(),
        6 => row[at].turn(),
        _ => {}
    }
}

impl Field {
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    fn grow(&mut self, how: u8) {
        match self {
            Self::Number(number) | Self::Perhaps(Some(number)) => {
                *number = number.wrapping_add(how.into());
            }
            Self::Text(text) | Self::Optional(Some(text)) => text.push(char::from(how)),
            Self::Bytes(bytes) => bytes.push(how),
            Self::Optional(None) | Self::Perhaps(None) => {}
        }
    }

    fn flip(&mut self, how: u8) {
        let bit = how % 64;
        match self {
            Self::Number(number) | Self::Perhaps(Some(number)) => *number ^= 1 << bit,
            Self::Bytes(bytes) if !bytes.is_empty() => {
                let at = usize::from(how / 8) % bytes.len();
                bytes[at] ^= 1 << (how % 8);
            }
            Self::Text(text) | Self::Optional(Some(text)) if !text.is_empty() => {
                let letters: Vec<char> = text.chars().collect();
                let at = usize::from(how) % letters.len();
                let other = |c: char| if c == 'x' { 'y' } else { 'x' };
                let letters = letters.iter().enumerate();
                *text = letters.map(|(i, c)| if i == at { other(*c) } else { *c }).collect();
            }
            _ => {}
        }
    }

    /// Takes the end away: so many letters or bytes of it.
    fn cut(&mut self, count: usize) -> Vec<u8> {
        match self {
            Self::Text(text) | Self::Optional(Some(text)) => {
                let keep = text.chars().count().saturating_sub(count);
                let at = text.char_indices().nth(keep).map_or(text.len(), |(at, _)| at);
                text.split_off(at).into_bytes()
            }
            Self::Bytes(bytes) => bytes.split_off(bytes.len().saturating_sub(count)),
            Self::Number(_) | Self::Optional(None) | Self::Perhaps(_) => Vec::new(),
        }
    }

    fn begin_with(&mut self, start: &[u8]) {
        match self {
            Self::Text(text) | Self::Optional(Some(text)) => {
                text.insert_str(0, &String::from_utf8_lossy(start));
            }
            Self::Bytes(bytes) => *bytes = [start, bytes].concat(),
            Self::Number(_) | Self::Optional(None) | Self::Perhaps(_) => {}
        }
    }

    /// Nothing becomes what is empty, and the other way.
    fn turn(&mut self) {
        match self {
            Self::Optional(text) => *text = text.is_none().then(String::new),
            Self::Perhaps(number) => *number = number.is_none().then_some(0),
            Self::Number(number) => *number = number.wrapping_neg(),
            Self::Text(text) => text.clear(),
            Self::Bytes(bytes) => bytes.clear(),
        }
    }
}
