//! Servers as children, what the system says of them, and single requests to them. It measures
//! nothing.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::processors::ticks_per_second;

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A server that listens; it ends when this goes.
pub struct Server {
    child: Child,
    /// Where it listens, as `HOST:PORT`.
    pub address: String,
}

impl Server {
    /// Starts it, and waits for the line that says where it listens.
    pub fn start(command: &mut Command) -> Outcome<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut server = Self { child, address: String::new() };
        let mut line = String::new();
        BufReader::new(server.child.stdout.take().expect("it is piped")).read_line(&mut line)?;
        let (_, address) = line.trim_end().split_once("http://").ok_or("it does not listen")?;
        server.address = address.to_owned();
        Ok(server)
    }

    /// `inject store serve`, as a person would start it, over plain TCP on loopback.
    pub fn store(inject: &Path, data: &Path) -> Outcome<Self> {
        let args = ["store", "serve", "--plaintext", "--listen", "127.0.0.1:0", "--data"];
        let mut command = Command::new(inject);
        // It says at the start that it listens, and at the end that it ends.
        Self::start(command.args(args).arg(data).env_clear().stderr(Stdio::null()))
    }

    /// The processor's time that it has taken, in microseconds.
    pub fn processor_micros(&self) -> Outcome<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name, which may hold anything: the state is field 3, the times 14 and 15.
        let (_, fields) = stat.rsplit_once(") ").ok_or("`stat` has no name")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>);
        let ticks: f64 = ticks.sum::<Result<f64, _>>()?;
        Ok(ticks / ticks_per_second()? * 1e6)
    }

    /// The memory that it has resident, and that it had at most, in MiB.
    pub fn resident_mib(&self) -> Outcome<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let mib = |name: &str| -> Outcome<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let line = line.ok_or_else(|| format!("`status` has no `{name}`"))?;
            Ok(line.trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
        };
        Ok((mib("VmRSS:")?, mib("VmHWM:")?))
    }

    /// The body of a successful answer.
    pub fn get(&self, path: &str, token: &str) -> Outcome<String> {
        self.ask("GET", path, token, "")
    }

    pub fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Outcome<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer has no end")?;
        if head.starts_with("HTTP/1.1 2") {
            return Ok(body.to_owned());
        }
        Err(format!("{method} {path}: {answer}").into())
    }

    /// How many requests the store says it has answered well, and how many records it wrote.
    pub fn counted(&self) -> Outcome<Counted> {
        let metrics = self.get("/metrics", "")?;
        let sum = |is_meant: fn(&str) -> bool| -> Outcome<u64> {
            let samples = metrics.lines().filter(|line| is_meant(line));
            let values = samples.filter_map(|line| line.rsplit(' ').next()).map(str::parse::<u64>);
            Ok(values.sum::<Result<u64, _>>()?)
        };
        let answered = sum(|line| {
            line.starts_with("inject_http_requests_total{")
                && line.contains("route=\"/api/")
                && line.contains("status=\"2xx\"")
        })?;
        let records = sum(|line| line.starts_with("inject_audit_records_total "))?;
        Ok(Counted { answered, records })
    }
}

/// What a store says of itself.
#[derive(Clone, Copy)]
pub struct Counted {
    pub answered: u64,
    pub records: u64,
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = i32::try_from(self.child.id()).map(Pid::from_raw);
        // One that has ended already needs no telling.
        let _told = process.map(|process| kill(process, Signal::SIGTERM));
        let _ended = self.child.wait();
    }
}

/// What a command of `inject` prints, such as a token.
pub fn printed<I: AsRef<OsStr>>(
    inject: &Path,
    settings: &[(&str, &str)],
    args: &[I],
) -> Outcome<String> {
    let output = Command::new(inject).args(args).env_clear().envs(settings.to_vec()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?.trim_end().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}
