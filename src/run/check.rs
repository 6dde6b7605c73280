//! stub
use std::ffi::CStr;
pub fn run(_c: crate::cli::Check, _e: &[&CStr], _f: crate::settings::ReportFormat) -> u8 {
    0
}
