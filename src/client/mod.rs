//! One request to a store, retried: what can be asked, and what comes back. It knows no store
//! from within; an embedded one is handed to it as a way to connect.
//!
//! A retry after a lost answer may repeat what has been done already, so it matters what then
//! comes back. A resolve or a read is the same twice. A `PUT` without condition sets the same
//! value again, and the version counts one more. A `DELETE` that then finds nothing has what it
//! wanted. A `PUT` or `DELETE` with a condition that then fails cannot know whose change it met,
//! and says so (`perhaps_ours`).

mod answer;
mod call;
mod connect;
mod endpoint;
mod error;
mod exchange;
mod failed;
#[cfg(fuzzing)]
pub mod fuzzing;
mod people;
mod query;
mod relay;
mod retry;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod trail;
mod watch;

use std::cell::{Cell, OnceCell};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderValue;
use tokio::io::DuplexStream;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::name::{OrgName, SecretName};
use crate::secret::Secret;
use crate::wire;

use call::Call;
use exchange::Answer;
use retry::Pace;

pub use endpoint::{ENDPOINTS_MAX, Endpoint, EndpointError};
pub use error::{Error, Failure, ProtocolFault, TokenSent};
pub use people::PEOPLE_ROWS_MAX;
pub use query::{AuditQuery, ListQuery, PageQuery, Sort};
pub use relay::{Relay, Relayed, RelayedTo};
pub use tls::{Authorities, AuthoritiesError, TlsFault};
pub use token::{TOKEN_BYTES_MAX, Token, TokenError};
pub use trail::TRAIL_ROWS_MAX;
pub use watch::{WatchLine, Watched};

/// The whole time that a call may take when nothing else is said.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// An answer's size, at most: its frame, and what each name or row in it may take. A value's
/// byte needs up to six in JSON (`\u0000`).
const FRAME_BYTES_MAX: usize = 64 * 1024;
const NAME_BYTES_MAX: usize = 1024;
const VALUE_BYTES_MAX: usize = 6 * wire::VALUE_BYTES_MAX;
const ROW_BYTES_MAX: usize = 8 * 1024;

/// How a store is reached.
pub enum Connector {
    Endpoints(Vec<Endpoint>),
    /// A store in this process. `connect` is called on the client's own runtime, where it may
    /// spawn what answers; that makes progress while a call waits, and ends with the client.
    InProcess {
        label: String,
        connect: Box<dyn Fn() -> DuplexStream + Send>,
    },
}

/// What is the same for all calls of a client.
pub struct Options {
    /// None where no call is about one organization.
    pub org: Option<OrgName>,
    pub token: Option<Token>,
    /// The deadline of a call, all its tries together.
    pub timeout: Duration,
}

/// When a change may happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    Always,
    /// The secret does not exist yet.
    Absent,
    /// The secret still has this version.
    Version(u64),
}

/// What a `PUT` did.
#[derive(Debug)]
pub struct Put {
    pub metadata: wire::Metadata,
    pub created: bool,
}

/// Speaks to one store, for one organization. Calls block the thread.
pub struct Client {
    connector: Connector,
    org: Option<OrgName>,
    token: Option<Token>,
    /// The token as a header, made once.
    authorization: Option<HeaderValue>,
    timeout: Duration,
    pace: Pace,
    store: String,
    /// The endpoint that answered last: the next call begins there, for one that hangs costs each
    /// call its time.
    first: Cell<usize>,
    runtime: OnceCell<Runtime>,
}

impl Client {
    pub fn new(connector: Connector, options: Options) -> Self {
        let store = match &connector {
            Connector::Endpoints(endpoints) => {
                endpoints.iter().map(Endpoint::as_str).collect::<Vec<_>>().join(", ")
            }
            Connector::InProcess { label, .. } => label.clone(),
        };
        let Options { org, token, timeout } = options;
        let authorization = token.as_ref().map(Token::header);
        let (pace, first, runtime) = (retry::PACE, Cell::new(0), OnceCell::new());
        Self { connector, org, token, authorization, timeout, pace, store, first, runtime }
    }

    /// How reports name the store: its addresses or its directory, never credentials.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// The organization that calls are about.
    pub fn org(&self) -> &OrgName {
        self.org.as_ref().expect("who makes a call about an organization has set one")
    }

