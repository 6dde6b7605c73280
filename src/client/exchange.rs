//! One request and its answer over one connection, with hyper. It retries nothing and judges
//! nothing but whether what came is http.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use zeroize::{Zeroize, Zeroizing};

use super::connect::Stream;
use super::error::{Failure, ProtocolFault};
use super::retry::can_pass;

/// The most bytes that an answer's headers may take together; hyper takes at most 100 of them.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// A complete answer; its body may hold values and is wiped.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Zeroizing<Vec<u8>>,
}

/// Why there is no complete answer.
pub enum Fault {
    Passing(Failure),
    Protocol(ProtocolFault),
}

/// Sends `request` and reads an answer whose body has at most `body_max` bytes.
pub async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    body_max: usize,
) -> Result<Answer, Fault> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEADER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| fault(&error))?;
    let answer = pin!(async {
        let response = sender.send_request(request).await.map_err(|error| fault(&error))?;
        read(response, body_max).await
    });
    alongside(answer, connection).await
}

/// A connection for several requests, one after the other. What is under way when it is dropped is
/// given up.
pub struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    /// None once it has ended.
    connection: Option<Connection>,
}

type Connection = Pin<Box<dyn Future<Output = Result<(), hyper::Error>>>>;

impl Line {
    pub async fn begin(stream: Box<dyn Stream>) -> Result<Self, Fault> {
        let mut builder = http1::Builder::new();
        let begun = builder.max_buf_size(HEADER_BYTES_MAX).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = begun.map_err(|error| fault(&error))?;
        Ok(Self { sender, connection: Some(Box::pin(connection)) })
    }

    /// The same as [`exchange`]. After a fault it is of no more use.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        body_max: usize,
    ) -> Result<Answer, Fault> {
        let Self { sender, connection } = self;
        let mut answer = pin!(async {
            sender.ready().await.map_err(|error| fault(&error))?;
            let response = sender.send_request(request).await.map_err(|error| fault(&error))?;
            read(response, body_max).await
        });
        poll_fn(|context| {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            let ended = |one: &mut Connection| one.as_mut().poll(context).is_ready();
            if !connection.as_mut().is_none_or(ended) {
                return Poll::Pending;
            }
            // Who waits for his turn hears of the end only when it is dropped.
            *connection = None;
            match answer.as_mut().poll(context) {
                Poll::Pending => Poll::Ready(Err(Fault::Passing(Failure::Dropped))),
                ready => ready,
            }
        })
        .await
    }

    /// Whether another request can go this way, as far as is known.
    pub fn stands(&self) -> bool {
        self.connection.is_some() && !self.sender.is_closed()
    }
}

/// Drives the connection for as long as the answer takes: no task, so nothing stays behind.
async fn alongside<T>(
    mut answer: std::pin::Pin<&mut impl Future<Output = T>>,
    connection: impl Future<Output = Result<(), hyper::Error>>,
) -> T {
    let mut connection = pin!(connection);
    let mut open = true;
    poll_fn(|context| {
        if let Poll::Ready(answer) = answer.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        // How the connection ended is told to the answer's side as well.
        open = open && connection.as_mut().poll(context).is_pending();
        Poll::Pending
    })
    .await
}

async fn read(response: Response<Incoming>, body_max: usize) -> Result<Answer, Fault> {
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    // What says "later" is clear from its status; its body is a help, no more.
    let body = match read_body(body, &head.headers, body_max).await {
        Err(_) if can_pass(status) => Zeroizing::default(),
        body => body?,
    };
    Ok(Answer { status, headers: head.headers, body })
}

async fn read_body(
    mut body: Incoming,
    headers: &HeaderMap,
    body_max: usize,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let too_large = || Fault::Protocol(ProtocolFault::TooLarge { bytes_max: body_max });
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let announced: usize = announced.unwrap_or(0);
    if announced > body_max {
        return Err(too_large());
    }
    // What is announced is not yet sent: memory is given for what a lie may cost at most.
    let mut bytes = Zeroizing::new(Vec::with_capacity(announced.min(ANNOUNCED_BYTES_TRUSTED)));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| fault(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > body_max {
            return Err(too_large());
        }
        append(&mut bytes, data);
    }
    Ok(bytes)
}

/// As much is set aside on the word of a `Content-Length`.
const ANNOUNCED_BYTES_TRUSTED: usize = 1024 * 1024;

/// Appends; where the vector must grow, what it leaves behind is wiped.
fn append(bytes: &mut Vec<u8>, data: &[u8]) {
    let needed = bytes.len() + data.len();
    if needed > bytes.capacity() {
        let mut larger = Vec::with_capacity(needed.max(bytes.capacity() * 2));
        larger.extend_from_slice(bytes);
        std::mem::replace(bytes, larger).zeroize();
    }
    bytes.extend_from_slice(data);
}

fn fault(error: &hyper::Error) -> Fault {
    if error.is_parse() || error.is_parse_too_large() {
        Fault::Protocol(ProtocolFault::NotHttp)
    } else {
        Fault::Passing(Failure::Dropped)
    }
}
