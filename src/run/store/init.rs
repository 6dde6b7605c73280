//! `inject store init`: the first organization and its owner, parsed here.

use std::ffi::CStr;
use std::io::Write as _;

use crate::cli::StoreInit;
use crate::launch::problem::Problem;
use crate::name::{EmailAddress, OrgName};
use crate::run::print;
use crate::run::store::{Data, Done, failed};
use crate::store::operations;
use crate::sys;

pub fn run(options: &StoreInit, environment: &[&'static CStr]) -> Done {
    let mut problems = Vec::new();
    let mut setting = |option: &str, error: &dyn std::fmt::Display| {
        problems.push(Problem::Setting { fault: format!("`{option}`: {error}"), hint: None });
    };
    let organization = OrgName::parse(&options.org.to_string_lossy());
    let organization = organization.map_err(|error| setting("--org", &error)).ok();
    let owner = EmailAddress::parse(&options.owner.to_string_lossy());
    let owner = owner.map_err(|error| setting("--owner", &error)).ok();
    let data = Data::resolve(&options.data, environment).map_err(|more| problems.extend(more)).ok();
    let (Some(organization), Some(owner), Some(data)) = (organization, owner, data) else {
        return Err(problems);
    };
    let made = operations::init(data.site(), &organization, &owner).map_err(failed)?;
    let folder = data.folder.display();
    // Where stderr cannot be written, the store is made all the same.
    let _ = writeln!(
        sys::stderr(),
        "a new store is in `{folder}`, sealed under the master key in {}; keep a copy of that key, \
         without which no value can be read",
        data.master_key.shown()
    );
    let token = made.token;
    let _ = writeln!(sys::stderr(), "the first token of `{owner}`, which is shown this once:");
    let mut line = token.expose_secret().to_vec();
    line.push(b'\n');
    let code = print(&line);
    if code != 0 {
        let _ = writeln!(
            sys::stderr(),
            "the store is made all the same, and nobody saw the token: `INJECT_DATA={folder} \
             inject token create --org {organization} --member {owner}` makes another"
        );
    }
    Ok(code)
}
