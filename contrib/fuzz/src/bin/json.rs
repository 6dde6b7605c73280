//! JSON, read by this crate's own reader.
#![no_main]
use inject::launch::format::Format;
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::check(Format::Json, input));
