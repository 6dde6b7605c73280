//! `inject render`: one config file with its values, to standard output or to a file.

use std::fs;

use crate::cli::{Render, Sources};
use crate::launch::document::{Output, Target};
use crate::launch::template;
use crate::run::join::Join;
use crate::run::{print, tell, tell_problems};
use crate::settings::{self, Additions, Template};
use crate::sys::Process;

pub fn run(line: Render, process: &Process) -> u8 {
    let Render { template, output, format, names, common } = line;
    let sources = Sources { format, names, ..Sources::default() };
    let environment = &process.environment;
    let mut settings = match settings::resolve(&sources, &common, environment) {
        Ok(settings) => settings,
        Err(problems) => {
            return tell_problems(problems, settings::failure_format(&common, environment));
        }
    };
    let report = settings.report;
    let target = output.map_or(Target::Stdout, |path| Target::Path(Output::new(path)));
    let mut template = Template::new(template, target);
    as_the_manifest_has_it(&mut template, &settings.additions);
    let join = Join::new(&mut settings);
    match template::render(&template, settings, join) {
        Ok(Some(contents)) => print(contents.expose_secret()),
        Ok(None) => 0,
        Err(failed) => tell(&failed, report),
    }
}

/// What the manifest, or a variable, says of this file holds here too.
fn as_the_manifest_has_it(template: &mut Template, additions: &Additions) {
    let Ok(this) = fs::canonicalize(&template.path) else { return };
    let same = |other: &&Template| fs::canonicalize(&other.path).is_ok_and(|other| other == this);
    if let Some(named) = additions.templates.iter().find(same) {
        template.format = named.format;
        template.literal.clone_from(&named.literal);
    }
}
