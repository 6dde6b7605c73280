//! YAML, read by ports of libyaml and of yaml-rust.
#![no_main]
use inject::launch::format::Format;
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::check(Format::Yaml, input));
