//! `inject store restore`: from a file, or from standard input.

use std::ffi::CStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::cli::StoreRestore;
use crate::launch::problem::Problem;
use crate::run::print;
use crate::run::store::{Data, Done, failed, faulty, held};
use crate::store::operations::{self, OperationError};
use crate::sys;

pub fn run(options: &StoreRestore, environment: &[&'static CStr]) -> Done {
    let data = Data::resolve(&options.data, environment)?;
    let (input, shown) = open(&options.file).map_err(|problem| vec![problem])?;
    let survey = operations::restore(data.site(), &input, &shown).map_err(|error| {
        let text = error.to_string();
        match error {
            OperationError::BackupDamaged { survey, .. } => {
                let mut problems = vec![Problem::StoreFailed { what: text }];
                problems.extend(faulty(survey.faults));
                problems
            }
            error => failed(error),
        }
    })?;
    let title = format!("restored to {}", data.folder.display());
    Ok(print(held::lines(&title, &survey.held).as_bytes()))
}

fn open(path: &Path) -> Result<(File, PathBuf), Problem> {
    let (opened, shown) = match path.as_os_str() == "-" {
        true => (sys::stdin(), "standard input".into()),
        false => (File::open(path), path.to_owned()),
    };
    match opened {
        Ok(file) => Ok((file, shown)),
        Err(error) => Err(Problem::File { path: shown, doing: "read", error }),
    }
}
