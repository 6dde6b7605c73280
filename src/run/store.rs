//! `inject store …`: settings are parsed here, the rest is for the store.

mod serve;

use std::ffi::CStr;

use crate::cli::Store;
use crate::launch::problem::exit;
use crate::settings::ReportFormat;

pub fn run(store: Store, environment: &[&'static CStr], format: ReportFormat) -> u8 {
    match store {
        Store::Serve(options) => serve::run(&options, environment, format),
        Store::Init(_)
        | Store::Backup(_)
        | Store::Restore(_)
        | Store::Rekey(_)
        | Store::Verify(_) => exit::INTERNAL,
    }
}
