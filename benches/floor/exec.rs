//! The floor of a launch that needs nothing: it becomes its command, by std alone.
//!
//!     floor-exec -- COMMAND [ARG…]

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() -> io::Result<()> {
    let mut args = env::args_os().skip(2);
    let command = args.next().ok_or_else(|| io::Error::other("usage: floor-exec -- COMMAND"))?;
    Err(Command::new(command).args(args).exec())
}
