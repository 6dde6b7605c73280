//! The store as a service, through the real binary and real sockets: where it listens, what it says
//! on the way, how it ends, and what it bears.

pub mod crowd;
mod deleted;
mod end;
mod leavers;
mod listen;
mod log;
mod probes;
pub mod server;
mod supervisor;
mod watchers;

use server::{Connection, Reply, Server};
