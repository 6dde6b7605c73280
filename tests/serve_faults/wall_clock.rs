//! Another process's clock, set forward and back while it runs, or from its first moment on. A
//! static binary takes no preloaded library, and it is told the time by the kernel's page in its
//! own memory, without a system call: so it is that page's function which is replaced, in that one
//! process.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use nix::sys::signal::Signal;

use crate::harness::{Run, Started, eventually, needs_root, probe};

/// Which of the kernel's clocks (clock_gettime(2)).
#[derive(Clone, Copy)]
pub enum Kind {
    Wall = 0,
    /// What deadlines are counted by. It never goes back.
    Monotonic = 1,
}

/// A clock of one process, this much ahead of everybody else's. A process has one such clock.
pub struct Clock {
    memory: File,
    /// Where its seconds stand.
    seconds: u64,
}

/// `clock_gettime(which, *time)` as the system call, with seconds added where it is that clock; the
/// eight bytes behind it are the seconds.
#[cfg(target_arch = "x86_64")]
const fn shifted(kind: Kind) -> [u8; 24] {
    [
        0xb8, 0xe4, 0x00, 0x00, 0x00, // mov eax, 228
        0x0f, 0x05, // syscall
        0x83, 0xff, kind as u8, // cmp edi, kind
        0x75, 0x0a, // jne to the end
        0x48, 0x8b, 0x0d, 0x05, 0x00, 0x00, 0x00, // mov rcx, [the seconds]
        0x48, 0x01, 0x0e, // add [rsi], rcx
        0xc3, // ret
        0x90,
    ]
}
#[cfg(not(target_arch = "x86_64"))]
compile_error!("say here how this processor calls `clock_gettime`");

impl Clock {
    /// Of a process that waits for something at the moment.
    pub fn of(pid: u32, kind: Kind) -> Self {
        needs_root();
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"));
        let memory = memory.expect("root may look into it");
        let (start, page) = kernel_page(pid, &memory);
        let function = start + symbol(&page, b"__vdso_clock_gettime");
        let code = shifted(kind);
        let seconds = function + code.len() as u64;
        let clock = Self { memory, seconds };
        clock.set(0);
        clock.memory.write_all_at(&code, function).expect("a tracer may write there");
        clock
    }

    /// A program that begins at so many seconds from now: it stops before its first instruction,
    /// and goes on when its clock is set.
    pub fn start(run: Run<'_>, seconds: i64) -> Started {
        // What arranges its situation is the first program.
        let probe = probe().to_str().expect("the target directory is UTF-8");
        let started = run.within([probe, "pause", "2", "--"]).start();
        let is_stopped = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", started.pid())).ok()?;
            stat.rsplit_once(") ")?.1.starts_with('T').then_some(())
        };
        eventually(is_stopped).expect("it stops before its first instruction");
        Self::of(started.pid(), Kind::Wall).set(seconds);
        started.signal(Signal::SIGCONT);
        started
    }

    /// From now on it is so many seconds later for that process.
    pub fn set(&self, seconds: i64) {
        let bytes = seconds.to_ne_bytes();
        self.memory.write_all_at(&bytes, self.seconds).expect("a tracer may write there");
    }
}

/// Where the kernel's page is, and what is in it.
fn kernel_page(pid: u32, memory: &File) -> (u64, Vec<u8>) {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).expect("every process has it");
    let range = line.split(' ').next().and_then(|range| range.split_once('-'));
    let (start, end) = range.expect("a range");
    let number = |text| u64::from_str_radix(text, 16).expect("an address");
    let mut page = vec![0; (number(end) - number(start)) as usize];
    memory.read_exact_at(&mut page, number(start)).expect("it is mapped");
    (number(start), page)
}

/// Where a function begins, by the dynamic symbols (elf(5)).
fn symbol(image: &[u8], wanted: &[u8]) -> u64 {
    const SYMBOLS: u64 = 11;
    let number = |at: u64, bytes: usize| {
        let at = at as usize;
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(&image[at..at + bytes]);
        u64::from_le_bytes(value)
    };
    let header = |index: u64| number(0x28, 8) + index * number(0x3a, 2);
    let place = |header: u64| number(header + 0x18, 8);
    let table = (0..number(0x3c, 2)).map(header).find(|at| number(at + 4, 4) == SYMBOLS);
    let table = table.expect("it has symbols");
    let names = place(header(number(table + 0x28, 4)));
    let entries = (0..number(table + 0x20, 8) / 24).map(|index| place(table) + index * 24);
    let name = |entry: u64| {
        let text = &image[(names + number(entry, 4)) as usize..];
        text.split(|byte| *byte == 0).next().unwrap_or_default()
    };
    let found = entries.into_iter().find(|entry| name(*entry) == wanted);
    number(found.expect("the kernel tells the time there") + 8, 8)
}
