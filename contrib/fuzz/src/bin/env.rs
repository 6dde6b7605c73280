//! Env files, read as python-dotenv and a shell do.
#![no_main]
use inject::launch::format::Format;
libfuzzer_sys::fuzz_target!(|input: &[u8]| inject_fuzz::check(Format::Env, input));
