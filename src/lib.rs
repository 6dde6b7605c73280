//! The map of this house. Two wings, launcher and store, know nothing of each other but the wire
//! between them; `run` alone joins them. ARCHITECTURE.md names each invariant with its test.

pub mod admin;
pub mod client;
pub mod name;
pub mod secret;
pub mod wire;
