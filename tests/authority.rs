//! Certificates as tests need them, good and bad: an authority, what it vouches for, and servers
//! that show what they should not. They are fresh in each run, so that no key lies in the sources.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData,
    date_time_ymd,
};
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedProtocolVersion};
use sha2::{Digest, Sha256};

/// Who vouches for others.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a server shows, and the key it has.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: KeyPair,
}

/// What a certificate says of itself.
#[derive(Clone, Copy)]
pub enum Says {
    Valid,
    Expired,
    NotYet,
    /// That it may vouch for others, as `openssl req -x509` has it say.
    Authority,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority("test authority");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// An authority below this one.
    pub fn below(&self) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority("one below");
        Self(CertifiedIssuer::signed_by(params, key, &self.0).expect("an authority"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, names: &[&str], says: Says) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let own = params(names, says).signed_by(&key, &self.0).expect("a certificate");
        Identity { chain: vec![own.der().clone()], key }
    }

    /// The same, with this authority's own certificate behind it.
    pub fn issue_chain(&self, names: &[&str]) -> Identity {
        let mut identity = self.issue(names, Says::Valid);
        identity.chain.push(self.0.der().clone());
        identity
    }
}

impl Identity {
    pub fn self_signed(names: &[&str], says: Says) -> Self {
        let key = KeyPair::generate().expect("a key");
        let own = params(names, says).self_signed(&key).expect("a certificate");
        Self { chain: vec![own.der().clone()], key }
    }

    /// Shows this one's certificate, and has another key.
    pub fn without_its_key(self) -> Self {
        Self { key: KeyPair::generate().expect("a key"), ..self }
    }

    /// Another certificate for the same key.
    pub fn again(&self, names: &[&str]) -> Self {
        let key = KeyPair::from_pem(&self.key.serialize_pem()).expect("it was just written");
        let own = params(names, Says::Valid).self_signed(&key).expect("a certificate");
        Self { chain: vec![own.der().clone()], key }
    }

    pub fn pin(&self) -> String {
        pin(&self.key)
    }

    /// A server's configuration, whether or not certificate and key belong together.
    pub fn server(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        let der = PrivateKeyDer::try_from(self.key.serialize_der()).expect("PKCS#8");
        let key = any_supported_type(&der).expect("a key on P-256");
        let shown = SingleCertAndKey::from(CertifiedKey::new(self.chain.clone(), key));
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("the provider speaks them")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

/// The pin of a key, by the definition.
pub fn pin(key: &KeyPair) -> String {
    let hash = Sha256::digest(key.subject_public_key_info());
    format!("sha256-{}", URL_SAFE_NO_PAD.encode(hash))
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn params(names: &[&str], says: Says) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names of hosts, and addresses");
    params.distinguished_name.push(DnType::CommonName, "test server");
    match says {
        Says::Valid => {}
        Says::Expired => params.not_after = date_time_ymd(2001, 2, 3),
        Says::NotYet => params.not_before = date_time_ymd(2999, 1, 1),
        Says::Authority => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
    }
    params
}
