//! The web page: how it is served, and what it does in a real browser.

mod serving;
mod shortened;
