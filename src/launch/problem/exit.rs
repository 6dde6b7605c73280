//! The exit codes besides the application's own (sysexits(3) where it has them).

pub const USAGE: u8 = 64;
pub const REWRITE: u8 = 65;
pub const UNAVAILABLE: u8 = 69;
pub const INTERNAL: u8 = 70;
pub const INPUT_OUTPUT: u8 = 74;
pub const REFUSED: u8 = 77;
pub const MISSING: u8 = 78;
pub const NOT_EXECUTABLE: u8 = 126;
pub const NOT_FOUND: u8 = 127;
pub const BROKEN_PIPE: u8 = 128 + 13;

/// Of the codes that apply, the first of these is the process's own.
pub const ORDER: [u8; 9] = [
    USAGE,
    NOT_FOUND,
    NOT_EXECUTABLE,
    UNAVAILABLE,
    INPUT_OUTPUT,
    INTERNAL,
    REWRITE,
    MISSING,
    REFUSED,
];
