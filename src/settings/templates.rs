//! The config files to render, from every source together: options, `INJECT_RENDER` and
//! `INJECT_MEMFD` one a line, and the manifest, whose paths are relative to it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::names::made_name;
use super::value::Faults;
use super::variables::Variables;
use super::{Additions, Origin, Resolver, Template, setting, value};
use crate::byte;
use crate::cli::Sources;
use crate::launch::document::{FileId, Output, Target, folder_of};
use crate::launch::format::Format;
use crate::manifest::{Manifest, Table};
use crate::name::{Environment, SecretName};

/// A config file, and where it was named.
pub(super) struct AddedTemplate {
    pub template: Template,
    pub origin: Origin,
}

/// One of several that are named alike, for what is wrong with it.
struct Named {
    origin: Origin,
    what: &'static str,
    number: usize,
}

/// What a setting or one table of the manifest means, or the faults that it has.
type Parsed<T> = Result<T, Vec<String>>;

impl Resolver {
    /// The format of every file, and where that was said.
    pub(super) fn format(&mut self, given: Option<&OsString>) -> Option<(Format, Origin)> {
        let (text, origin) = self.text("--format", "format", given)?;
        match value::format(&text) {
            Ok(format) => Some((format, origin)),
            Err(fault) => {
                self.fault(&origin, &fault);
                None
            }
        }
    }

    /// All of them, the manifest's first.
    pub(super) fn templates(
        &mut self,
        sources: &Sources,
        environment: Option<&Environment>,
    ) -> Vec<AddedTemplate> {
        let mut added = self.of_manifest("render", environment);
        added.extend(self.of_manifest("memfd", environment));
        for key in ["render", "memfd"] {
            let Some(lines) = self.variables.get(key).map(str::to_owned) else { continue };
            let variable = Origin::Variable(Variables::variable(key));
            for (number, line) in (1..).zip(lines.lines().map(str::trim)) {
                if !line.is_empty() {
                    let named = Named { origin: variable.clone(), what: "line", number };
                    self.put(of_line(key, line, environment), named, &mut added);
                }
            }
        }
        for (number, given) in (1..).zip(&sources.render) {
            let named = Named { origin: Origin::Option("--render"), what: "number", number };
            self.put(of_render(given.as_bytes()), named, &mut added);
        }
        for (number, given) in (1..).zip(&sources.memfd) {
            let named = Named { origin: Origin::Option("--memfd"), what: "number", number };
            self.put(of_memfd(given.as_bytes()), named, &mut added);
        }
        self.keep_highest(added)
    }

    fn put(&mut self, parsed: Parsed<Template>, named: Named, added: &mut Vec<AddedTemplate>) {
        let Named { origin, what, number } = named;
        match parsed {
            Ok(template) => added.push(AddedTemplate { template, origin }),
            Err(faults) => self.faults.extend(
                faults
                    .into_iter()
                    .map(|fault| setting(format!("{origin} {what} {number}: {fault}"))),
            ),
        }
    }

    /// The tables `[[render]]` and `[[memfd]]`.
    fn of_manifest(
        &mut self,
        key: &'static str,
        environment: Option<&Environment>,
    ) -> Vec<AddedTemplate> {
        let Some(manifest) = &self.manifest else { return Vec::new() };
        let origin = Origin::Manifest { path: manifest.path.clone(), key };
        let tables = manifest.tables(key);
        let parsed: Vec<_> = tables.map(|table| self.of_table(key, table, environment)).collect();
        let mut added = Vec::new();
        for (number, parsed) in (1..).zip(parsed) {
            let named = Named { origin: origin.clone(), what: "number", number };
            self.put(parsed, named, &mut added);
        }
        added
    }

