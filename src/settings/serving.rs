//! The settings of `inject store serve`: where it listens, what it shows, how it logs.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::{DataSettings, Origin, Resolver, setting, value, value_of};
use crate::cli::StoreServe;
use crate::launch::problem::Problem;
use crate::listen::{ADDRESSES_MAX, ListenAddress};
use crate::log::{Format, Level};

const LISTEN_DEFAULT: &str = "127.0.0.1:7410";
/// A socket is its owner's alone unless something else is said.
const LISTEN_MODE_DEFAULT: u32 = 0o600;

/// Everything that a server is run with.
pub struct ServingSettings {
    pub data: DataSettings,
    pub listen: Vec<ListenAddress>,
    /// The mode of every unix socket.
    pub listen_mode: u32,
    pub transport: Transport,
    pub log_format: Format,
    pub log_level: Level,
    pub service: Service,
}

/// What is spoken over TCP; a unix socket is always plain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transport {
    /// TLS with the store's own certificate.
    Own,
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
    Plaintext,
}

/// What a supervisor such as systemd has said (sd_notify(3)).
#[derive(Clone, Debug, Default)]
pub struct Service {
    pub notify_socket: Option<OsString>,
    /// How often it wants to hear that this is alive.
    pub watchdog: Option<Duration>,
}

/// The settings, or everything that is wrong with them.
pub fn resolve_serving(
    options: &StoreServe,
    environment: &[&CStr],
) -> Result<ServingSettings, Vec<Problem>> {
    let mut resolver = Resolver::without_manifest(environment);
    let settings = resolver.serving(options, environment);
    match settings {
        Some(settings) if resolver.faults.is_empty() => Ok(settings),
        _ => Err(resolver.faults),
    }
}

impl Resolver {
    fn serving(&mut self, options: &StoreServe, environment: &[&CStr]) -> Option<ServingSettings> {
        let data = self.data_settings(&options.data, environment);
        let transport = self.transport(options);
        let listen = self.listen(&options.listen, transport == Transport::Plaintext);
        let listen_mode = options.listen_mode.as_ref();
        let listen_mode = self.parsed("--listen-mode", "listen-mode", listen_mode, value::mode);
        let (format, level) = (options.log_format.as_ref(), options.log_level.as_ref());
        let (log_format, log_level) = self.log(format, level);
        Some(ServingSettings {
            listen,
            listen_mode: listen_mode.unwrap_or(LISTEN_MODE_DEFAULT),
            transport,
            log_format,
            log_level,
            service: Service::of(environment),
            data: data?,
        })
    }

    /// How whatever stays tells what happens.
    pub(super) fn log(
        &mut self,
        format: Option<&OsString>,
        level: Option<&OsString>,
    ) -> (Format, Level) {
        let format = self.parsed("--log-format", "log-format", format, log_format);
        let level = self.parsed("--log-level", "log-level", level, log_level);
        (format.unwrap_or(Format::Text), level.unwrap_or(Level::Info))
    }

    fn listen(&mut self, options: &[OsString], is_plain: bool) -> Vec<ListenAddress> {
        let mut texts: Vec<(String, Origin)> = Vec::new();
        for option in options {
            // Where the first is the option, the variable is not asked.
            texts.extend(self.text("--listen", "listen", Some(option)));
        }
        if options.is_empty() {
            let (all, origin) = self
                .text("--listen", "listen", None)
                .unwrap_or_else(|| (LISTEN_DEFAULT.to_owned(), Origin::Option("--listen")));
            texts.extend(all.split(',').map(|one| (one.trim().to_owned(), origin.clone())));
        }
        if texts.len() > ADDRESSES_MAX {
            self.fault(&texts[0].1, &format!("more than {ADDRESSES_MAX} addresses are named"));
            return Vec::new();
        }
        let allowed = self.variables.get("allow-plaintext") == Some("1");
        let mut addresses = Vec::with_capacity(texts.len());
        for (text, origin) in texts {
            match ListenAddress::parse(&text) {
                Err(error) => self.fault(&origin, &format!("`{}`: {error}", text.escape_debug())),
                Ok(address) if is_plain && !allowed && !address.is_local() => {
                    self.fault(&origin, &exposed(&address));
                }
                Ok(address) if addresses.contains(&address) && !any_port(&address) => {
                    self.fault(&origin, &format!("`{address}` is named twice"));
                }
                Ok(address) => addresses.push(address),
            }
        }
        addresses
    }

    /// An option over a variable; the certificate and its key come from the same.
    fn transport(&mut self, options: &StoreServe) -> Transport {
        if options.plaintext {
            return Transport::Plaintext;
        }
        if let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) {
            return Transport::Files { certificate: certificate.clone(), key: key.clone() };
        }
        let path = |key| self.variables.get(key).map(PathBuf::from);
        let files = (path("tls-cert"), path("tls-key"));
        let plain = match self.variables.get("plaintext") {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => {
                self.fault(&Origin::Variable("INJECT_PLAINTEXT"), "write `1`, or leave it unset");
                false
            }
        };
        match (plain, files) {
            (true, (None, None)) => Transport::Plaintext,
            (false, (None, None)) => Transport::Own,
            (false, (Some(certificate), Some(key))) => Transport::Files { certificate, key },
            (true, _) => {
                let fault = "`INJECT_PLAINTEXT` and a certificate are both set; unset one of them";
                self.faults.push(setting(fault.to_owned()));
                Transport::Own
            }
            (false, _) => {
                let fault = "`INJECT_TLS_CERT` and `INJECT_TLS_KEY` are set together, or neither";
                self.faults.push(setting(fault.to_owned()));
                Transport::Own
            }
        }
    }
}

impl Service {
    fn of(environment: &[&CStr]) -> Self {
        let text = |name: &[u8]| value_of(environment, name).filter(|value| !value.is_empty());
        let number = |name: &[u8]| str::from_utf8(text(name)?).ok()?.parse::<u64>().ok();
        let process = number(b"WATCHDOG_PID");
        let is_meant = process.is_none_or(|process| process == u64::from(std::process::id()));
        let watchdog =
            number(b"WATCHDOG_USEC").filter(|microseconds| is_meant && *microseconds > 0);
        Self {
            notify_socket: notify_socket(environment),
            watchdog: watchdog.map(Duration::from_micros),
        }
    }
}

/// Where a supervisor listens, if there is one.
pub fn notify_socket(environment: &[&CStr]) -> Option<OsString> {
    let path = value_of(environment, b"NOTIFY_SOCKET").filter(|path| !path.is_empty())?;
    Some(OsStr::from_bytes(path).to_owned())
}

fn exposed(address: &ListenAddress) -> String {
    format!(
        "plain http on `{address}` would show secrets to the network; only loopback is listened \
         on so, unless `INJECT_ALLOW_PLAINTEXT=1`"
    )
}

/// Port 0 may be asked for as often as ports are wanted.
fn any_port(address: &ListenAddress) -> bool {
    matches!(address, ListenAddress::Tcp(address) if address.port() == 0)
}

fn log_format(text: &str) -> Result<Format, String> {
    Format::parse(text).ok_or_else(|| "write `text` or `json`".to_owned())
}

fn log_level(text: &str) -> Result<Level, String> {
    Level::parse(text).ok_or_else(|| "write `error`, `warn`, `info` or `debug`".to_owned())
}
