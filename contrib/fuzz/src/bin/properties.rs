//! Properties, read as java.util.Properties does.
#![no_main]
use inject::launch::format::Format;
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::check(Format::Properties, input));
