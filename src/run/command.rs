//! What is the same for every command that manages a store: its settings, what it reads from and
//! prints to, and the one error that is told.

use std::ffi::CStr;
use std::io::{self, Write};

use crate::admin::{self, Console, Look, Terminal};
use crate::cli::Common;
use crate::launch::fetch::{Stores, login_again};
use crate::launch::problem::{Problem, exit};
use crate::launch::report::Report;
use crate::run::join::Join;
use crate::run::{tell, tell_problems};
use crate::settings::{self, ReportFormat};
use crate::sys;

/// Why an action did not do what it was asked.
pub enum Failed {
    Admin(admin::Error),
    Problem(Problem),
}

impl Failed {
    /// With the way out, where the token that the store does not accept is a login's.
    fn of(self, login: Option<String>) -> Self {
        match (self, login) {
            (Self::Admin(error), Some(address)) if error.is_token_refused() => {
                let what = format!("{error}; {}", login_again(&address));
                Self::Problem(Problem::Command { exit: error.exit_code(), what })
            }
            (failed, _) => failed,
        }
    }
}

impl From<admin::Error> for Failed {
    fn from(error: admin::Error) -> Self {
        Self::Admin(error)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Where a command runs.
pub struct Situation<'a> {
    pub environment: &'a [&'static CStr],
    /// How a failure is told.
    pub format: ReportFormat,
    pub look: Look,
}

impl Situation<'_> {
    /// Runs a parsed command with the store that the settings name. What is wrong with its words is
    /// told together with what is wrong with the settings.
    pub fn run<T>(
        self,
        common: &Common,
        parsed: Result<T, Vec<Problem>>,
        store: impl FnOnce(&T, Join) -> Join,
        act: impl FnOnce(T, Join, &mut Console<'_>) -> Result<(), Failed>,
    ) -> u8 {
        let mut problems = Vec::new();
        let parsed = parsed.map_err(|faults| problems.extend(faults)).ok();
        let settings = settings::resolve_managing(common, self.environment)
            .map_err(|faults| problems.extend(faults))
            .ok();
        let (Some(action), Some(mut settings)) = (parsed, settings) else {
            return tell_problems(problems, self.format);
        };
        let join = store(&action, Join::new(&mut settings));
        let missing = join.missing_settings();
        if !missing.is_empty() {
            return tell_problems(missing, self.format);
        }
        let whose = (Some(join.label()), join.organization());
        let login = join.login();
        self.act(whose, |console| act(action, join, console).map_err(|error| error.of(login)))
    }

    /// Does what was asked, and tells why it was not done. `whose` store and organization it is
    /// about is a part of that.
    pub fn act(
        self,
        whose: (Option<String>, Option<String>),
        act: impl FnOnce(&mut Console<'_>) -> Result<(), Failed>,
    ) -> u8 {
        let (store, organization) = whose;
        sys::end_at_signals();
        sys::hold_values();
        let (mut output, mut errors) = (io::BufWriter::new(sys::stdout()), sys::stderr());
        let input = sys::stdin().map_err(|error| admin::Error::Input(error).into());
        let done = input.and_then(|mut input| {
            act(&mut Console {
                input_is_terminal: io::IsTerminal::is_terminal(&input),
                input: &mut input,
                output: &mut output,
                errors: &mut errors,
                terminal: &Terminal::open,
                look: self.look,
            })
        });
        // What could not be written was told where it was written; no second try at the end.
        let _ = output.flush();
        let problem = match done {
            Ok(()) => return 0,
            // Whoever read has left, as in `inject secret list | head`.
            Err(Failed::Admin(admin::Error::Output(error)))
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                return exit::BROKEN_PIPE;
            }
            Err(Failed::Admin(error)) => {
                Problem::Command { exit: error.exit_code(), what: error.to_string() }
            }
            Err(Failed::Problem(problem)) => problem,
        };
        let problems = vec![problem];
        tell(&Report { command: None, store, organization, problems }, self.format)
    }
}
