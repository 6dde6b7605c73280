//! The map of this house. Two wings, launcher and store, know nothing of each other but the wire
//! between them; `run` alone joins them. ARCHITECTURE.md names each invariant with its test.

pub mod admin;
pub mod byte;
pub mod cli;
pub mod client;
pub mod grant;
pub mod install;
pub mod launch;
pub mod listen;
pub mod log;
pub mod manifest;
pub mod name;
pub mod notify;
pub mod pattern;
pub mod private_file;
pub mod run;
pub mod secret;
pub mod settings;
pub mod sidecar;
pub mod staging;
pub mod store;
pub mod sys;
pub mod wire;
