//! `inject render`: one config file with its values, to standard output or to a file.

use std::path::Path;

use crate::cli::{Render, Sources};
use crate::launch::document::{Output, Target};
use crate::launch::format::Format;
use crate::launch::template;
use crate::run::join::Join;
use crate::run::{print, tell, tell_problems};
use crate::settings::{self, Additions, Template};
use crate::sys::Process;

pub fn run(line: Render, process: &Process) -> u8 {
    let Render { template, output, format, names, common } = line;
    let sources = Sources { format, names, ..Sources::default() };
    let environment = &process.environment;
    let mut settings = match settings::resolve_alone(&sources, &common, environment) {
        Ok(settings) => settings,
        Err(problems) => {
            return tell_problems(problems, settings::failure_format(&common, environment));
        }
    };
    let report = settings.report;
    let output = output.filter(|path| path != Path::new("-"));
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

/// What the manifest, or a variable, says of this file holds here too. On standard output, where
/// nothing else has a name, that of its output counts.
fn as_the_manifest_has_it(template: &mut Template, additions: &Additions) {
    let Some(named) = additions.template(&template.path) else { return };
    template.format = named.format;
    if template.target == Target::Stdout && template.format.is_none() {
        template.format = Some(Format::of(&template.path, named.target.path()));
    }
    template.literal.clone_from(&named.literal);
}
