//! `INJECT_*`: which of them are settings, and their values.

use std::ffi::CStr;

use serde::Deserialize;

use super::setting;
use crate::byte;
use crate::launch::problem::Problem;

const PREFIX: &[u8] = b"INJECT_";

macro_rules! variables {
    ($($field:ident $key:literal $variable:literal)*) => {
        /// The settings among the variables of that prefix; everything else of it is ignored, as
        /// Kubernetes sets `INJECT_PORT` and the like for a Service named `inject`.
        #[derive(Default, Deserialize)]
        pub struct Variables {
            $($field: Option<String>,)*
        }

        impl Variables {
            /// A setting by its key.
            pub fn get(&self, key: &str) -> Option<&str> {
                match key {
                    $($key => self.$field.as_deref(),)*
                    _ => None,
                }
            }

            /// The variable that makes a setting.
            pub fn variable(key: &str) -> &'static str {
                match key {
                    $($key => $variable,)*
                    _ => "INJECT_*",
                }
            }

            fn is_setting(variable: &[u8]) -> bool {
                [$($variable.as_bytes(),)*].contains(&variable)
            }
        }
    };
}

variables! {
    allow_plaintext "allow-plaintext" "INJECT_ALLOW_PLAINTEXT"
    ca_file "ca-file" "INJECT_CA_FILE"
    config "config" "INJECT_CONFIG"
    data "data" "INJECT_DATA"
    env_file "env-file" "INJECT_ENV_FILE"
    environment "environment" "INJECT_ENVIRONMENT"
    export "export" "INJECT_EXPORT"
    export_from "export-from" "INJECT_EXPORT_FROM"
    format "format" "INJECT_FORMAT"
    listen "listen" "INJECT_LISTEN"
    listen_mode "listen-mode" "INJECT_LISTEN_MODE"
    literal "literal" "INJECT_LITERAL"
    log_format "log-format" "INJECT_LOG_FORMAT"
    log_level "log-level" "INJECT_LOG_LEVEL"
    master_key "master-key" "INJECT_MASTER_KEY"
    master_key_command "master-key-command" "INJECT_MASTER_KEY_COMMAND"
    master_key_file "master-key-file" "INJECT_MASTER_KEY_FILE"
    memfd "memfd" "INJECT_MEMFD"
    org "org" "INJECT_ORG"
    plaintext "plaintext" "INJECT_PLAINTEXT"
    render "render" "INJECT_RENDER"
    report "report" "INJECT_REPORT"
    require "require" "INJECT_REQUIRE"
    scan_env "scan-env" "INJECT_SCAN_ENV"
    store "store" "INJECT_STORE"
    timeout "timeout" "INJECT_TIMEOUT"
    tls_cert "tls-cert" "INJECT_TLS_CERT"
    tls_key "tls-key" "INJECT_TLS_KEY"
    token "token" "INJECT_TOKEN"
    token_file "token-file" "INJECT_TOKEN_FILE"
    workload "workload" "INJECT_WORKLOAD"
}

impl Variables {
    /// Reads the environment. An empty variable counts as not set: compose files leave such behind.
    pub fn read(environment: &[&CStr], faults: &mut Vec<Problem>) -> Self {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for entry in environment.iter().map(|entry| entry.to_bytes()) {
            let Some(equals) = byte::find(b'=', entry) else { continue };
            let (name, value) = (&entry[..equals], &entry[equals + 1..]);
            if !name.starts_with(PREFIX) || value.is_empty() || !Self::is_setting(name) {
                continue;
            }
            let name = String::from_utf8_lossy(name).into_owned();
            match std::str::from_utf8(value) {
                Ok(_) if pairs.iter().any(|(known, _)| *known == name) => {}
                Ok(value) => pairs.push((name, value.to_owned())),
                Err(_) => faults.push(setting(format!("`{name}`: it is not UTF-8"))),
            }
        }
        if pairs.is_empty() {
            return Self::default();
        }
        envy::prefixed("INJECT_").from_iter(pairs).expect("every field is an optional text")
    }
}
