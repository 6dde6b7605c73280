//! `inject store backup`: to a file that is not there yet, or to standard output.

use std::ffi::CStr;
use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use crate::cli::StoreBackup;
use crate::launch::problem::Problem;
use crate::run::print;
use crate::run::store::{Data, Done, failed, faulty, held};
use crate::store::operations::{self, Target};
use crate::sys;

pub fn run(options: &StoreBackup, environment: &[&'static CStr]) -> Done {
    let data = Data::resolve(&options.data, environment)?;
    let to_stdout = options.file.as_os_str() == "-";
    let stdout = sys::stdout();
    if to_stdout && stdout.as_fd().is_terminal() {
        return Err(vec![Problem::Setting {
            fault: "a backup is not for a terminal".to_owned(),
            hint: Some("name a file, or send it on: `inject store backup - | …`".to_owned()),
        }]);
    }
    let stream = stdout.as_fd().try_clone_to_owned().map(File::from);
    let stream = stream.map_err(|error| {
        vec![Problem::File { path: "standard output".into(), doing: "write to", error }]
    })?;
    let target = if to_stdout { Target::Stream(&stream) } else { Target::File(&options.file) };
    let made = operations::backup(data.site(), target).map_err(failed)?;
    let survey = made.survey;
    let shown =
        if to_stdout { "standard output".into() } else { options.file.display().to_string() };
    let title = format!("backed up to {shown}, {} bytes", made.bytes);
    let text = format!(
        "{}it is sealed under the {}, which it does not hold: keep a copy of that elsewhere\n",
        held::lines(&title, &survey.held),
        held::keys(&survey.held)
    );
    let code = match to_stdout {
        true => {
            // Where stderr cannot be written, the backup is made all the same.
            let _ = sys::stderr().write_all(text.as_bytes());
            0
        }
        false => print(text.as_bytes()),
    };
    if survey.faults.is_empty() {
        return Ok(code);
    }
    let mut problems = vec![Problem::StoreFailed {
        what: "the backup is made, and what is damaged in the store is damaged in it; `inject \
               store restore` will not take it before that is mended"
            .to_owned(),
    }];
    problems.extend(faulty(survey.faults));
    Err(problems)
}
