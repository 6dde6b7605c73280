//! The served store under load, beside a bare hyper server in the same run and in turns: resolves,
//! writes among 100,000 secrets, memory, and how soon it is ready. README.md says how to read it.
//!
//!     load [five | many] [--rounds N] [--plot FILE]

mod lines;
mod many;
mod measured;
mod plot;
mod processors;
mod rounds;
mod served;
mod table;
mod wrk;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use lines::Line;
use processors::Processors;
use rounds::{Contestant, Found, median, memory};
use served::{Outcome, Server, printed};
use table::row;
use wrk::{Load, PERCENTILES};

const USAGE: &str = "usage: load [five | many] [--rounds N] [--plot FILE]";
const ROUNDS: usize = 9;
/// How often the store with many secrets is started.
const STARTS: usize = 7;
/// What the largest batch asks for.
const BATCH: usize = 50;

const RESOLVE_RATIO_MIN: f64 = 0.6;
const RESOLVE_P99_MS_MAX: f64 = 5.0;
const BATCH_RATIO_MAX: f64 = 1.5;
const WRITES_PER_SECOND_MIN: f64 = 2000.0;
const IDLE_MIB_MAX: f64 = 10.0;
const MANY_MIB_MAX: f64 = 64.0;
const READY_MS_MAX: f64 = 100.0;

/// Programs, stores and scripts of one run.
struct Stage {
    directory: PathBuf,
    inject: PathBuf,
    rounds: usize,
}

fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let mut args = args.iter().map(String::as_str);
    let (mut part, mut rounds, mut plot) = (None, ROUNDS, None);
    while let Some(arg) = args.next() {
        match (arg, part) {
            ("five" | "many", None) => part = Some(arg),
            ("--rounds", _) => rounds = args.next().ok_or(USAGE)?.parse()?,
            ("--plot", _) => plot = Some(PathBuf::from(args.next().ok_or(USAGE)?)),
            _ => return Err(USAGE.into()),
        }
    }
    let stage = Stage::set(rounds)?;
    let processors = Processors::now()?;
    if part != Some("many") {
        stage.resolves(plot.as_deref())?;
    }
    if part != Some("five") {
        stage.among_many()?;
    }
    // All servers have ended, so that their time is known as this program's children's.
    let others = format!("{:.0} %", processors.taken_by_others()? * 100.0);
    row(["machine: processors taken by others meanwhile", &others, "", ""], (0.0, ""), None)?;
    Ok(())
}

impl Stage {
    fn set(rounds: usize) -> Outcome<Self> {
        // On the disk of the sources: `/tmp` may be memory, where durability costs nothing.
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("load");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        let own = env::current_exe()?;
        let release = own.parent().and_then(Path::parent).ok_or("it is in no directory")?;
        let inject = directory.join("inject");
        fs::copy(measured::inject(), &inject)?;
        let floor = release.join("examples/floor-serve");
        fs::copy(&floor, directory.join("floor-serve")).map_err(|error| {
            format!("`{}`: {error}; start `benches/run`, which builds it", floor.display())
        })?;
        Ok(Self { directory, inject, rounds: rounds.max(1) })
    }

