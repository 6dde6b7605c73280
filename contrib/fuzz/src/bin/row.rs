//! Rows that are sealed or carry a code, and audit chains.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::row(input));
