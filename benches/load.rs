//! The served store under load, beside a bare hyper server in the same run and in turns: resolves,
//! writes among 100,000 secrets, memory, and how soon it is ready. README.md says how to read it.
//!
//!     load [--rounds N]

mod many;
mod served;
mod table;
mod wrk;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use served::{Outcome, Server, printed};
use table::{Target, row};
use wrk::{Load, Seen};

const INJECT: &str = env!("CARGO_BIN_EXE_inject");

const ROUNDS: usize = 5;
const ROUND_SECONDS: u64 = 2;
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

/// A server with its load, and how both are called.
struct Contestant<'a> {
    what: &'static str,
    server: &'a Server,
    load: Load,
    /// Whether each answer leaves a record.
    is_recorded: bool,
}

/// What came of a contestant's rounds, and what the server took for each request.
struct Round {
    seen: Seen,
    processor_micros: f64,
}

fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let rounds = match args[..] {
        [] => ROUNDS,
        ["--rounds", rounds] => rounds.parse()?,
        _ => return Err("usage: load [--rounds N]".into()),
    };
    let stage = Stage::set(rounds)?;
    stage.resolves()?;
    stage.among_many()
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
        fs::copy(INJECT, &inject)?;
        let floor = release.join("examples/floor-serve");
        fs::copy(&floor, directory.join("floor-serve")).map_err(|error| {
            format!("`{}`: {error}; start `benches/run`, which builds it", floor.display())
        })?;
        Ok(Self { directory, inject, rounds: rounds.max(1) })
    }

    /// Resolves of a workload, beside the bare server's answers of the same bytes.
    fn resolves(&self) -> Outcome {
        let data = self.directory.join("data");
        let init = ["store", "init", "--org", "acme", "--owner", "alice@acme.com", "--data"];
        let init: Vec<_> = init.iter().map(Path::new).chain([&*data]).collect();
        let owner = printed(&self.inject, &[], &init)?;
        let store = Server::store(&self.inject, &data)?;
        store.get("/readyz", "")?;
        memory("idle", &store, IDLE_MIB_MAX)?;
        for number in 0..BATCH {
            let body = format!(r#"{{"value":"value number {number} of the secrets"}}"#);
            let path = format!("/api/v1/orgs/acme/secrets/{}", name(number));
            store.ask("PUT", &path, &owner, &body)?;
        }
        let token = token(&store, "acme", &owner)?;
        let path = "/api/v1/orgs/acme/resolve";
        let answer = self.directory.join("answer.json");
        fs::write(&answer, store.ask("POST", path, &token, &names(5))?)?;
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
            contestant(
                "store: resolve of 5, 32 connections",
                &store,
                resolve("five", 32, 5)?,
                true,
            ),
            contestant("store: `/healthz`, 32 connections", &store, healthz, false),
            contestant("store: resolve of 1, 1 connection", &store, resolve("one", 1, 1)?, true),
            contestant(
                "store: resolve of 50, 1 connection",
                &store,
                resolve("fifty", 1, BATCH)?,
                true,
            ),
        ];
        let found = self.rounds(&all)?;
        let [bare, five, healthz, one, fifty] = &found[..] else { return Err("five rows".into()) };
        rate(all[0].what, bare, None, None)?;
        rate(all[1].what, five, Some(bare), Some(('≥', RESOLVE_RATIO_MIN)))?;
        let p99 = median_of(five, |round| round.seen.p99_micros / 1e3);
        let cells = ["store: 99th percentile of it", &format!("{p99:.2} ms"), "", ""];
        row(cells, (p99, " ms"), Some(('≤', RESOLVE_P99_MS_MAX)))?;
        rate(all[2].what, healthz, Some(bare), None)?;
        processor("floor: processor's time a request", bare, None)?;
        processor("store: processor's time a resolve of 5", five, Some(bare))?;
        latency(all[3].what, one, None, None)?;
        latency(all[4].what, fifty, Some(one), Some(('≤', BATCH_RATIO_MAX)))?;
        memory("after these", &store, MANY_MIB_MAX)
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
        let ready = median(&mut ready);
        let what = format!("store: start to ready, {} secrets", many::SECRETS);
        let cells = [&what, &format!("{ready:.1} ms"), "", ""];
        row(cells, (ready, " ms"), Some(('≤', READY_MS_MAX)))?;
        let text = data.to_str().ok_or("the target directory's path is not UTF-8")?;
        let settings = [("INJECT_DATA", text), ("INJECT_ORG", "default")];
        let add = ["member", "add", "bench@example.com", "--role", "owner"];
        let owner = printed(&self.inject, &settings, &add)?;
        let store = Server::store(&self.inject, &data)?;
        store.get("/readyz", "")?;
        memory("100,000 secrets, at the start", &store, MANY_MIB_MAX)?;
        store.get(&format!("{}?q=_PROD", many::SECRETS_PATH), &owner)?;
        memory("100,000 secrets, after a search", &store, MANY_MIB_MAX)?;
        let all = [
            Contestant {
                what: "store: creates, 8 connections",
                server: &store,
                load: self.creates(&owner)?,
                is_recorded: true,
            },
            Contestant {
                what: "store: updates, 8 connections",
                server: &store,
                load: self.updates(&owner)?,
                is_recorded: true,
            },
        ];
        for (contestant, rounds) in all.iter().zip(self.rounds(&all)?) {
            let per_second = median_of(&rounds, |round| round.seen.per_second);
            let p99 = median_of(&rounds, |round| round.seen.p99_micros / 1e3);
            let cells =
                [contestant.what, &format!("{per_second:.0}/s"), &format!("p99 {p99:.1} ms"), ""];
            row(cells, (per_second, "/s"), Some(('≥', WRITES_PER_SECOND_MIN)))?;
        }
        memory("100,000 secrets, after writes", &store, MANY_MIB_MAX)
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

    /// Short rounds, in turns; the first does not count.
    fn rounds(&self, all: &[Contestant]) -> Outcome<Vec<Vec<Round>>> {
        let mut found: Vec<Vec<Round>> = all.iter().map(|_| Vec::new()).collect();
        for number in 0..=self.rounds {
            for (contestant, found) in all.iter().zip(&mut found) {
                let round = contestant.round(number)?;
                if number > 0 {
                    found.push(round);
                }
            }
        }
        Ok(found)
    }
}

