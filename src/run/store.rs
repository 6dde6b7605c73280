//! `inject store …`: settings are parsed here, the rest is for the store.

use std::ffi::CStr;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{DataOptions, Store};
use crate::launch::problem::{Problem, exit};
use crate::run::join::{key_source, operator};
use crate::run::tell_problems;
use crate::settings::{self, DataSettings, ReportFormat};
use crate::store::MasterKeySource;
use crate::store::operations::{Faults, OperationError, OperationErrorKind, Site};
use crate::sys;

mod backup;
mod held;
mod init;
mod rekey;
mod restore;
mod serve;
mod verify;

/// How long each step waits for other processes.
const WAIT_MAX: Duration = Duration::from_secs(30);

pub fn run(store: Store, environment: &[&'static CStr], format: ReportFormat) -> u8 {
    if let Store::Serve(options) = &store {
        return serve::run(options, environment, format);
    }
    sys::end_at_signals();
    sys::hold_values();
    let done = match store {
        Store::Serve(_) => return exit::INTERNAL,
        Store::Init(options) => init::run(&options, environment),
        Store::Backup(options) => backup::run(&options, environment),
        Store::Restore(options) => restore::run(&options, environment),
        Store::Rekey(options) => rekey::run(&options, environment),
        Store::Verify(options) => verify::run(&options, environment),
    };
    match done {
        Ok(code) => code,
        Err(problems) => tell_problems(problems, format),
    }
}

/// What one of them answers: a code, or all that is wrong.
type Done = Result<u8, Vec<Problem>>;

/// The data directory and what opens it, as the settings have them.
struct Data {
    folder: PathBuf,
    master_key: MasterKeySource,
    operator: String,
}

impl Data {
    fn resolve(options: &DataOptions, environment: &[&CStr]) -> Result<Self, Vec<Problem>> {
        let DataSettings { data: folder, master_key, report } =
            settings::resolve_data(options, environment)?;
        let master_key = key_source(master_key, &folder, report == ReportFormat::Text);
        Ok(Self { folder, master_key, operator: operator() })
    }

    fn site(&self) -> Site<'_> {
        Site {
            directory: &self.folder,
            master_key: &self.master_key,
            operator: &self.operator,
            wait_max: WAIT_MAX,
        }
    }
}

fn failed(error: OperationError) -> Vec<Problem> {
    let what = error.to_string();
    match error.kind() {
        OperationErrorKind::Usage => vec![Problem::Setting { fault: what, hint: None }],
        OperationErrorKind::Io => vec![Problem::StoreFailed { what }],
    }
}

/// Everything that is wrong, one by one.
fn faulty(faults: Faults) -> Vec<Problem> {
    let failed = |what| Problem::StoreFailed { what };
    let mut problems: Vec<_> = faults.told.iter().map(|fault| failed(fault.to_string())).collect();
    if faults.more > 0 {
        problems.push(failed(format!("and {} more", faults.more)));
    }
    problems
}
