//! Tokens, made, altered and made up.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::token(input));
