//! An organization's day, end to end: a served store, its people, their tokens and what they
//! launch, all through the real binary, over TLS with the pin that the server prints.

mod check;
mod crowd;
mod day;
mod endpoints;
mod login;
pub mod served;
mod tokens;
mod trail;
pub mod trust;
mod upkeep;

pub use served::{Day, Served, init};
