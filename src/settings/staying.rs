//! The settings of `inject sidecar`: what is rendered and where, who is told, where it is asked how
//! it is.

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::sys::signal::Signal;

use super::serving::notify_socket;
use super::{Asks, Origin, Resolver, Settings, Store, setting, value};
use crate::cli::{Common, Sidecar, Sources};
use crate::launch::document::Target;
use crate::launch::problem::Problem;
use crate::listen::ListenAddress;
use crate::log::{Format, Level};

/// A socket is its owner's alone unless something else is said.
const PROXY_MODE_DEFAULT: u32 = 0o600;

/// Everything that a sidecar is run with.
pub struct StayingSettings {
    pub settings: Settings,
    /// The folder in which all outputs change at once; their paths are names in it.
    pub into: Option<PathBuf>,
    pub signal: Option<(Signal, OsString)>,
    pub once: bool,
    pub listen: Option<ListenAddress>,
    /// The path of the socket, and its mode.
    pub proxy: Option<(PathBuf, u32)>,
    /// Where a supervisor such as systemd listens (sd_notify(3)).
    pub notify_socket: Option<OsString>,
    pub log_format: Format,
    pub log_level: Level,
}

/// What a sidecar takes of a launch's options.
pub fn sources(options: &Sidecar) -> Sources {
    Sources {
        render: options.render.clone(),
        format: options.format.clone(),
        names: options.names.clone(),
        ..Sources::default()
    }
}

/// The settings, or everything that is wrong with them.
pub fn resolve_staying(
    options: &Sidecar,
    environment: &[&CStr],
) -> Result<StayingSettings, Vec<Problem>> {
    let common: &Common = &options.common;
    let mut resolver = Resolver::new(common, environment);
    let sources = sources(options);
    let mut settings = resolver.settings(&sources, common, environment, Asks::StoreForFiles);
    keep_files(&mut settings);
    let settings = resolver.staying(options, settings, environment);
    if resolver.faults.is_empty() { Ok(settings) } else { Err(resolver.faults) }
}

/// Of what a launch reads and adds, only files at paths are a sidecar's.
fn keep_files(settings: &mut Settings) {
    let additions = &mut settings.additions;
    additions.env_files.clear();
    additions.export_from.clear();
    additions.env.clear();
    additions.export.clear();
    additions.as_file.clear();
    additions.templates.retain(|template| matches!(template.target, Target::Path(_)));
}

impl Resolver {
    fn staying(
        &mut self,
        options: &Sidecar,
        mut settings: Settings,
        environment: &[&CStr],
    ) -> StayingSettings {
        if let Some(folder) = &options.into {
            names_below(folder, &mut settings);
        }
        let listen = self.parsed("--listen", "listen", options.listen.as_ref(), address);
        let signal = self.signal(options);
        let proxy = self.proxy(options, &settings);
        let (format, level) = (options.log_format.as_ref(), options.log_level.as_ref());
        let (log_format, log_level) = self.log(format, level);
        let staying = StayingSettings {
            into: options.into.clone(),
            signal,
            once: options.once,
            listen: listen.filter(|_| !options.once),
            proxy,
            notify_socket: notify_socket(environment),
            log_format,
            log_level,
            settings,
        };
        if let Some(folder) = &options.into {
            self.names_inside(folder, &staying.settings);
        }
        if staying.settings.additions.templates.is_empty() && staying.proxy.is_none() {
            let fault = "nothing is to be rendered".to_owned();
            let hint = Some("name a config file with `--render TEMPLATE:OUTPUT`".to_owned());
            self.faults.push(Problem::Setting { fault, hint });
        }
        staying
    }

    fn signal(&mut self, options: &Sidecar) -> Option<(Signal, OsString)> {
        let (text, process) = (options.signal.as_ref()?, options.process.clone()?);
        if process.is_empty() || process.as_bytes().contains(&b'/') {
            self.fault(&Origin::Option("--process"), "write a program's name, such as `nginx`");
        }
        match text.to_str().and_then(signal) {
            Some(signal) => Some((signal, process)),
            None => {
                let fault = "write a signal's name or number, such as `HUP`, `USR1` or `15`";
                self.fault(&Origin::Option("--signal"), fault);
                None
            }
        }
    }

    fn proxy(&mut self, options: &Sidecar, settings: &Settings) -> Option<(PathBuf, u32)> {
        let option = "--proxy";
        let address = self.parsed(option, "proxy", options.proxy.as_ref(), address)?;
        let mode = options.proxy_mode.as_ref();
        let mode = self
            .parsed("--proxy-mode", "proxy-mode", mode, value::mode)
            .unwrap_or(PROXY_MODE_DEFAULT);
        if let Store::Embedded { .. } = settings.store {
            self.fault(&Origin::Option(option), "it needs a store that is served; set `--store`");
        }
        match address {
            ListenAddress::Unix(path) => Some((path, mode)),
            ListenAddress::Tcp(_) => {
                let fault = "only a unix socket knows who connects; write `unix:PATH`";
                self.fault(&Origin::Option(option), fault);
                None
            }
        }
    }

    /// With a folder in which all outputs change at once, each is a name inside it.
    fn names_inside(&mut self, folder: &Path, settings: &Settings) {
        for template in &settings.additions.templates {
            let Some(path) = template.target.path().filter(|path| !is_inside(path)) else {
                continue;
            };
            self.faults.push(setting(format!(
                "`--into {}`: the output `{}` is not a name inside that folder, such as `app.yaml`",
                folder.display(),
                path.display()
            )));
        }
    }
}

/// An absolute path below the folder is a name in it.
fn names_below(folder: &Path, settings: &mut Settings) {
    let Ok(folder) = std::path::absolute(folder) else { return };
    for template in &mut settings.additions.templates {
        if let Target::Path(output) = &mut template.target
            && let Ok(name) = output.path.strip_prefix(&folder)
        {
            output.path = name.to_owned();
        }
    }
}

/// Names that begin with two dots are the folder's own.
fn is_inside(path: &Path) -> bool {
    let own = |name: &std::ffi::OsStr| name.as_bytes().starts_with(b"..");
    let normal = |part| matches!(part, Component::Normal(name) if !own(name));
    let ends = path.as_os_str().as_bytes().ends_with(b"/");
    !path.as_os_str().is_empty() && !ends && path.components().all(normal)
}

fn address(text: &str) -> Result<ListenAddress, String> {
    ListenAddress::parse(text).map_err(|error| format!("`{}`: {error}", text.escape_debug()))
}

/// `HUP`, `SIGHUP` or `1`.
fn signal(text: &str) -> Option<Signal> {
    if let Ok(number) = text.parse::<i32>() {
        return Signal::try_from(number).ok();
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    format!("SIG{name}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        for text in ["HUP", "SIGHUP", "hup", "sighup", "1"] {
            assert_eq!(signal(text), Some(Signal::SIGHUP), "{text}");
        }
        for text in ["", "SIG", "SIGSIGHUP", "HUB", "0", "-1", "99", "1.0"] {
            assert_eq!(signal(text), None, "{text}");
        }
    }

    #[test]
    fn names_inside_a_folder() {
        for (path, expected) in [
            ("app.yaml", true),
            ("conf/app.yaml", true),
            (".env", true),
            ("", false),
            ("/app.yaml", false),
            ("../app.yaml", false),
            ("a/../../b", false),
            ("./app.yaml", false),
            ("..data", false),
            ("conf/", false),
        ] {
            assert_eq!(is_inside(Path::new(path)), expected, "{path}");
        }
    }
}
