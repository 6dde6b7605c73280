//! Questions on the terminal, with and without echo. Whatever ends a question, the terminal is
//! left as it was found.

mod line;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices as Key, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use crate::secret::Secret;

use line::Line;

/// The longest answer that is echoed, in bytes.
const ECHOED_BYTES_MAX: usize = 1024;

/// The terminal of this session, whatever stdin and stdout are.
pub struct Terminal(File);

#[derive(Debug)]
pub enum PromptError {
    /// There is no terminal, or it does not work.
    Terminal(io::Error),
    /// The question was left without an answer.
    Ended,
    TooLong,
    /// A key that is no character, such as an arrow, which would be part of the value unseen.
    ControlCharacter,
}

impl Terminal {
    pub fn open() -> Result<Self, PromptError> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/tty");
        Ok(Self(file.map_err(PromptError::Terminal)?))
    }

    /// A terminal that is open already.
    #[cfg(test)]
    pub(super) fn over(file: File) -> Self {
        Self(file)
    }

    /// Asks for a line that anyone may see.
    pub fn ask(&self, question: &str) -> Result<String, PromptError> {
        self.say(question)?;
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut buffer = [0; 256];
            line.extend_from_slice(self.read(&mut buffer)?);
            if line.len() > ECHOED_BYTES_MAX {
                return Err(PromptError::TooLong);
            }
        }
        Ok(String::from_utf8_lossy(line.trim_ascii()).into_owned())
    }

    /// Asks for a line of at most `bytes_max` without showing it. A terminal's own line editing
    /// would cut it at 4,095 bytes, so the few keys that matter are understood here.
    pub fn ask_hidden(&self, question: &str, bytes_max: usize) -> Result<Secret, PromptError> {
        let signals = CaughtSignals::new()?;
        let hidden = Hidden::new(&self.0)?;
        self.say(question)?;
        let mut line = Line::new(&hidden.before, bytes_max);
        let answer = self.read_line(question, &signals, &hidden, &mut line);
        drop(hidden);
        self.say("\n")?;
        answer.map(|()| line.into_secret())
    }

    fn read_line(
        &self,
        question: &str,
        signals: &CaughtSignals,
        hidden: &Hidden<'_>,
        line: &mut Line,
    ) -> Result<(), PromptError> {
        loop {
            match self.wait(signals)? {
                Event::Key => {
                    let mut keys = Zeroizing::new([0; 256]);
                    for &key in self.read(&mut keys)? {
                        if line.take(key)? {
                            return Ok(());
                        }
                    }
                }
                // Whoever stopped this process may have turned the echo on since.
                Event::Signal(Signal::SIGCONT) => hidden.hide()?,
                Event::Signal(signal) => {
                    hidden.show();
                    signals.let_through(signal)?;
                    // It was a stop, and that is over.
                    hidden.hide()?;
                    self.say(question)?;
                }
                Event::Nothing => {}
            }
        }
    }

    fn say(&self, text: &str) -> Result<(), PromptError> {
        (&self.0).write_all(text.as_bytes()).map_err(PromptError::Terminal)
    }

    fn read<'b>(&self, buffer: &'b mut [u8; 256]) -> Result<&'b [u8], PromptError> {
        loop {
            match (&self.0).read(buffer) {
                Ok(0) => return Err(PromptError::Ended),
                Ok(n) => return Ok(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(PromptError::Terminal(error)),
            }
        }
    }

    /// Waits for a key or a signal; a signal goes first.
    fn wait(&self, signals: &CaughtSignals) -> Result<Event, PromptError> {
        let mut both = [
            PollFd::new(self.0.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.descriptor.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut both, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(system(errno)),
        }
        // A terminal that is gone is to be read as well: that is how its end shows.
        let key = both[0].any().unwrap_or(true);
        match signals.take()? {
            Some(signal) => Ok(Event::Signal(signal)),
            None if key => Ok(Event::Key),
            None => Ok(Event::Nothing),
        }
    }
}

enum Event {
    Key,
    Signal(Signal),
    Nothing,
}

/// A terminal that does not echo, until this is dropped.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn new(terminal: &'a File) -> Result<Self, PromptError> {
        let before = tcgetattr(terminal).map_err(system)?;
        let hidden = Self { terminal, before };
        hidden.hide()?;
        Ok(hidden)
    }

    fn hide(&self) -> Result<(), PromptError> {
        let mut termios = self.before.clone();
        termios.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
        termios.control_chars[Key::VMIN as usize] = 1;
        termios.control_chars[Key::VTIME as usize] = 0;
        tcsetattr(self.terminal, SetArg::TCSAFLUSH, &termios).map_err(system)
    }

    /// What was typed or pasted beyond the answer is dropped: it may belong to the value, and the
    /// shell would run it.
    fn show(&self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        self.show();
    }
}

/// The signals that would end or stop this process, held back so that the echo comes first.
struct CaughtSignals {
    descriptor: SignalFd,
    before: SigSet,
    held: SigSet,
}

impl CaughtSignals {
    fn new() -> Result<Self, PromptError> {
        let before = SigSet::thread_get_mask().map_err(system)?;
        let mut held = SigSet::empty();
        for signal in [
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
            Signal::SIGTSTP,
            Signal::SIGCONT,
        ] {
            // One that was blocked already is somebody else's.
            if !before.contains(signal) {
                held.add(signal);
            }
        }
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let descriptor = SignalFd::with_flags(&held, flags).map_err(system)?;
        held.thread_block().map_err(system)?;
        Ok(Self { descriptor, before, held })
    }

