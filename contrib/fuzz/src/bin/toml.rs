//! TOML, read by `toml` and `toml-span`.
#![no_main]
use inject::launch::format::Format;
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::check(Format::Toml, input));
