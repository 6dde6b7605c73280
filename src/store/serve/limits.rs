//! What a server takes from those who connect, each limit by its name. What is over one is closed,
//! or told to come back (429, 503 with `Retry-After`), before it costs memory.

use std::time::Duration;

/// Connections in all, but for those that watch. Fewer where the process may have fewer descriptors
/// open.
pub const CONNECTIONS_MAX: usize = 4096;
/// Connections from one address: one part in so many of those that are free then. That is 1024 for
/// one that is alone, and fewer where others have many, so that several greedy ones leave some. An
/// address is an IPv4 address, an IPv6 network of 64 bits (which is one machine's to choose from),
/// or all unix sockets together.
pub const CONNECTIONS_FREE_PER_ADDRESS: usize = 3;
/// Connections on which a watch was let in, beside all others: so as many sidecars as these leave
/// the places of launchers alone, and those of one address may come from behind one address, too.
/// What descriptors are left over for them, where the process may have fewer open.
pub const CONNECTIONS_WATCHING_MAX: usize = 15_000;
/// Those of one organization: so many times as many as are free then. That is 11,250 for one that
/// is alone. What is over this counts as any other connection.
pub const CONNECTIONS_WATCHING_TIMES_FREE: usize = 3;
/// Descriptors that are kept for files, listeners and the log.
pub const DESCRIPTORS_KEPT: usize = 64;

/// TLS handshakes at once, of all and of one address; more of them wait for their turn, in their
/// own time. A client that has not sent its whole greeting yet has none of these places.
pub const HANDSHAKES_MAX: usize = 1024;
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 128;
/// How long a TLS handshake may take, from the connection's beginning.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a request's line and headers may take, from the first byte or the connection's
/// beginning.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a request's body may take.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(20);
/// How long an answer may take to be read.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// How long a connection may wait between two requests.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(60);
/// How long and how many bytes of a body that nobody wanted are read, so that its client reads the
/// answer that says so before the connection's end takes it away.
pub const LINGER_TIME_MAX: Duration = Duration::from_secs(1);
pub const LINGER_BYTES_MAX: usize = 1024 * 1024;
/// How long requests under way may take to end when the server does.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(8);
/// How long the store may take to answer the read of `/readyz`.
pub const READY_TIME_MAX: Duration = Duration::from_secs(2);

/// The bytes of a request's line and headers.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of one request.
pub const HEADERS_MAX: usize = 64;
/// Requests under way at once. One that waits for its client, to send a body, does not count, nor
/// one that is held on purpose, as a watch is.
pub const REQUESTS_MAX: usize = 1024;
/// Bytes of request bodies in memory at once, of all requests together. One address gets one part
/// in so many of those that are free then: half of all for one that is alone.
pub const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;
pub const BODY_BYTES_FREE_PER_ADDRESS: usize = 1;
/// Bodies up to this length are not counted: as many as there are connections take no more than
/// those that are. So who sends much, however slowly, is in nobody's way who sends little.
pub const BODY_BYTES_UNCOUNTED: usize = 16 * 1024;
/// Bytes of answers that are made or wait to be read, of all together. One organization gets one
/// part in so many of those that are free then: half of all for one that is alone, and a resolve
/// that takes more than that is refused for good.
pub const ANSWERS_BYTES_MAX: usize = 128 * 1024 * 1024;
pub const ANSWER_BYTES_FREE_PER_ORGANIZATION: usize = 1;
/// Answers up to this length are not counted: as many as there are connections take no more.
pub const ANSWER_BYTES_UNCOUNTED: usize = 16 * 1024;

/// Log lines a second about each kind of thing that strangers can cause.
pub const LINES_PER_SECOND_MAX: u32 = 10;
/// Secret names that one line of the log shows.
pub const LOGGED_NAMES_MAX: usize = 32;
/// Threads that answer requests: as many as there are processors, and no more than this.
pub const WORKERS_MAX: usize = 4;