    /// Resolves of a workload, beside the bare server's answers of the same bytes.
    fn resolves(&self, plot: Option<&Path>) -> Outcome {
        let data = self.directory.join("data");
        let init = ["store", "init", "--org", "acme", "--owner", "alice@acme.com", "--data"];
        let init: Vec<_> = init.iter().map(Path::new).chain([&*data]).collect();
        let owner = printed(&self.inject, &[], &init)?;
        let store = Server::store(&self.inject, &data)?;
        store.get("/readyz", "")?;
        memory("idle", &store, Some(('≤', IDLE_MIB_MAX)))?;
        for number in 0..BATCH {
            let body = format!(r#"{{"value":"{}"}}"#, value(number));
            let path = format!("/api/v1/orgs/acme/secrets/{}", name(number));
            store.ask("PUT", &path, &owner, &body)?;
        }
        let token = token(&store, "acme", &owner)?;
        let path = "/api/v1/orgs/acme/resolve";
        let answer = self.directory.join("answer.json");
        fs::write(&answer, five_of(store.ask("POST", path, &token, &names(5))?)?)?;
        let bare = Server::start(Command::new(self.directory.join("floor-serve")).arg(&answer))?;
        let resolve = |file, connections, count| {
            let script = script("POST", path, &token, &names(count));
            Load::new(&self.directory, file, connections, &script)
        };
        let healthz = Load::new(&self.directory, "healthz", 32, "wrk.path = '/healthz'\n")?;
        let contestant =
            |what, server, load, is_recorded| Contestant { what, server, load, is_recorded };
        let all = [
            contestant("floor: bare hyper, 32 connections", &bare, resolve("bare", 32, 5)?, false),
            contestant("store: resolve of 5, 32 connections", &store, resolve("5", 32, 5)?, true),
            contestant("store: `/healthz`, 32 connections", &store, healthz, false),
            contestant("store: resolve of 1, 1 connection", &store, resolve("1", 1, 1)?, true),
            contestant(
                "store: resolve of 50, 1 connection",
                &store,
                resolve("50", 1, BATCH)?,
                true,
            ),
        ];
        let found = rounds::run(&all, self.rounds)?;
        let [bare, five, healthz, one, fifty] = &found[..] else { return Err("five rows".into()) };
        bare.rate(None, None)?;
        five.rate(Some(bare), Some(('≥', RESOLVE_RATIO_MIN)))?;
        five.p99(Some(('≤', RESOLVE_P99_MS_MAX)))?;
        healthz.rate(Some(bare), None)?;
        one.latency(None, None)?;
        fifty.latency(Some(one), Some(('≤', BATCH_RATIO_MAX)))?;
        for each in &found {
            each.processor((each.what != bare.what).then_some(bare))?;
        }
        memory("after these", &store, None)?;
        let classes = [(bare, "floor"), (healthz, "peer"), (five, "inject")];
        plot.map_or(Ok(()), |file| draw(file, &classes.map(|(found, class)| line(found, class))))
    }

    /// Starts, memory and writes with many secrets.
    fn among_many(&self) -> Outcome {
        let data = self.many()?;
        let mut ready = Vec::new();
        for _ in 0..STARTS {
            let begun = Instant::now();
            let store = Server::store(&self.inject, &data)?;
            store.get("/readyz", "")?;
            ready.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        let ready = median(ready.into_iter());
        let what = format!("store: start to ready, {} secrets", many::SECRETS);
        let cells = [&what, &format!("{ready:.1} ms"), "", ""];
        row(cells, (ready, " ms"), Some(('≤', READY_MS_MAX)))?;
        let text = data.to_str().ok_or("the target directory's path is not UTF-8")?;
        let settings = [("INJECT_DATA", text), ("INJECT_ORG", "default")];
        let add = ["member", "add", "bench@example.com", "--role", "owner"];
        let owner = printed(&self.inject, &settings, &add)?;
        let store = Server::store(&self.inject, &data)?;
        store.get("/readyz", "")?;
        let target = Some(('≤', MANY_MIB_MAX));
        memory("many secrets, at the start", &store, target)?;
        store.get(&format!("{}?q=_PROD", many::SECRETS_PATH), &owner)?;
        memory("many secrets, after a search", &store, target)?;
        let contestant = |what, load| Contestant { what, server: &store, load, is_recorded: true };
        let all = [
            contestant("store: creates, 8 connections", self.creates(&owner)?),
            contestant("store: updates, 8 connections", self.updates(&owner)?),
        ];
        for found in rounds::run(&all, self.rounds)? {
            found.rate(None, Some(('≥', WRITES_PER_SECOND_MIN)))?;
            found.processor(None)?;
        }
        memory("many secrets, after writes", &store, target)
    }

    /// A copy of the store with many secrets, as each run writes to it.
    fn many(&self) -> Outcome<PathBuf> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let kept = many::filled(&runtime, many::SECRETS)?;
        let copy = self.directory.join("many");
        fs::create_dir(&copy)?;
        for entry in fs::read_dir(kept)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), copy.join(entry.file_name()))?;
            }
        }
        Ok(copy)
    }

    /// A new name each time.
    fn creates(&self, token: &str) -> Outcome<Load> {
        let frame = script("PUT", many::SECRETS_PATH, token, r#"{"value":"as it was made"}"#);
        let script = format!(
            "{frame}
            wrk.headers['if-none-match'] = '*'
            local round, made = 0, 0
            function init(args) round = args[1] end
            function request()
                made = made + 1
                return wrk.format(nil, wrk.path .. '/MADE_' .. round .. '_' .. made)
            end"
        );
        Load::new(&self.directory, "creates", 8, &script)
    }

    /// Names from all over the store.
    fn updates(&self, token: &str) -> Outcome<Load> {
        let file = self.directory.join("names");
        let names = (0..many::SECRETS).map(|number| many::name(number, many::SECRETS) + "\n");
        fs::write(&file, names.collect::<String>())?;
        let frame = script("PUT", many::SECRETS_PATH, token, r#"{"value":"as it was changed"}"#);
        let script = format!(
            "{frame}
            local names, next = {{}}, 0
            function init(args)
                for name in io.lines({file:?}) do names[#names + 1] = name end
                next = args[1] * 20011
            end
            function request()
                next = next + 1
                return wrk.format(nil, wrk.path .. '/' .. names[next % #names + 1])
            end"
        );
        Load::new(&self.directory, "updates", 8, &script)
    }
}

fn line(found: &Found, class: &'static str) -> Line {
    let label = found.what.trim_end_matches(", 32 connections").to_owned();
    Line { label, class, millis: found.percentiles() }
}

fn draw(file: &Path, lines: &[Line]) -> Outcome {
    let percentiles = PERCENTILES.map(|one| format!("p{one}"));
    Ok(lines::write(file, "How long an answer takes, at 32 connections", &percentiles, lines)?)
}

fn name(number: usize) -> String {
    format!("SERVICE_{number:02}_PASSWORD")
}

fn value(number: usize) -> String {
    format!("value number {number} of the secrets")
}

/// The answer to a resolve of five, which must hold their values.
fn five_of(answer: String) -> Outcome<String> {
    let given: serde_json::Value = serde_json::from_str(&answer)?;
    let is_there = |number| given["secrets"][name(number)]["value"] == value(number);
    if (0..5).all(is_there) { Ok(answer) } else { Err("the store gives other values".into()) }
}

/// The body that asks for the first so many.
fn names(count: usize) -> String {
    serde_json::json!({ "names": (0..count).map(name).collect::<Vec<_>>() }).to_string()
}

fn token(store: &Server, org: &str, owner: &str) -> Outcome<String> {
    let path = format!("/api/v1/orgs/{org}/tokens");
    let answer = store.ask("POST", &path, owner, r#"{"workload":"web"}"#)?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    Ok(answer["token"].as_str().ok_or("the answer has no token")?.to_owned())
}

/// What all requests of a load have in common.
fn script(method: &str, path: &str, token: &str, body: &str) -> String {
    format!(
        "wrk.method = '{method}'\nwrk.path = '{path}'\nwrk.body = '{body}'\n\
         wrk.headers['authorization'] = 'Bearer {token}'\n\
         wrk.headers['content-type'] = 'application/json'\n"
    )
}
