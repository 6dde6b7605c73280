//! The application, and how it hears of new outputs: by a signal, by a command. What fails of that
//! is told and not tried again: the outputs are good.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::log::Log;
use crate::sidecar::processes::processes;
use crate::sidecar::state::{State, count};
use crate::sys;

/// How long a command may take, and how often it is asked whether it has ended.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(60);
const LOOK_PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
pub struct Application {
    pub signal: Option<(Signal, OsString)>,
    pub command: Option<CommandLine>,
}

/// A program with its arguments, and all of its environment.
pub struct CommandLine {
    pub words: Vec<OsString>,
    pub environment: Vec<(OsString, OsString)>,
}

impl Application {
    pub fn tell(&self, log: &Log, state: &State) {
        if let Some((signal, name)) = &self.signal {
            let told = send(*signal, name, log);
            count(if told { &state.told } else { &state.not_told });
        }
        if let Some(command) = &self.command {
            let told = command.run(log);
            count(if told { &state.told } else { &state.not_told });
        }
    }
}

/// Says whether all that have the name got it, and there was one.
fn send(signal: Signal, name: &OsString, log: &Log) -> bool {
    let mut all = true;
    let found = processes(name);
    for process in &found {
        match kill(*process, signal) {
            Ok(()) => log.info("signalled", |line| {
                line.text("process", name.display()).text("signal", signal);
                line.number("pid", u64::try_from(process.as_raw()).unwrap_or(0));
            }),
            Err(errno) => {
                all = false;
                log.error("not_signalled", |line| {
                    line.text("process", name.display()).text("signal", signal);
                    line.text("error", errno.desc());
                });
            }
        }
    }
    if found.is_empty() {
        log.warn("no_process", |line| {
            line.text("process", name.display());
            line.text("advice", "it has not started, or its process namespace is not shared");
        });
    }
    all && !found.is_empty()
}

/// How a command came to its end.
enum Ended {
    Exited(ExitStatus),
    TooSlow,
}

impl CommandLine {
    fn run(&self, log: &Log) -> bool {
        let start = Instant::now();
        let ended = self.attempt();
        // Of what it was started with only the program's name is shown.
        let program = self.words[0].display();
        match ended {
            Ok(Ended::Exited(status)) if status.success() => {
                log.info("command_done", |line| {
                    line.text("command", program).milliseconds("took", start.elapsed());
                });
                return true;
            }
            Ok(ended) => log.error("command_failed", |line| {
                line.text("command", program).text("ended", ended);
            }),
            Err(error) => log.error("command_failed", |line| {
                line.text("command", program).text("error", error);
            }),
        }
        false
    }

    fn attempt(&self) -> io::Result<Ended> {
        reap();
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).env_clear().stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let (mut child, group) = sys::spawn_group(&mut command, false)?;
        match ended_within(&mut child, COMMAND_TIME_MAX)? {
            Some(status) => Ok(Ended::Exited(status)),
            None => {
                group.kill();
                child.wait()?;
                Ok(Ended::TooSlow)
            }
        }
    }
}

/// Lets go of what has ended. As process 1 this one inherits what commands left running, and no
/// child of its own is there before the next one.
fn reap() {
    let next = || waitpid(None, Some(WaitPidFlag::WNOHANG));
    while next().is_ok_and(|ended| ended != WaitStatus::StillAlive) {}
}

fn ended_within(child: &mut Child, time_max: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if start.elapsed() > time_max => return Ok(None),
            None => thread::sleep(LOOK_PAUSE),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSlow => write!(f, "killed after {} s", COMMAND_TIME_MAX.as_secs()),
            Self::Exited(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "exit code {code}"),
                (None, Some(signal)) => write!(f, "signal {signal}"),
                (None, None) => f.write_str("unknown"),
            },
        }
    }
}
