//! The command line's way to manage a store: one file a noun, each over the client and nothing
//! else. It reads and writes only what it is handed, and ends no process.

pub mod audit;
mod cell;
mod console;
mod error;
mod issued;
pub mod login;
pub mod member;
pub mod org;
mod pages;
mod prompt;
pub mod secret;
pub mod table;
pub mod time;
pub mod token;
pub mod workload;

pub use console::{Console, Look};
pub use error::{Asked, Error};
pub use prompt::{PromptError, Terminal};
