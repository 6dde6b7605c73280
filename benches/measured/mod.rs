//! Which `inject` is measured. It measures nothing.

use std::env;
use std::path::PathBuf;

/// The one that `MEASURED` names, which `run` sets to the release; else the one that Cargo built
/// for this bench, with the features that tests add to some libraries.
pub fn inject() -> PathBuf {
    env::var_os("MEASURED").map_or_else(|| env!("CARGO_BIN_EXE_inject").into(), PathBuf::from)
}
