//! The contestants and what they need around them: stores that answer, an embedded one that is
//! filled, and a proof that each gives the command the same five values. It measures nothing.

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

use crate::document::{SECRETS, document};
use crate::measured::inject;
use crate::store::{self, Answered};

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const TOKEN: &str = "inj_w_0123456789abcdef_0123456789abcdefghijklmnopqrstuv";

/// How many launches the peak of memory is taken from.
const PEAK_LAUNCHES: usize = 3;

pub const FIVE: &str = "inject, five over tcp";
/// A config file of the usual size, and how much longer than without it a launch may take.
const FILE_BYTES: usize = 4096;
const FILE_ADDS_MICROS_MAX: f64 = 100.0;

/// A way to start a command.
pub struct Contestant {
    pub what: &'static str,
    /// The contestant that it is compared with, and the ratio that it should keep.
    pub floor: Option<(&'static str, Option<(char, f64)>)>,
    /// How many microseconds more than its floor it may take, where that is what counts.
    pub adds_max: Option<f64>,
    /// How many requests the store sees for each launch.
    pub requests: usize,
    /// `None` starts the command itself.
    pub program: Option<PathBuf>,
    /// What stands between the program and the command.
    pub args: Vec<OsString>,
    pub environment: Vec<(&'static str, OsString)>,
    /// Where the command stands instead of behind the arguments: a file, and what it holds with
    /// `COMMAND` for the command.
    pub config: Option<(PathBuf, String)>,
}

/// What a command saw that proves its contestant did the job.
pub struct Proof {
    /// Whether the contestant was still there while the command ran.
    pub stays: bool,
}

/// A contestant's name, program, environment, requests and floor.
type Row = (
    &'static str,
    Option<PathBuf>,
    Vec<(&'static str, OsString)>,
    usize,
    Option<(&'static str, Option<(char, f64)>)>,
);

/// Everything is in place while this is.
pub struct Stage {
    pub contestants: Vec<Contestant>,
    pub answered: Answered,
    pub directory: PathBuf,
}

impl Contestant {
    pub fn is_inject(&self) -> bool {
        self.program.as_deref().is_some_and(|program| program.ends_with("bin/inject"))
    }

    /// What starts `target` through the contestant, behind `prefix`, which may be nothing.
    pub fn command(&self, prefix: &[&OsStr], target: &str) -> io::Result<Command> {
        let mut words: Vec<&OsStr> = prefix.to_vec();
        if let Some(program) = &self.program {
            words.push(program.as_os_str());
            words.extend(self.args.iter().map(OsString::as_os_str));
        }
        match &self.config {
            Some((file, text)) => fs::write(file, text.replace("COMMAND", target))?,
            None => words.push(OsStr::new(target)),
        }
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear().env("PATH", "/usr/bin:/bin");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// The command really gets the values, and nothing of `INJECT_*`.
    pub fn verify(&self, directory: &Path) -> Outcome<Proof> {
        let [script, seen] = ["seen.sh", "seen"].map(|name| directory.join(name));
        let _none_before = fs::remove_file(&seen);
        let text = format!("#!/bin/sh\n{{ echo $PPID; env; }} > '{}'\n", seen.display());
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let target = script.to_str().ok_or("the target directory's path is not UTF-8")?;
        let output = self.command(&[], target)?.stdin(Stdio::null()).output()?;
        let seen = fs::read_to_string(&seen).unwrap_or_default();
        let is_there =
            |(name, value): &(_, _)| seen.lines().any(|line| line == format!("{name}={value}"));
        let is_ours = seen.lines().any(|line| line.starts_with("INJECT_"));
        if output.status.success() && SECRETS.iter().all(is_there) && !is_ours {
            let parent = seen.lines().next().map(str::parse::<u32>).transpose()?;
            return Ok(Proof { stays: parent != Some(process::id()) });
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} does not start its command as it should: {errors}", self.what).into())
    }

    /// Peak memory, seen by a process of its own whose only children it and its command are.
    pub fn peak_mib(&self, target: &str) -> Outcome<f64> {
        let own = env::current_exe()?;
        let mut command = self.command(&[own.as_os_str(), OsStr::new("--peak")], target)?;
        let output = command.stderr(Stdio::null()).output()?;
        succeed("--peak", output.status.success())?;
        // What the contestants themselves print stands before.
        let text = String::from_utf8_lossy(&output.stdout);
        let kib = text.lines().last().ok_or("`--peak` printed nothing")?;
        Ok(kib.trim().parse::<f64>()? / 1024.0)
    }
}

/// What this shows is at least this process's own memory: until its exec, the child shares it.
pub fn print_peak(program: &str, args: &[&str]) -> Outcome {
    for _ in 0..PEAK_LAUNCHES {
        succeed(program, Command::new(program).args(args).status()?.success())?;
    }
    writeln!(io::stdout(), "\n{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())?;
    Ok(())
}

impl Stage {
    pub fn set() -> Outcome<Self> {
        // On the disk of the sources: `/tmp` may be memory, where durability costs nothing.
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("launch");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        install(&directory.join("bin"))?;
        // `inject` looks for its manifest from here upward.
        env::set_current_dir(&directory)?;
        let answered = Answered::default();
        let tcp = store::over_tcp(&answered)?;
        let tls = store::over_tls(&answered)?;
        // A relative path: that of a socket may have 107 bytes at most.
        let unix = store::over_unix(Path::new("store.sock"), &answered)?;
        fill_embedded_store(&directory.join("data"))?;
        let contestants = contestants(&directory, [&tcp, &tls, &unix])?;
        for contestant in &contestants {
            if contestant.verify(&directory)?.stays {
                return Err(format!("{} does not become its command", contestant.what).into());
            }
        }
        Ok(Self { contestants, answered, directory })
    }
}

pub fn succeed(what: &str, success: bool) -> Outcome {
    if success { Ok(()) } else { Err(format!("{what} failed").into()) }
}

/// Copies what is measured, for that is what an installation does. The linker's own file lies in the
/// page cache in small pieces, and a large program that is started from it starts slower.
fn install(bin: &Path) -> Outcome {
    fs::create_dir_all(bin)?;
    // This program is `target/…/release/deps/launch-…`; the floors are examples, two doors on.
    let own = env::current_exe()?;
    let release = own.parent().and_then(Path::parent).ok_or("this program is in no directory")?;
    for built in [
        inject(),
        release.join("examples/floor-exec"),
        release.join("examples/floor-fetch"),
        release.join("examples/floor-tls"),
    ] {
        let name = built.file_name().ok_or("a program has a name")?;
        fs::copy(&built, bin.join(name)).map_err(|error| {
            format!("`{}`: {error}; start `benches/run`, which builds it", built.display())
        })?;
    }
    Ok(())
}

fn fill_embedded_store(data: &Path) -> Outcome {
    for (name, value) in SECRETS {
        let mut set = Command::new(inject())
            .args(["secret", "set", name])
            .env_clear()
            .env("INJECT_DATA", data)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        set.stdin.take().expect("it is piped").write_all(value.as_bytes())?;
        succeed("inject secret set", set.wait()?.success())?;
    }
    Ok(())
}

fn contestants(directory: &Path, stores: [&str; 3]) -> Outcome<Vec<Contestant>> {
    let installed = |name| Some(directory.join("bin").join(name));
    let exec = || installed("floor-exec");
    let fetch = || installed("floor-fetch");
    let fetch_tls = || installed("floor-tls");
    let ours = || installed("inject");
    let values = || SECRETS.map(|(name, value)| (name, value.into())).to_vec();
    let [tcp, tls, unix] = stores.map(|store| {
        move || {
            references(&[("INJECT_STORE", store), ("INJECT_ORG", "acme"), ("INJECT_TOKEN", TOKEN)])
        }
    });
    // Each file goes where it touches no disk, as what is timed is this program and not the disk.
    let with_file = |format: &str| {
        let path = directory.join("config").with_extension(format);
        fs::write(&path, document(format, FILE_BYTES))?;
        let mut environment = tcp();
        environment.push(("INJECT_MEMFD", format!("CONFIG={}", path.display()).into()));
        Outcome::Ok(environment)
    };
    let (text, json, yaml) = (with_file("txt")?, with_file("json")?, with_file("yaml")?);
    let data = directory.join("data");
    let data = data.to_str().ok_or("the target directory's path is not UTF-8")?;
    let embedded = references(&[("INJECT_DATA", data)]);
    let beside = |floor| Some((floor, None));
    let most = |floor, ratio| Some((floor, Some(('≤', ratio))));
    let rows: [Row; 13] = [
        ("`true` alone", None, values(), 0, None),
        ("floor: exec only", exec(), values(), 0, None),
        ("inject, no reference", ours(), values(), 0, most("floor: exec only", 1.15)),
        ("floor: fetch over tcp", fetch(), tcp(), 1, beside("floor: exec only")),
        (FIVE, ours(), tcp(), 1, most("floor: fetch over tcp", 1.2)),
        ("inject, five over tcp, and 4 KiB of text", ours(), text, 1, beside(FIVE)),
        ("inject, five over tcp, and 4 KiB of json", ours(), json, 1, beside(FIVE)),
        ("inject, five over tcp, and 4 KiB of yaml", ours(), yaml, 1, beside(FIVE)),
        ("floor: fetch over pinned tls", fetch_tls(), tls(), 1, beside("floor: fetch over tcp")),
        (
            "inject, five over pinned tls",
            ours(),
            tls(),
            1,
            most("floor: fetch over pinned tls", 1.2),
        ),
        ("floor: fetch over unix", fetch(), unix(), 1, beside("floor: fetch over tcp")),
        ("inject, five over unix", ours(), unix(), 1, most("floor: fetch over unix", 1.2)),
        ("inject, five embedded", ours(), embedded, 0, most("floor: fetch over tcp", 2.0)),
    ];
    let contestant = |(what, program, environment, requests, floor): Row| Contestant {
        what,
        adds_max: floor.is_some_and(|(floor, _)| floor == FIVE).then_some(FILE_ADDS_MICROS_MAX),
        floor,
        requests,
        program,
        args: vec!["--".into()],
        environment,
        config: None,
    };
    Ok(rows.into_iter().map(contestant).collect())
}

/// The five variables as references, and the settings of one store.
fn references(settings: &[(&'static str, &str)]) -> Vec<(&'static str, OsString)> {
    let five = SECRETS.iter().map(|(name, _)| (*name, format!("${name}").into()));
    five.chain(settings.iter().map(|(name, value)| (*name, value.into()))).collect()
}
