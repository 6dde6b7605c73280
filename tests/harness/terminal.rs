//! A terminal that a test types on and reads from.

use std::io::{Read, Write};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use super::contains;

/// A pseudo-terminal. Its descriptor is closed on exec from the first moment, so that no program
/// which another test starts meanwhile finds it.
pub struct Terminal {
    pub path: String,
    master: nix::pty::PtyMaster,
}

impl Terminal {
    pub fn new() -> Self {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).expect("a pseudo-terminal is free");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
        Self { path: ptsname_r(&master).expect("it has a name"), master }
    }

    /// Options of `probe start` that make it the controlling terminal, as descriptor 9.
    pub fn situation(&self) -> [String; 4] {
        ["--open".into(), format!("9:{}", self.path), "--terminal".into(), "9".into()]
    }

    pub fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("somebody has it open");
    }

    /// Reads what the screen shows, until `wanted` stands in it.
    pub fn shows(&mut self, wanted: &str) -> String {
        let mut screen = Vec::new();
        while !contains(&screen, wanted.as_bytes()) {
            let mut part = [0; 4096];
            let count = self.master.read(&mut part).unwrap_or(0);
            let so_far = String::from_utf8_lossy(&screen);
            assert!(count > 0, "the terminal closed before it showed `{wanted}`: {so_far}");
            screen.extend_from_slice(&part[..count]);
        }
        String::from_utf8_lossy(&screen).into_owned()
    }

    /// What it shows until the last program closed it.
    pub fn rest(&mut self) -> String {
        let mut screen = Vec::new();
        // On Linux the end of a terminal is the error EIO.
        let _ = self.master.read_to_end(&mut screen);
        String::from_utf8_lossy(&screen).into_owned()
    }
}
