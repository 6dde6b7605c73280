//! stub
use std::ffi::CStr;
pub fn run(_c: crate::cli::Secret, _e: &[&CStr], _f: crate::settings::ReportFormat) -> u8 {
    0
}
