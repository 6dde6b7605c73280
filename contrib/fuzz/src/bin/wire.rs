//! Bodies of requests and answers.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::wire(input));
