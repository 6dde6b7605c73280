//! The `$NAME` scanner, with all of its settings.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::grammar(input));
