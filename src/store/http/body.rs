//! Bodies: what a request's says, and what an answer's holds. What cannot be read is never
//! repeated, for it may hold a value.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::grant::Grant;
use crate::name::{NameError, SecretName, WorkloadName};
use crate::secret::Secret;
use crate::store::http::problem::Fault;
use crate::store::room::{NoRoom, Room};
use crate::store::seal::SealedRow;
use crate::store::service::{Condition, Holder, NewToken, Put, Refusal, Resolve, ResolvedSecret};
use crate::store::token::Kind;
use crate::wire::{RESOLVE_NAMES_MAX, TokenRequest, value_from_wire, write_value_member};

/// As it comes, so that every bad name can be said at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    names: Vec<Given>,
    workload: Option<String>,
    #[serde(default = "yes")]
    values: bool,
}

/// A text that is to be a secret's name.
struct Given(Result<SecretName, NameError>);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Given, E> {
                Ok(Given(SecretName::parse(text)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutBody {
    value: Option<String>,
    value_base64: Option<String>,
    #[serde(default)]
    allow_empty: bool,
}

pub fn resolve(body: &Secret, room: Arc<Room>) -> Result<Resolve, Fault> {
    let shape = r#"{"names":["NAME"],"workload":"billing","values":true}"#;
    let body: ResolveBody = parse(body, shape)?;
    if body.names.is_empty() {
        return Err(Fault::NoNames);
    }
    if body.names.len() > RESOLVE_NAMES_MAX {
        return Err(Fault::ManyNames { names: body.names.len() });
    }
    let (mut names, mut bad) = (Vec::with_capacity(body.names.len()), Vec::new());
    for Given(name) in body.names {
        match name {
            Ok(name) => names.push(name),
            Err(error) => bad.push(error),
        }
    }
    let workload = match body.workload.as_deref().map(WorkloadName::parse) {
        Some(Ok(workload)) => Some(workload),
        Some(Err(error)) => {
            bad.push(error);
            None
        }
        None => None,
    };
    if !bad.is_empty() {
        return Err(Fault::Name(bad));
    }
    names.sort_unstable();
    names.dedup();
    Ok(Resolve { names, workload, values: body.values, room })
}

pub fn put(body: &Secret, condition: Condition) -> Result<Put, Fault> {
    let shape = r#"{"value":"…"} or {"value_base64":"…"}"#;
    let body: PutBody = parse(body, shape)?;
    let unfit = |what| Fault::Value { what };
    let value = value_from_wire(body.value, body.value_base64).map_err(unfit)?;
    let value = value.ok_or(unfit("neither `value` nor `value_base64` is given"))?;
    Ok(Put { value, allow_empty: body.allow_empty, condition })
}

/// A token that is to be made, and of which kind.
pub fn token(body: &Secret) -> Result<(NewToken, Kind), Fault> {
    let shape = r#"{"workload":"billing","names":["STRIPE_*"]} or {"member":"alice@acme.com"}"#;
    let ask: TokenRequest = parse(body, shape)?;
    let unfit = |what| Fault::Value { what };
    let network = ask.network.as_deref().map(network).transpose();
    let network = network.map_err(unfit)?;
    if ask.expires_at.is_some_and(|end| end <= Timestamp::now()) {
        return Err(unfit("`expires_at` is in the past"));
    }
    let (holder, kind) = match (ask.workload, ask.member) {
        (Some(name), None) => {
            let names = ask.names.unwrap_or_else(Grant::all);
            (Holder::Workload { name, names }, Kind::Workload)
        }
        (None, Some(_)) if ask.names.is_some() => {
            return Err(unfit("a member's token goes by the member's own `names`"));
        }
        (None, Some(email)) => (Holder::Member(email), Kind::Member),
        _ => return Err(unfit("either `workload` or `member` is to be given")),
    };
    Ok((NewToken { holder, expires_at: ask.expires_at, network }, kind))
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let address = || text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
    let network = text.parse().or_else(|_| address());
    network
        .map(|network: IpNet| unmapped(network).trunc())
        .map_err(|_| "`network` is a network such as `10.0.0.0/8` or `fd00::/8`, or one address")
}

/// Callers are known by their IPv4 address where it came mapped into IPv6 (RFC 4291, 2.5.5.2), so
/// a network of such addresses is one of IPv4.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let (address, prefix) = (mapped.addr().to_ipv4_mapped(), mapped.prefix_len().checked_sub(96));
    let plain = address.zip(prefix).and_then(|(address, bits)| Ipv4Net::new(address, bits).ok());
    plain.map_or(network, IpNet::V4)
}

/// `{"secrets":{"NAME":{"value":"…","version":3,"updated_at":"…"}}}`, written at once: a tree of
/// values would be copies to wipe. Each value is opened when its turn comes, and no two are there
/// beside the answer.
pub fn resolved(
    secrets: Vec<ResolvedSecret>,
    open: impl Fn(&ResolvedSecret) -> Option<Secret>,
    ask: (bool, &Room),
) -> Result<Vec<u8>, Fault> {
    /// Below this, there is room for the longest that a value can be in JSON.
    const SHORT_VALUE_BYTES: usize = 80;
    let (values, room) = ask;
    let each = |one: &ResolvedSecret| {
        let value = match one.row.sealed.len() {
            _ if !values => 0,
            short @ ..SHORT_VALUE_BYTES => 6 * short,
            long => 2 * long,
        };
        128 + one.name().len() + value
    };
    let mut out = Vec::with_capacity(32 + secrets.iter().map(each).sum::<usize>());
    out.extend_from_slice(b"{\"secrets\":{");
    for (index, mut secret) in secrets.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        // No character of a name means anything in JSON.
        out.push(b'"');
        out.extend_from_slice(secret.name().as_bytes());
        out.extend_from_slice(b"\":{");
        if values {
            let value = secret.value.take().or_else(|| open(&secret));
            let value = value.ok_or_else(|| closed(&secret))?;
            make_room(&mut out, &value, room)?;
            write_value_member(&mut out, &value);
            out.push(b',');
        }
        out.extend_from_slice(secret.row.said(version_and_time));
    }
    out.extend_from_slice(b"}}");
    Ok(out)
}

/// The end of a secret in an answer, which is the same each time.
fn version_and_time(row: &SealedRow) -> Vec<u8> {
    let mut out = b"\"version\":".to_vec();
    write_json(&mut out, &row.columns.version);
    if let Ok(time) = jiff::Timestamp::from_millisecond(row.columns.updated_at) {
        out.extend_from_slice(b",\"updated_at\":");
        write_json(&mut out, &time);
    }
    out.push(b'}');
    out
}

fn closed(secret: &ResolvedSecret) -> Fault {
    Fault::Closed(SecretName::parse(secret.name()).expect("it was asked for by its name"))
}

/// Room for a value and what stands around it, which is taken before the memory is.
fn make_room(out: &mut Vec<u8>, value: &Secret, room: &Room) -> Result<(), Fault> {
    let left = out.capacity() - out.len();
    // A short one's length in JSON need not be known.
    if left >= 128 + 6 * value.len() {
        return Ok(());
    }
    let more = 256 + value_bytes_max(value);
    if left >= more {
        return Ok(());
    }
    let bytes = (2 * out.capacity()).max(out.len() + more);
    room.grow(bytes).map_err(|none| match none {
        NoRoom::Now => Fault::Crowded,
        NoRoom::Ever => Fault::Refusal(Refusal::LongAnswer),
    })?;
    out.reserve_exact(bytes - out.len());
    Ok(())
}

/// The most that a value takes in JSON, as text with its escapes or as base64.
fn value_bytes_max(value: &Secret) -> usize {
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' => 2,
        0..=31 => 6,
        _ => 1,
    };
    let text: usize = value.expose_secret().iter().map(escaped).sum();
    text.max(value.len() / 3 * 4 + 4)
}

fn write_json(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(out, value).expect("a vector takes every write");
}

/// A body of this shape. What is wrong with it is said by its place alone.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a Secret, shape: &'static str) -> Result<T, Fault> {
    let parsed = serde_json::from_slice(body.expose_secret()).map_err(|error| Fault::Body {
        shape,
        line: error.line(),
        column: error.column(),
        is_json: error.is_data(),
    })?;
    // Fields without their names, in an array, would be taken too.
    match body.expose_secret().trim_ascii_start().first() {
        Some(b'{') => Ok(parsed),
        _ => Err(Fault::Body { shape, line: 1, column: 1, is_json: true }),
    }
}

fn yes() -> bool {
    true
}
