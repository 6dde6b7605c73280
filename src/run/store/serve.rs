//! `inject store serve`: settings into a server's, and what it says to a terminal.

use std::ffi::CStr;
use std::io::Write;
use std::path::Path;

use crate::cli::StoreServe;
use crate::client::TIMEOUT_DEFAULT;
use crate::launch::problem::{Problem, exit};
use crate::listen::ListenAddress;
use crate::log::Log;
use crate::notify::Notifier;
use crate::run::join::{key_source, not_opened, operator};
use crate::run::tell_problems;
use crate::settings::serving::{ServingSettings, Transport, resolve_serving};
use crate::settings::{MasterKey, ReportFormat};
use crate::store::serve::{self, Acceptor, Config, ServeError};
use crate::store::tls::{ServerIdentity, TlsError};
use crate::store::{OpenErrorKind, Store};
use crate::sys;

pub fn run(options: &StoreServe, environment: &[&'static CStr], format: ReportFormat) -> u8 {
    let settings = match resolve_serving(options, environment) {
        Ok(settings) => settings,
        Err(problems) => return tell_problems(problems, format),
    };
    let format = settings.data.report;
    sys::end_at_signals();
    sys::hold_values();
    match serve(settings) {
        Ok(()) => 0,
        Err(problems) => tell_problems(problems, format),
    }
}

/// Opens the store, then listens: a store that does not open is never listened for.
fn serve(settings: ServingSettings) -> Result<(), Vec<Problem>> {
    let ServingSettings { data, listen, listen_mode, transport, log_format, log_level, service } =
        settings;
    let system = |what: &str| {
        let what = what.to_owned();
        move |error| vec![failed(format!("{what}: {error}"))]
    };
    let is_key_exposed = matches!(data.master_key, MasterKey::Value(_));
    // The warning is a line of the log.
    let source = key_source(data.master_key, &data.data, false);
    let operator = operator();
    let store =
        Store::open_to_serve(&data.data, &source, &operator, TIMEOUT_DEFAULT).map_err(|error| {
            match error.kind() {
                OpenErrorKind::NoStore => vec![no_store(&data.data)],
                OpenErrorKind::Key | OpenErrorKind::Io => vec![not_opened(error)],
            }
        })?;
    let acceptor = acceptor(&transport, &listen, &data.data)
        .map_err(|error| vec![failed(error.to_string())])?;
    let (log, end) = Log::start(log_level, log_format, sys::stderr())
        .map_err(system("cannot start the log's thread"))?;
    if is_key_exposed {
        log.warn("master_key_exposed", |line| {
            line.text("variable", "INJECT_MASTER_KEY");
            line.text("advice", "other programs of this user can read it; a file is safer");
        });
    }
    let notifier = Notifier::connect(service.notify_socket.as_deref())
        .map_err(system("cannot reach the supervisor at `NOTIFY_SOCKET`"))?;
    let watchdog = service.watchdog;
    let config = Config { listen, listen_mode, acceptor, log: log.clone(), notifier, watchdog };
    let served = serve::serve(store, config, |address| announce(address, &log));
    end.flush();
    served.map_err(|error| match error {
        ServeError::Bind(errors) => errors.iter().map(|error| failed(error.to_string())).collect(),
        ServeError::System { .. } => vec![failed(error.to_string())],
    })
}

fn failed(what: String) -> Problem {
    Problem::Command { exit: exit::INPUT_OUTPUT, what }
}

/// A line to copy. Where standard output takes none, the log has the address too.
fn announce(address: &str, log: &Log) {
    let line = format!("INJECT_STORE={address}\n");
    if let Err(error) = sys::stdout().write_all(line.as_bytes()) {
        log.warn("address_not_printed", |line| {
            line.text("error", error);
        });
    }
}

/// What is spoken over TCP. An own certificate is made only where somebody can see it.
fn acceptor(
    transport: &Transport,
    listen: &[ListenAddress],
    data: &Path,
) -> Result<Acceptor, TlsError> {
    let any_tcp = listen.iter().any(|address| matches!(address, ListenAddress::Tcp(_)));
    Ok(match transport {
        Transport::Own if any_tcp => {
            Acceptor::Tls { acceptor: ServerIdentity::own(data)?.acceptor(), is_own: true }
        }
        Transport::Files { certificate, key } => {
            let identity = ServerIdentity::files(certificate, key)?;
            Acceptor::Tls { acceptor: identity.acceptor(), is_own: false }
        }
        Transport::Own | Transport::Plaintext => Acceptor::Plain,
    })
}

fn no_store(data: &Path) -> Problem {
    Problem::Setting {
        fault: format!("there is no store in `{}`", data.display()),
        hint: Some("prepare one with `inject store init --org NAME --owner ADDRESS`".to_owned()),
    }
}
