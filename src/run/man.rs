//! `inject man`: a page of the manual, from the same definition as the help.

use crate::cli;
use crate::launch::problem::{Problem, exit};
use crate::run::{print, tell_problems};
use crate::settings::ReportFormat;

pub fn run(words: &[String], format: ReportFormat) -> u8 {
    // Help is no page of its own.
    let mut whole = cli::definition().disable_help_subcommand(true);
    whole.build();
    let mut command = &whole;
    for word in words {
        command = match command.find_subcommand(word) {
            Some(found) => found,
            None => {
                let fault = format!("there is no command `inject {}`", words.join(" "));
                let hint = Some("see `inject --help`".to_owned());
                return tell_problems(vec![Problem::Setting { fault, hint }], format);
            }
        };
    }
    let source = format!("inject {}", whole.get_version().unwrap_or_default());
    let mut page = Vec::new();
    match clap_mangen::Man::new(command.clone()).source(source).render(&mut page) {
        Ok(()) => print(&page),
        Err(_) => exit::INTERNAL,
    }
}
