//! Arguments and environment → run → exit code. The process ends here and nowhere else.
#![no_main]

use inject::sys::{Process, Wiping};

#[global_allocator]
static ALLOCATOR: Wiping = Wiping;

inject::entry_point!(start);

fn start(process: Process) -> i32 {
    inject::run::run(process).into()
}
