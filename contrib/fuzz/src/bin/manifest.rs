//! The files `inject.toml` and `credentials.toml`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::manifest(input));
