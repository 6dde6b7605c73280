//! Globs, and lists of them.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::glob(input));
