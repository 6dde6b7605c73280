//! Redis: passwords in its config and in its list of users, from paths and from memory, and a
//! client that gets its password from a launch too.

use std::os::unix::net::UnixStream;

use super::server::{self, NOBODY, Server, is_refused, lies_only_in, mode_and_owner};
use crate::harness::{Ended, Run, World};

/// Between single quotes Redis takes all as it is but `'`, a line break, and a `\` at the end.
/// Without quotes a `"` would be refused; between double ones `\x41` would be an `A`.
const PASSWORD: &str = r#"r"e\d $DB_PASSWORD_PROD ${A_KEY} $$x # ; : é☃ %s \x41 \n >~<+@"#;

/// A list of users knows no quotes: only a blank or a line break ends a password there.
const OTHER: &str = r#"a"c\l'$DB_PASSWORD_PROD${A_KEY}#;:é☃%s\x41\n''>~<+@"\"#;

const SECRETS: [(&str, &str); 2] = [("REDIS_PASSWORD_PROD", PASSWORD), ("REDIS_OTHER_PROD", OTHER)];

const CONFIG: &str = "# no port\nport 0\nunixsocket [WORK]/redis\ndaemonize no\nsave \"\"\n\
    appendonly no\ndir [WORK]\n";

fn world(more: &str) -> World {
    let world = server::world(&SECRETS);
    let users = "user default on >$REDIS_OTHER_PROD ~* +@all\n\
        user app on >$REDIS_OTHER_PROD ~* +ping\n";
    let config = CONFIG.to_owned() + more;
    server::templates(&world, &[("redis.conf.tpl", &config), ("users.acl.tpl", users)]);
    world
}

fn launch<'w>(world: &'w World, options: &[&str], config: &str) -> Run<'w> {
    let redis = ["--", "redis-server", config];
    world.inject(options.iter().chain(&redis))
}

fn start(world: &World, run: Run<'_>) -> Server {
    let socket = world.path("work/redis");
    Server::start(world, run, || UnixStream::connect(&socket).is_ok())
}

/// Callers of a server, as one user of the system.
struct Callers<'a> {
    world: &'a World,
    server: &'a Server,
    user: u32,
}

impl Callers<'_> {
    /// That `redis-cli` prints this, where a launch gives it this as its password.
    #[track_caller]
    fn get(&self, password: &str, words: &[&str], expected: &str) {
        let ended = self.ask(password, words);
        let whole = || format!("{}\n--- server\n{}", ended.whole(), self.server.log());
        assert!(ended.stdout == expected.as_bytes(), "{}", whole());
    }

    #[track_caller]
    fn are_refused(&self, passwords: &[&str]) {
        for password in passwords {
            let ended = self.ask(password, &["ping"]);
            assert!(ended.err().contains("WRONGPASS"), "{}", ended.whole());
            assert!(ended.out().starts_with("NOAUTH"), "{}", ended.whole());
        }
    }

    fn ask(&self, password: &str, words: &[&str]) -> Ended {
        let socket = self.world.text("work/redis");
        let client = ["--", "redis-cli", "--no-auth-warning", "-s", &socket];
        let run = self.world.inject(client.iter().chain(words)).env("REDISCLI_AUTH", password);
        run.situation(["--user", &self.user.to_string()]).run()
    }
}

#[test]
fn redis_reads_its_config_from_a_path() {
    let world =
        world("requirepass '$REDIS_PASSWORD_PROD'\nuser app on '>$REDIS_PASSWORD_PROD' ~* +ping\n");
    let options = ["--render", "redis.conf.tpl:redis.conf"];
    let server = start(&world, launch(&world, &options, "redis.conf"));
    assert_eq!(mode_and_owner(&world.path("work/redis.conf")), (0o600, 0, 0));
    let callers = Callers { world: &world, server: &server, user: 0 };
    callers.get("$REDIS_PASSWORD_PROD", &["ping"], "PONG\n");
    callers.get("$REDIS_PASSWORD_PROD", &["--user", "app", "ping"], "PONG\n");
    let held = format!("requirepass\n{PASSWORD}\n");
    callers.get("$REDIS_PASSWORD_PROD", &["config", "get", "requirepass"], &held);
    callers.are_refused(&["x", "$REDIS_OTHER_PROD", "$$REDIS_PASSWORD_PROD"]);
    let ended = server.stop();
    lies_only_in(&world, &["redis.conf"], PASSWORD, &ended);
}

/// As a user of its own, as Debian runs it; who reads a list of users again at `ACL LOAD`.
#[test]
fn redis_reads_its_config_and_its_users_from_memory() {
    let world = world("aclfile /proc/self/fd/61\nmasterauth '$REDIS_PASSWORD_PROD'\n");
    server::give_to_nobody(&world);
    let options = ["--memfd", "60=redis.conf.tpl", "--memfd", "61=users.acl.tpl"];
    let run = launch(&world, &options, "/proc/self/fd/60");
    let server = start(&world, run.situation(["--user", &NOBODY.to_string()]));
    server.holds_in_memory(60, NOBODY, PASSWORD);
    server.holds_in_memory(61, NOBODY, OTHER);
    let callers = Callers { world: &world, server: &server, user: NOBODY };
    for _ in 0..2 {
        callers.get("$REDIS_OTHER_PROD", &["--user", "app", "ping"], "PONG\n");
        let held = format!("masterauth\n{PASSWORD}\n");
        callers.get("$REDIS_OTHER_PROD", &["config", "get", "masterauth"], &held);
        callers.are_refused(&["x", "$REDIS_PASSWORD_PROD"]);
        callers.get("$REDIS_OTHER_PROD", &["acl", "load"], "OK\n");
    }
    let ended = server.stop();
    lies_only_in(&world, &[], PASSWORD, &ended);
    lies_only_in(&world, &[], OTHER, &ended);
}

#[test]
fn redis_is_not_started_where_a_reference_is_missing() {
    let world = world("requirepass '$REDIS_PASWORD_PROD'\n");
    is_refused(&world, launch(&world, &["--render", "redis.conf.tpl:redis.conf"], "redis.conf"));
    is_refused(&world, launch(&world, &["--memfd", "60=redis.conf.tpl"], "/proc/self/fd/60"));
}
