//! A store's database with anything in any column.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::database(input));
