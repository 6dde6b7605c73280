//! What `inject login` was given, and what it keeps → settings: when a kept token is sent, and to
//! whom.

use std::ffi::{CStr, OsString};
use std::path::{Path, PathBuf};

use super::saved::{self, Address, Found, Login};
use super::{Asks, Origin, Resolver, Settings, Store, Strangers, setting};
use crate::cli::{Common, Sources};
use crate::client::Endpoint;
use crate::launch::problem::Problem;
use crate::manifest::Manifest;
use crate::name::OrgName;

/// What a login needs.
pub struct LoginSettings {
    /// With the token, where an option says which file holds it.
    pub settings: Settings,
    /// Each with the pin that it is trusted by.
    pub addresses: Vec<Address>,
    /// Where the token is kept.
    pub path: PathBuf,
}

/// The settings of `inject login URL`. Neither a manifest that is merely found nor a token of the
/// environment has a say in it.
pub fn resolve_login(
    url: &OsString,
    common: &Common,
    environment: &[&CStr],
) -> Result<LoginSettings, Vec<Problem>> {
    let mut resolver = Resolver::with(Strangers::Ignored, common, environment);
    let addresses = resolver.login_addresses(url, common, environment);
    let store = with_pins(&url.to_string_lossy(), &addresses);
    let common = Common { store: Some(store.into()), ..common.clone() };
    let path = saved::path(environment);
    let file = common.token_file.as_ref();
    let token = file.and_then(|file| resolver.token_file(file, &Origin::Option("--token-file")));
    if path.is_none() {
        let fault = "there is no home to keep a token in; set `HOME` or `XDG_CONFIG_HOME`";
        resolver.faults.push(setting(fault.to_owned()));
    }
    if !resolver.faults.is_empty() {
        return Err(resolver.faults);
    }
    let mut settings =
        resolver.finish(&Sources::default(), &common, environment, Asks::StoreForLogin)?;
    // An organization that is set for launches is none that this token has to be for.
    let option = common.org.as_ref().and_then(|org| OrgName::parse(org.to_str()?).ok());
    settings.org = option;
    settings.token = token;
    let path = path.unwrap_or_default();
    if let Store::Endpoints(endpoints) = &mut settings.store {
        let typed = url.to_string_lossy();
        let without_pin = |(_, typed): &(_, &str)| !typed.contains('#');
        for (endpoint, _) in endpoints.iter_mut().zip(typed.split(',')).filter(without_pin) {
            endpoint.pin_is_kept_in(&path);
        }
    }
    Ok(LoginSettings { settings, addresses, path })
}

/// The addresses as they were typed, with the pins that are known by now.
fn with_pins(text: &str, addresses: &[Address]) -> String {
    let with_pin = |(typed, address): (&str, &Address)| match address.pin {
        Some(_) => address.shown(),
        None => typed.to_owned(),
    };
    text.split(',').zip(addresses).map(with_pin).collect::<Vec<_>>().join(",")
}

impl Resolver {
    /// A login without a pin is by the one that is known already: it does not take it away.
    fn login_addresses(
        &mut self,
        url: &OsString,
        common: &Common,
        environment: &[&CStr],
    ) -> Vec<Address> {
        let origin = Origin::Option("URL");
        if common.store.is_some() {
            self.fault(&origin, "it is the store's address, so leave `--store` out");
        }
        if common.master_key_file.is_some() || common.master_key_command.is_some() {
            let fault =
                "a master key opens an embedded store, and a login is to none; leave it out";
            self.fault(&origin, fault);
        }
        let text = url.to_string_lossy();
        let endpoints = self.endpoints(&text).unwrap_or_else(|errors| {
            errors.iter().for_each(|error| self.fault(&origin, &error.to_string()));
            Vec::new()
        });
        let mut addresses = Address::of_list(&text, &endpoints);
        // A file that cannot be used is told before a token is asked for.
        let completed = saved::path(environment).map(|path| saved::complete(&path, &mut addresses));
        if let Some(Err(error)) = completed {
            self.faults.push(setting(error.to_string()));
        }
        addresses
    }

