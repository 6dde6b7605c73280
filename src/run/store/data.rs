//! Where the store is and where its master key comes from, out of options and `INJECT_*`.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::DataOptions;
use crate::launch::problem::Problem;
use crate::run::join;
use crate::run::store::Data;
use crate::secret::Secret;
use crate::settings::{self, MasterKey};

/// How long each step waits for other processes.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

pub fn resolve(options: &DataOptions, environment: &[&CStr]) -> Result<Data, Vec<Problem>> {
    let Some(folder) = folder(options, environment) else {
        return Err(vec![Problem::Setting {
            fault: "there is no home, and no folder is set for the store".to_owned(),
            hint: Some("set `--data` or `INJECT_DATA` to a folder".to_owned()),
        }]);
    };
    let master_key = join::key_source(master_key(options, environment), &folder, true);
    Ok(Data { folder, master_key, operator: join::operator() })
}

fn folder(options: &DataOptions, environment: &[&CStr]) -> Option<PathBuf> {
    let path =
        |name: &[u8]| set(environment, name).map(|value| PathBuf::from(OsStr::from_bytes(value)));
    // The XDG base directory specification: a relative path is to be ignored.
    let absolute = |name: &[u8]| path(name).filter(|path| path.is_absolute());
    options
        .data
        .clone()
        .or_else(|| path(b"INJECT_DATA"))
        .or_else(|| Some(absolute(b"XDG_DATA_HOME")?.join("inject")))
        .or_else(|| Some(absolute(b"HOME")?.join(".local/share/inject")))
}

fn master_key(options: &DataOptions, environment: &[&CStr]) -> MasterKey {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let variable = |name: &[u8]| set(environment, name);
    let option = options.master_key_command.as_ref();
    None.or_else(|| options.master_key_file.clone().map(MasterKey::File))
        .or_else(|| option.map(|command| MasterKey::Command(text(command.as_bytes()))))
        .or_else(|| {
            let path = variable(b"INJECT_MASTER_KEY_FILE")?;
            Some(MasterKey::File(OsStr::from_bytes(path).into()))
        })
        .or_else(|| Some(MasterKey::Command(text(variable(b"INJECT_MASTER_KEY_COMMAND")?))))
        .or_else(|| Some(MasterKey::Value(Secret::new(variable(b"INJECT_MASTER_KEY")?.to_vec()))))
        .or_else(|| credential(environment).map(MasterKey::Credential))
        .unwrap_or(MasterKey::Default)
}

/// The master key among the credentials that systemd gave to this service, if it is there.
fn credential(environment: &[&CStr]) -> Option<PathBuf> {
    let folder = set(environment, b"CREDENTIALS_DIRECTORY")?;
    let path = Path::new(OsStr::from_bytes(folder)).join("inject-master-key");
    path.exists().then_some(path)
}

/// A variable that is not empty.
fn set<'e>(environment: &[&'e CStr], name: &[u8]) -> Option<&'e [u8]> {
    settings::value_of(environment, name).filter(|value| !value.is_empty())
}
