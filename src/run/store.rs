//! `inject store …`: settings are parsed here, the rest is for the store.

use std::ffi::CStr;

use crate::cli::Store;
use crate::launch::problem::exit;
use crate::settings::ReportFormat;

pub fn run(store: Store, _environment: &[&'static CStr], _format: ReportFormat) -> u8 {
    match store {
        Store::Serve(_) => exit::INTERNAL,
        Store::Init(_)
        | Store::Backup(_)
        | Store::Restore(_)
        | Store::Rekey(_)
        | Store::Verify(_) => exit::INTERNAL,
    }
}
