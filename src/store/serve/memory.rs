//! Memory goes back to the system when those who took it are gone. It is looked when connections
//! ended, and not while they only ask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::store::serve::Server;
use crate::sys::give_back_memory;
use crate::sys::serving::resident_bytes;

/// Where one connection ends, others may: so long they are waited for.
const PAUSE: Duration = Duration::from_secs(2);
/// What makes it worth while, since it was done last: so many connections fewer, or so much more
/// memory in use.
const CONNECTIONS_FEWER_MIN: usize = 256;
const BYTES_MORE_MIN: u64 = 16 << 20;

/// For so long at most it is put off while somebody asks for something.
const QUIET_LOOKS_MAX: usize = 150;
const QUIET_PAUSE: Duration = Duration::from_millis(100);

/// How much there is of what takes memory.
#[derive(Clone, Copy)]
struct Seen {
    connections: usize,
    bytes: u64,
}

impl Seen {
    fn now(server: &Server) -> Self {
        let connections = server.admission.connections();
        Self { connections, bytes: resident_bytes().unwrap_or(0) }
    }

    fn is_worth_while(self, before: Self) -> bool {
        self.connections + CONNECTIONS_FEWER_MIN <= before.connections
            || self.bytes >= before.bytes + BYTES_MORE_MIN
    }
}

/// Looks again and again, whenever a connection ended.
pub async fn give_back(server: Arc<Server>) {
    let mut before = Seen::now(&server);
    loop {
        // What ends from here on is seen the next time.
        let ended = server.admission.ended();
        let now = Seen::now(&server);
        if now.is_worth_while(before) {
            quiet(&server).await;
            let begun = Instant::now();
            // It has nothing to fail at.
            let _done = spawn_blocking(give_back_memory).await;
            before = Seen::now(&server);
            server.log.debug("memory_given_back", |line| {
                line.number("before", now.bytes).number("bytes", before.bytes);
                line.milliseconds("ms", begun.elapsed());
            });
        } else {
            before.connections = before.connections.max(now.connections);
            before.bytes = before.bytes.min(now.bytes);
        }
        ended.await;
        sleep(PAUSE).await;
    }
}

/// Until nobody waits for an answer: whoever does would wait for memory, too.
async fn quiet(server: &Server) {
    for _ in 0..QUIET_LOOKS_MAX {
        if server.admission.requests_under_way() == 0 {
            return;
        }
        sleep(QUIET_PAUSE).await;
    }
}
