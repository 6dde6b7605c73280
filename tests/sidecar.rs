//! `inject sidecar` through the real binary, beside a real store that is served: what it renders,
//! when it renders again, whom it tells, what it bears.

mod changes;
mod crowd;
mod disks;
mod folder;
mod manifest;
mod proxy;
mod refused;
mod renewed;
mod side;
mod sockets;
mod supervisor;
mod tell;
mod trouble;
mod trust;
mod unit;

pub use side::{Scene, Side};