    fn of_table(
        &self,
        key: &str,
        table: &Table,
        environment: Option<&Environment>,
    ) -> Parsed<Template> {
        let manifest = self.manifest.as_ref().expect("the table is of a manifest");
        let mut faults = Faults::default();
        let path = template_of(manifest, table, &mut faults);
        let target = match key {
            "render" => output_of(manifest, table, &mut faults).map(Target::Path),
            _ => memory_of(table, &mut faults),
        };
        let format = table.text("format").and_then(|text| faults.keep(value::format(text)));
        let literal = faults.keep_all(literal(table.list("literal"), environment));
        let (Some(path), Some(target), Some(literal)) = (path, target, literal) else {
            // One that is not among them was told when the manifest was read.
            return Err(faults.all());
        };
        faults.unless_any(Template { path, target, format, literal })
    }

    /// Where two are put at one place, the one counts that was named where that has most weight; in
    /// one place it cannot be said twice.
    fn keep_highest(&mut self, added: Vec<AddedTemplate>) -> Vec<AddedTemplate> {
        let mut kept: Vec<AddedTemplate> = Vec::with_capacity(added.len());
        let mut places: Vec<Option<Place>> = Vec::with_capacity(added.len());
        for this in added {
            let place = Place::of(&this.template.target);
            let same = |other: &Option<Place>| place.is_some() && *other == place;
            let Some(index) = places.iter().position(same) else {
                kept.push(this);
                places.push(place);
                continue;
            };
            if kept[index].origin.rank() < this.origin.rank() {
                kept[index] = this;
            } else if kept[index].origin.rank() == this.origin.rank() {
                let place = shown_place(&this.template.target);
                let fault = format!("{}: two files are rendered to {place}", this.origin);
                self.faults.push(setting(fault));
            }
        }
        kept
    }
}

/// The text of a key that a table must have.
fn needed<'t>(table: &'t Table, key: &str, faults: &mut Faults) -> Option<&'t str> {
    match table.text(key) {
        Some("") => faults.add(format!("`{key}` is empty")),
        Some(text) => return Some(text),
        None if table.has(key) => {}
        None => faults.add(format!("`{key}` is missing")),
    }
    None
}

fn template_of(manifest: &Manifest, table: &Table, faults: &mut Faults) -> Option<PathBuf> {
    let path = manifest.path_of(needed(table, "template", faults)?);
    if !manifest.trusted && manifest.leads_out(&path) {
        faults.add(
            "a manifest that was only found cannot read a template outside its own folder; trust \
             it with `--config`",
        );
    }
    Some(path)
}

fn output_of(manifest: &Manifest, table: &Table, faults: &mut Faults) -> Option<Output> {
    let path = needed(table, "output", faults).map(|output| manifest.path_of(output));
    if let Some(path) = path.as_ref().filter(|path| !manifest.trusted && !manifest.holds_new(path))
    {
        faults.add(match !folder_of(path).exists() {
            true => "the output's folder is not there; make it first",
            false => {
                "a manifest that was only found cannot write outside its own folder; trust it with \
                 `--config`"
            }
        });
    }
    // Its mode and owner are judged even where it has no path.
    let [mode, uid, gid] = ["mode", "uid", "gid"].map(|key| table.text(key));
    let mut output = faults.output(path.clone().unwrap_or_default(), mode, uid, gid);
    if !manifest.trusted {
        // It is judged again when its folder is open, and nothing can be put in between.
        match fs::metadata(manifest.folder()) {
            Ok(own) => output.within = Some(FileId::of(&own)),
            Err(_) => faults.add("its folder is gone"),
        }
    }
    path.map(|_| output)
}

fn memory_of(table: &Table, faults: &mut Faults) -> Option<Target> {
    match (table.has("variable"), table.has("descriptor")) {
        (true, false) => {
            let name = needed(table, "variable", faults)?;
            let name = faults.keep(value::path_variable(name.as_bytes()))?;
            Some(Target::Variable(name.to_vec()))
        }
        (false, true) => {
            let number = needed(table, "descriptor", faults)?;
            faults.keep(value::descriptor(number)).map(Target::Descriptor)
        }
        _ => {
            faults.add("write one of `variable` and `descriptor`");
            None
        }
    }
}

