//! The web page: how it is served, and what it does in a real Chromium, driven as a person does:
//! what is found by role and accessible name is clicked and typed. `tests/run` installs the
//! browser, its driver and axe-core.

mod axe;
mod browser;
mod driver;
mod element;
mod network;
mod sight;
mod site;

mod audit;
mod conflicts;
mod hostile;
mod keyboard;
mod looks;
mod many;
mod people;
mod pictures;
mod reader;
mod secrets;
mod serving;
mod shortened;
mod sign_in;
mod silence;
mod trouble;
mod workloads;

use browser::Browser;
use site::Site;
