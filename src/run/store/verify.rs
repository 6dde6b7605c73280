//! `inject store verify`: checkpoints are read here, and all that is wrong is told at once.

use std::ffi::CStr;
use std::fs;
use std::path::Path;

use crate::cli::StoreVerify;
use crate::launch::problem::Problem;
use crate::run::print;
use crate::run::store::{Data, Done, failed, faulty, held};
use crate::store::operations;
use crate::wire::Checkpoint;

pub fn run(options: &StoreVerify, environment: &[&'static CStr]) -> Done {
    let mut problems = Vec::new();
    let mut checkpoints = Vec::new();
    for path in &options.checkpoint {
        match read(path) {
            Ok(read) => checkpoints.extend(read),
            Err(problem) => problems.push(problem),
        }
    }
    let data = Data::resolve(&options.data, environment).map_err(|more| problems.extend(more));
    let (true, Ok(data)) = (problems.is_empty(), data) else {
        return Err(problems);
    };
    let survey = operations::verify(data.site(), &checkpoints).map_err(failed)?;
    if !survey.faults.is_empty() {
        return Err(faulty(survey.faults));
    }
    Ok(print(held::lines("everything is as it was written", &survey.held).as_bytes()))
}

/// Checkpoints as `inject audit checkpoint` prints them, one a line.
fn read(path: &Path) -> Result<Vec<Checkpoint>, Problem> {
    let text = fs::read_to_string(path).map_err(|error| Problem::File {
        path: path.to_owned(),
        doing: "read",
        error,
    })?;
    let bad = |line| Problem::Setting {
        fault: format!("`{}`, line {line}: this is no checkpoint", path.display()),
        hint: Some("give what `inject audit checkpoint` printed".to_owned()),
    };
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let read: Vec<Checkpoint> = lines
        .map(|(number, line)| serde_json::from_str(line).map_err(|_| bad(number)))
        .collect::<Result<_, _>>()?;
    if read.is_empty() { Err(bad(1)) } else { Ok(read) }
}