/// One line of a variable: what the option takes, and behind it what the manifest has keys for.
fn of_line(key: &str, line: &str, environment: Option<&Environment>) -> Parsed<Template> {
    let mut rest = line;
    let (mut format, mut names) = (None, Vec::new());
    let mut faults = Faults::default();
    while let Some((before, last)) = rest.rsplit_once(' ') {
        if let Some(text) = last.strip_prefix("format=") {
            format = faults.keep(value::format(text));
        } else if let Some(list) = last.strip_prefix("literal=") {
            names.extend(list.split(','));
        } else if let Some((key, _)) = last.split_once('=').filter(|(key, _)| is_key(key)) {
            faults.add(format!(
                "there is no `{key}=` behind a template; write `format=` or `literal=`"
            ));
        } else {
            break;
        }
        rest = before.trim_end();
    }
    let parse = if key == "render" { of_render } else { of_memfd };
    let literal = faults.keep_all(literal(names.into_iter(), environment));
    let template = faults.keep_all(parse(rest.as_bytes()));
    match (template, literal) {
        (Some(template), Some(literal)) => {
            faults.unless_any(Template { format, literal, ..template })
        }
        _ => Err(faults.all()),
    }
}

/// Whether a word looks like a key rather than like a part of a path.
fn is_key(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

fn of_render(text: &[u8]) -> Parsed<Template> {
    let (path, output) = value::render(text)?;
    Ok(Template::new(path, Target::Path(output)))
}

fn of_memfd(text: &[u8]) -> Parsed<Template> {
    let Some(equals @ 1..) = byte::find(b'=', text) else {
        return Err(vec!["write `VAR=TEMPLATE` or `NUMBER=TEMPLATE`".to_owned()]);
    };
    let (name, path) = (&text[..equals], &text[equals + 1..]);
    let mut faults = Faults::default();
    if path.is_empty() {
        faults.add("write `VAR=TEMPLATE` or `NUMBER=TEMPLATE`; the template is missing");
    }
    let Some(target) = faults.keep(value::memory_target(name)) else { return Err(faults.all()) };
    faults.unless_any(Template::new(PathBuf::from(OsStr::from_bytes(path)), target))
}

fn literal<'t>(
    names: impl Iterator<Item = &'t str>,
    environment: Option<&Environment>,
) -> Parsed<Vec<SecretName>> {
    let mut faults = Faults::default();
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    let made = names.filter_map(|name| faults.keep(made_name(name, environment))).collect();
    faults.unless_any(made)
}

/// Where a file is put, however the path is spelled. Variables are judged with all others.
#[derive(Eq, PartialEq)]
enum Place {
    Path(PathBuf),
    Descriptor(i32),
}

impl Place {
    fn of(target: &Target) -> Option<Self> {
        match target {
            Target::Path(output) => Some(Self::Path(of_output(&output.path))),
            Target::Descriptor(number) => Some(Self::Descriptor(*number)),
            Target::Variable(_) | Target::Stdout => None,
        }
    }
}

/// The path with its folder as it is: what stands at its end is replaced, and never followed.
fn of_output(path: &Path) -> PathBuf {
    match (fs::canonicalize(folder_of(path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}

fn shown_place(target: &Target) -> String {
    match target {
        Target::Path(output) => format!("`{}`", output.path.display()),
        Target::Descriptor(number) => format!("descriptor {number}"),
        Target::Variable(_) | Target::Stdout => String::new(),
    }
}

impl Additions {
    /// What the manifest, a variable or an option says of this config file.
    pub fn template(&self, path: &Path) -> Option<&Template> {
        let path = fs::canonicalize(path).ok()?;
        let same = |other: &&Template| fs::canonicalize(&other.path).is_ok_and(|it| it == path);
        self.templates.iter().find(same)
    }
}

impl Template {
    pub fn new(path: PathBuf, target: Target) -> Self {
        Self { path, target, format: None, literal: Vec::new() }
    }
}
