//! The queries of lists, and their cursors.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::cursor(input));