    fn take(&self) -> Result<Option<Signal>, PromptError> {
        let taken = self.descriptor.read_signal().map_err(system)?;
        let number = taken.and_then(|info| i32::try_from(info.ssi_signo).ok());
        Ok(number.and_then(|number| Signal::try_from(number).ok()))
    }

    /// Does what the signal does here: usually that is the end.
    fn let_through(&self, signal: Signal) -> Result<(), PromptError> {
        raise(signal).map_err(system)?;
        self.before.thread_set_mask().map_err(system)?;
        self.held.thread_block().map_err(system)
    }
}

impl Drop for CaughtSignals {
    fn drop(&mut self) {
        // It was this thread's mask before, so it is a valid one.
        let _ = self.before.thread_set_mask();
    }
}

fn system(errno: Errno) -> PromptError {
    PromptError::Terminal(errno.into())
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminal(error) => write!(f, "the terminal cannot be used: {error}"),
            Self::Ended => f.write_str("nothing was typed; nothing is changed"),
            Self::TooLong => f.write_str("what was typed is too long; pass it on stdin instead"),
            Self::ControlCharacter => f.write_str(
                "a control character was typed, such as an arrow key's; nothing is changed; type \
                 the value again, with Ctrl-V before what is meant, or pass it on stdin",
            ),
        }
    }
}

impl std::error::Error for PromptError {}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::thread::spawn;

    use nix::pty::openpty;

    use super::*;

    /// A terminal, and the hands at its keyboard.
    fn pair() -> (File, Terminal) {
        let pty = openpty(None, None).expect("a terminal");
        let file = |descriptor: OwnedFd| File::from(descriptor);
        (file(pty.master), Terminal(file(pty.slave)))
    }

    fn read_until(master: &mut File, end: &str) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(end.as_bytes()) {
            let mut byte = [0];
            master.read_exact(&mut byte).expect("the terminal is open");
            seen.push(byte[0]);
        }
        String::from_utf8(seen).expect("UTF-8")
    }

    fn typed(keys: &[u8]) -> (Result<Secret, PromptError>, String) {
        let (mut master, terminal) = pair();
        let before = tcgetattr(&terminal.0).expect("a terminal").local_flags;
        let asking = spawn(move || {
            let answer = terminal.ask_hidden("Value for A: ", 8);
            let after = tcgetattr(&terminal.0).expect("a terminal").local_flags;
            // The terminal stays open until all that was shown is read.
            (answer, after, terminal)
        });
        assert_eq!(read_until(&mut master, ": "), "Value for A: ");
        master.write_all(keys).expect("a key");
        let (answer, after, _terminal) = asking.join().expect("it was asked");
        assert_eq!(after, before, "the terminal is not as it was");
        (answer, read_until(&mut master, "\n"))
    }

    fn answer(keys: &[u8]) -> Vec<u8> {
        let (answer, shown) = typed(keys);
        assert_eq!(shown, "\r\n");
        answer.expect("an answer").expose_secret().to_vec()
    }

    #[test]
    fn nothing_of_a_hidden_line_is_shown() {
        assert_eq!(answer(b"hunter2\n"), b"hunter2");
        assert_eq!(answer(b"\r"), b"");
    }

    #[test]
    fn keys_that_change_the_line() {
        assert_eq!(answer("ab\x7fc\u{fc}\x08d\n".as_bytes()), b"acd");
        assert_eq!(answer(b"wrong\x15right\n"), b"right");
        assert_eq!(answer(b"a wrong\x17b\n"), b"a b");
        assert_eq!(answer(b"a\x16\x17\n"), b"a\x17");
        assert_eq!(answer(b"ab\x04"), b"ab");
        assert_eq!(answer(b"\x7f\x7fa\n"), b"a");
        assert_eq!(answer(b"first\nrm -rf\n"), b"first");
    }

    #[test]
    fn a_line_may_end_without_an_answer() {
        assert!(matches!(typed(b"\x04").0, Err(PromptError::Ended)));
        assert!(matches!(typed(b"123456789\n").0, Err(PromptError::TooLong)));
        assert!(matches!(typed(b"a\x1b[Ab\n").0, Err(PromptError::ControlCharacter)));
    }

    #[test]
    fn a_line_may_be_longer_than_a_terminals_own() {
        let (mut master, terminal) = pair();
        let asking = spawn(move || (terminal.ask_hidden("? ", 64 * 1024), terminal));
        read_until(&mut master, "? ");
        let long = vec![b'x'; 10_000];
        master.write_all(&long).expect("keys");
        master.write_all(b"\n").expect("a key");
        let (answer, _terminal) = asking.join().expect("it was asked");
        assert_eq!(answer.expect("an answer").expose_secret(), long);
    }

    #[test]
    fn an_open_question_is_answered_in_the_open() {
        let (mut master, terminal) = pair();
        let asking = spawn(move || (terminal.ask("Name: "), terminal));
        read_until(&mut master, ": ");
        master.write_all(b" DB_PASSWORD_PROD \n").expect("keys");
        let (answer, _terminal) = asking.join().expect("it was asked");
        assert_eq!(answer.expect("an answer"), "DB_PASSWORD_PROD");
        assert!(read_until(&mut master, "\n").contains("DB_PASSWORD_PROD"));
    }
}
