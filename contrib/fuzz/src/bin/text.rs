//! Text: every value as it is.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::text(input));
