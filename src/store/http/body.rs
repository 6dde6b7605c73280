//! Bodies: what a request's says, and what an answer's holds. What cannot be read is never
//! repeated, for it may hold a value.

use serde::Deserialize;

use crate::name::{SecretName, WorkloadName};
use crate::secret::Secret;
use crate::store::http::problem::Fault;
use crate::store::service::{Condition, Put, Resolve, ResolvedSecret};
use crate::wire::{RESOLVE_NAMES_MAX, value_from_wire, write_value_member};

/// As it comes, so that every bad name can be said at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    names: Vec<String>,
    workload: Option<String>,
    #[serde(default = "yes")]
    values: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutBody {
    value: Option<String>,
    value_base64: Option<String>,
    #[serde(default)]
    allow_empty: bool,
}

pub fn resolve(body: &Secret) -> Result<Resolve, Fault> {
    let shape = r#"{"names":["NAME"],"workload":"billing","values":true}"#;
    let body: ResolveBody = parse(body, shape)?;
    if body.names.is_empty() {
        return Err(Fault::NoNames);
    }
    if body.names.len() > RESOLVE_NAMES_MAX {
        return Err(Fault::ManyNames { names: body.names.len() });
    }
    let (names, bad): (Vec<_>, Vec<_>) =
        body.names.iter().map(|name| SecretName::parse(name)).partition(Result::is_ok);
    let mut bad: Vec<_> = bad.into_iter().filter_map(Result::err).collect();
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
    let names = names.into_iter().filter_map(Result::ok).collect();
    Ok(Resolve { names, workload, values: body.values })
}

pub fn put(body: &Secret, condition: Condition) -> Result<Put, Fault> {
    let shape = r#"{"value":"…"} or {"value_base64":"…"}"#;
    let body: PutBody = parse(body, shape)?;
    let unfit = |what| Fault::Value { what };
    let value = value_from_wire(body.value, body.value_base64).map_err(unfit)?;
    let value = value.ok_or(unfit("neither `value` nor `value_base64` is given"))?;
    Ok(Put { value, allow_empty: body.allow_empty, condition })
}

/// `{"secrets":{"NAME":{"value":"…","version":3,"updated_at":"…"}}}`, written at once: a tree of
/// values would be copies to wipe.
pub fn resolved(secrets: &[ResolvedSecret]) -> Vec<u8> {
    let each = |one: &ResolvedSecret| {
        128 + one.name.as_str().len() + one.value.as_ref().map_or(0, |value| 2 * value.len())
    };
    let mut out = Vec::with_capacity(32 + secrets.iter().map(each).sum::<usize>());
    out.extend_from_slice(b"{\"secrets\":{");
    for (index, secret) in secrets.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_json(&mut out, &secret.name);
        out.extend_from_slice(b":{");
        if let Some(value) = &secret.value {
            write_value_member(&mut out, value);
            out.push(b',');
        }
        out.extend_from_slice(b"\"version\":");
        write_json(&mut out, &secret.version);
        if let Ok(time) = jiff::Timestamp::from_millisecond(secret.updated_at) {
            out.extend_from_slice(b",\"updated_at\":");
            write_json(&mut out, &time);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"}}");
    out
}

fn write_json(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(out, value).expect("a vector takes every write");
}

fn parse<'a, T: Deserialize<'a>>(body: &'a Secret, shape: &'static str) -> Result<T, Fault> {
    serde_json::from_slice(body.expose_secret()).map_err(|error| Fault::Body {
        shape,
        line: error.line(),
        column: error.column(),
        is_json: error.is_data(),
    })
}

fn yes() -> bool {
    true
}
