//! The floor of a store under load: a bare hyper server that reads the request's body and gives the
//! same answer to everything, on as many threads as the store has. It checks and records nothing.
//!
//!     floor-serve FILE

use std::env;
use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::thread::available_parallelism;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// As many as the store has at most.
const WORKERS_MAX: usize = 4;

fn main() -> io::Result<()> {
    let file = env::args_os().nth(1).ok_or_else(|| io::Error::other("usage: floor-serve FILE"))?;
    let answer = Bytes::from(fs::read(file)?);
    let processors = available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(processors.min(WORKERS_MAX))
        .enable_io()
        .build()?
        .block_on(serve(answer))
}

async fn serve(answer: Bytes) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, answer.clone()));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // At the end of a round its connections are cut, whatever is under way.
            let _cut = connection.await;
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    answer: Bytes,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    let mut response = Response::new(Full::new(answer));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