    /// What `inject login` keeps for the store, where no token is set for it. A login is the user's
    /// own word, so it counts for a store that a stranger's manifest names too: the address, and
    /// what it was trusted by, are exactly those of the login.
    /// Where a token is set, the pin alone is taken up, and not even that where the user says who
    /// vouches for the store.
    pub(super) fn log_in(
        &mut self,
        settings: &mut Settings,
        text: &str,
        common: &Common,
        environment: &[&CStr],
    ) {
        let Store::Endpoints(endpoints) = &mut settings.store else { return };
        if !self.faults.is_empty() {
            return;
        }
        let Some(path) = saved::path(environment) else { return };
        if settings.token.is_some() {
            if !self.has_own_authorities(common)
                && let Err(fault) = self.pin(endpoints, text, &path)
            {
                self.faults.push(setting(fault));
            }
            return;
        }
        match saved::look_up(&path, text, endpoints, settings.org.as_ref()) {
            Found::Nothing => {}
            Found::Several(orgs) => settings.org_choices = orgs,
            Found::Withheld(why) => settings.login_withheld = Some(why),
            Found::Login(login) => {
                settings.login_withheld = self.take_up(login, settings, &path).err();
            }
        }
    }

    /// Has each address that is written without a pin believed by the one of its login. A file that
    /// cannot be used may hold one, so that nobody is believed; another user's is nobody's here.
    fn pin(&self, endpoints: &mut [Endpoint], text: &str, path: &Path) -> Result<(), String> {
        let mut addresses = Address::of_list(text, endpoints);
        let open: Vec<_> = (endpoints.iter().zip(&addresses))
            .map(|(endpoint, address)| endpoint.is_tls() && address.pin.is_none())
            .collect();
        if !open.contains(&true) {
            return Ok(());
        }
        match saved::complete(path, &mut addresses) {
            Err(error) if error.is_anothers() => return Ok(()),
            completed => completed.map_err(|error| error.to_string())?,
        }
        for ((endpoint, address), _) in
            endpoints.iter_mut().zip(&addresses).zip(open).filter(|(_, open)| *open)
        {
            if address.pin.is_some() {
                *endpoint = self.endpoint(address, path)?;
            }
        }
        Ok(())
    }

    /// Sets what a login says, or tells why its token is not sent.
    fn take_up(&self, login: Login, settings: &mut Settings, path: &Path) -> Result<(), String> {
        let Store::Endpoints(endpoints) = &mut settings.store else { return Ok(()) };
        let Login { org, token, addresses } = login;
        if let Some(manifest) = self.manifest.as_ref().filter(|manifest| names_ca(manifest))
            && addresses.iter().any(|address| address.pin.is_none())
        {
            return Err(format!(
                "the token of your login is not sent to who is vouched for by the `ca-file` of \
                 the manifest `{0}`, as it was only found; trust it with `--config {0}`",
                manifest.path.display()
            ));
        }
        for (endpoint, address) in endpoints.iter_mut().zip(&addresses) {
            if address.pin.is_some() {
                *endpoint = self.endpoint(address, path)?;
            }
        }
        let texts: Vec<_> = addresses.iter().map(|address| address.text.as_str()).collect();
        settings.login = Some(texts.join(","));
        settings.org = Some(org);
        settings.token = Some(token);
        Ok(())
    }

    fn endpoint(&self, address: &Address, path: &Path) -> Result<Endpoint, String> {
        let endpoints = self.endpoints(&address.shown()).map_err(|errors| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            format!("what `inject login` kept is no address: {}", errors.join("; "))
        })?;
        let endpoint = endpoints.into_iter().next();
        let mut endpoint =
            endpoint.ok_or_else(|| "what `inject login` kept is empty".to_owned())?;
        endpoint.pin_is_kept_in(path);
        Ok(endpoint)
    }
}

/// A stranger's own authority could vouch for anyone.
fn names_ca(manifest: &Manifest) -> bool {
    !manifest.trusted && manifest.text("ca-file").is_some()
}