impl Contestant<'_> {
    /// Its server must have answered, and recorded, what the client says it was told.
    fn round(&self, number: usize) -> Outcome<Round> {
        let before = self.is_recorded.then(|| self.server.counted()).transpose()?;
        let processor = self.server.processor_micros()?;
        let seen = self.load.round(&self.server.address, ROUND_SECONDS, number)?;
        let processor_micros = (self.server.processor_micros()? - processor) / seen.requests;
        if let Some(before) = before {
            let after = self.server.counted()?;
            let answered = (after.answered - before.answered) as f64;
            let records = (after.records - before.records) as f64;
            if answered < seen.requests || records < seen.requests {
                return Err(format!(
                    "{}: {} requests, {answered} answered well, {records} recorded",
                    self.what, seen.requests
                )
                .into());
            }
        }
        Ok(Round { seen, processor_micros })
    }
}

fn name(number: usize) -> String {
    format!("SERVICE_{number:02}_PASSWORD")
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

/// Requests a second, and the ratio to the floor's.
fn rate(
    what: &str,
    rounds: &[Round],
    floor: Option<&Vec<Round>>,
    target: Target,
) -> io::Result<()> {
    let per_second = median_of(rounds, |round| round.seen.per_second);
    let p99 = median_of(rounds, |round| round.seen.p99_micros / 1e3);
    let ratio = floor.map(|floor| ratio(rounds, floor, |round| round.seen.per_second));
    let shown = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    let cells = [what, &format!("{per_second:.0}/s"), &format!("p99 {p99:.2} ms"), &shown];
    row(cells, (ratio.unwrap_or(1.0), ""), target)
}

fn latency(
    what: &str,
    rounds: &[Round],
    floor: Option<&Vec<Round>>,
    target: Target,
) -> io::Result<()> {
    let median = median_of(rounds, |round| round.seen.median_micros);
    let p99 = median_of(rounds, |round| round.seen.p99_micros);
    let ratio = floor.map(|floor| ratio(rounds, floor, |round| round.seen.median_micros));
    let shown = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    let cells = [what, &format!("{median:.0} µs"), &format!("p99 {p99:.0} µs"), &shown];
    row(cells, (ratio.unwrap_or(1.0), ""), target)
}

fn processor(what: &str, rounds: &[Round], floor: Option<&Vec<Round>>) -> io::Result<()> {
    let micros = median_of(rounds, |round| round.processor_micros);
    let ratio = floor.map(|floor| ratio(rounds, floor, |round| round.processor_micros));
    let shown = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    row([what, &format!("{micros:.1} µs"), "", &shown], (0.0, ""), None)
}

fn memory(when: &str, server: &Server, mib_max: f64) -> Outcome {
    let mib = server.resident_mib()?;
    let what = format!("store: memory, {when}");
    row([&what, &format!("{mib:.1} MiB"), "", ""], (mib, " MiB"), Some(('≤', mib_max)))?;
    Ok(())
}

/// The median of each round's own ratio: what slows the machine down slows both sides of a round.
fn ratio(rounds: &[Round], floor: &[Round], figure: fn(&Round) -> f64) -> f64 {
    let pairs = rounds.iter().zip(floor);
    median(&mut pairs.map(|(round, floor)| figure(round) / figure(floor)).collect::<Vec<_>>())
}

fn median_of(rounds: &[Round], figure: fn(&Round) -> f64) -> f64 {
    median(&mut rounds.iter().map(figure).collect::<Vec<_>>())
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
