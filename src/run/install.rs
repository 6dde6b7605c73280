//! `inject install`: this program at a path.

use crate::cli::Install;
use crate::install::{InstallError, install};
use crate::launch::problem::Problem;
use crate::run::tell_problems;
use crate::settings::ReportFormat;
use crate::sys;

pub fn run(line: &Install, format: ReportFormat) -> u8 {
    sys::end_at_signals();
    match install(&line.path) {
        Ok(()) => 0,
        Err(InstallError { path, doing, error }) => {
            tell_problems(vec![Problem::File { path, doing, error }], format)
        }
    }
}
