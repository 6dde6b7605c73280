//! `inject store rekey`: what was done, and what became of the old key.

use std::ffi::CStr;

use crate::cli::StoreRekey;
use crate::run::print;
use crate::run::store::{Data, Done, failed};
use crate::store::operations::{self, OldKey, Rekeyed};

pub fn run(options: &StoreRekey, environment: &[&'static CStr]) -> Done {
    let data = Data::resolve(&options.data, environment)?;
    let Rekeyed { secrets, key, old } = operations::rekey(data.site()).map_err(failed)?;
    let plural = if secrets == 1 { "" } else { "s" };
    let mut text =
        format!("sealed {secrets} secret{plural} anew, under the master key with id {key}\n");
    text.push_str(&match old {
        OldKey::Gone { path } => format!(
            "`{}` holds that one alone; keep a copy of it, and make a new backup, for those from \
             before need the old key\n",
            path.display()
        ),
        OldKey::MayGo { source } => format!(
            "nothing in the store needs the keys behind the first in {source} any more; backups \
             from before do\n"
        ),
    });
    Ok(print(text.as_bytes()))
}
