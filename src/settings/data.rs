//! Where a store's data is and what opens it, for the commands that work on the data themselves.
//! No manifest is asked: it may be a stranger's, and has no say in this.

use std::ffi::CStr;
use std::path::PathBuf;

use super::variables::Variables;
use super::{MasterKey, ReportFormat, Resolver, setting, value};
use crate::cli::DataOptions;
use crate::launch::problem::Problem;

/// What `inject store …` is run with, whatever it does.
pub struct DataSettings {
    pub data: PathBuf,
    pub master_key: MasterKey,
    pub report: ReportFormat,
}

/// The settings, or everything that is wrong with them.
pub fn resolve_data(
    options: &DataOptions,
    environment: &[&CStr],
) -> Result<DataSettings, Vec<Problem>> {
    let mut resolver = Resolver::without_manifest(environment);
    let settings = resolver.data_settings(options, environment);
    match settings {
        Some(settings) if resolver.faults.is_empty() => Ok(settings),
        _ => Err(resolver.faults),
    }
}

impl Resolver {
    pub(super) fn without_manifest(environment: &[&CStr]) -> Self {
        let mut faults = Vec::new();
        let variables = Variables::read(environment, &mut faults);
        Self { variables, manifest: None, faults, inherited: None }
    }

    /// Nothing where there is no data; then, as where an option is bad, a fault says so.
    pub(super) fn data_settings(
        &mut self,
        options: &DataOptions,
        environment: &[&CStr],
    ) -> Option<DataSettings> {
        let (file, command) = (&options.master_key_file, &options.master_key_command);
        let master_key = self.master_key(file.as_ref(), command.as_ref(), environment);
        let report = self.parsed("--report", "report", options.report.as_ref(), value::report);
        let data = match &options.data {
            Some(data) if data.as_os_str().is_empty() => {
                self.faults.push(setting("`--data`: it is empty; name a folder".to_owned()));
                return None;
            }
            Some(data) => Some(data.clone()),
            None => self.data(environment),
        };
        if data.is_none() {
            self.faults.push(Problem::Setting {
                fault: "it is not said where the store's data is, and there is no home for it"
                    .to_owned(),
                hint: Some("set `--data` or `INJECT_DATA` to a folder".to_owned()),
            });
        }
        let report = report.unwrap_or(ReportFormat::Text);
        Some(DataSettings { data: data?, master_key, report })
    }
}