    /// The end of a call that would begin now; calls that share it are one to who waits for them.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// All of the names with their values, or none.
    pub fn resolve(&self, request: &wire::ResolveRequest) -> Result<wire::ResolveAnswer, Error> {
        self.resolve_until(request, None)
    }

    /// The same, by a deadline that other calls may share.
    pub fn resolve_within(
        &self,
        request: &wire::ResolveRequest,
        deadline: Instant,
    ) -> Result<wire::ResolveAnswer, Error> {
        self.resolve_until(request, Some(deadline))
    }

    fn resolve_until(
        &self,
        request: &wire::ResolveRequest,
        deadline: Option<Instant>,
    ) -> Result<wire::ResolveAnswer, Error> {
        let each = if request.values { NAME_BYTES_MAX + VALUE_BYTES_MAX } else { NAME_BYTES_MAX };
        let body = serde_json::to_vec(request).expect("names are text");
        let path = wire::resolve_path(self.org());
        let call = Call {
            body: Some(body.into()),
            answer_max: FRAME_BYTES_MAX + each * request.names.len(),
            names: call::names(request.names.iter()),
            deadline,
            ..Call::new(Method::POST, path)
        };
        self.call(&call, |answer| {
            let mut answer: wire::ResolveAnswer = answer::parse(&answer.body)?;
            answer.secrets.retain(|name, _| call.names.contains(name));
            for name in &request.names {
                let found = answer.secrets.get(name);
                let found = found.ok_or_else(|| ProtocolFault::NameLeftOut(name.clone()))?;
                if request.values && found.value.is_none() {
                    return Err(ProtocolFault::NoValue(name.clone()));
                }
            }
            Ok(answer)
        })
    }

    /// One page of the secrets' metadata.
    pub fn list(&self, query: &ListQuery) -> Result<wire::SecretList, Error> {
        let call = Call {
            answer_max: FRAME_BYTES_MAX + ROW_BYTES_MAX * wire::PAGE_ROWS_MAX,
            ..Call::new(Method::GET, wire::secrets_path(self.org()) + &query.to_query())
        };
        self.call(&call, |answer| answer::parse(&answer.body))
    }

    /// What is known of one secret.
    pub fn metadata(&self, name: &SecretName) -> Result<wire::Metadata, Error> {
        let call = self.about(Method::GET, name, Condition::Always);
        self.call(&call, |answer| metadata_of(name, answer))
    }

    /// Creates a secret or gives it a new version.
    pub fn put(
        &self,
        name: &SecretName,
        value: &Secret,
        condition: Condition,
        allow_empty: bool,
    ) -> Result<Put, Error> {
        let call = Call {
            body: Some(put_body(value, allow_empty)),
            value: Some(value),
            ..self.about(Method::PUT, name, condition)
        };
        self.call(&call, |answer| {
            Ok(Put { metadata: metadata_of(name, answer)?, created: answer.status == 201 })
        })
    }

    /// Deletes a secret, for good.
    pub fn delete(&self, name: &SecretName, condition: Condition) -> Result<(), Error> {
        let call = self.about(Method::DELETE, name, condition);
        self.call(&call, answer::gone)
    }

    fn about<'a>(&self, method: Method, name: &'a SecretName, condition: Condition) -> Call<'a> {
        let path = wire::secret_path(self.org(), name);
        Call { secret: Some(name), condition, ..Call::new(method, path) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A name look-up that hangs in its thread must not hold up the end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn metadata_of(name: &SecretName, answer: &Answer) -> Result<wire::Metadata, ProtocolFault> {
    let metadata: wire::Metadata = answer::parse(&answer.body)?;
    if metadata.name != name.as_str() {
        return Err(ProtocolFault::OtherName);
    }
    Ok(metadata)
}

/// `{"value":…}` or `{"value_base64":…}`, and `"allow_empty":true` if it may be empty; wiped.
fn put_body(value: &Secret, allow_empty: bool) -> Bytes {
    // Room for the longest coding, so that growing leaves no copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(6 * value.len() + 64));
    body.push(b'{');
    wire::write_value_member(&mut body, value);
    if allow_empty {
        body.extend_from_slice(b",\"allow_empty\":true");
    }
    body.push(b'}');
    Bytes::from_owner(body)
}
