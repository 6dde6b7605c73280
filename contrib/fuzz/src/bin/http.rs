//! Any bytes to the store's HTTP face.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::http(input));
