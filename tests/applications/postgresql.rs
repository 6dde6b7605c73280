//! PostgreSQL: the first password, the server's config, and what its clients authenticate with,
//! from paths and from memory. It refuses to be root: all is `nobody`'s, `inject` included.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::server::{self, NOBODY, Server, is_refused, lies_only_in, mode_and_owner};
use crate::harness::{Ended, Run, World, eventually};

/// `initdb` reads one line, and a service file takes what follows the `=` up to the last blank.
const PASSWORD: &str = r#"p"g\\d 'x' $DB_PASSWORD_PROD ${A_KEY} $$x # ; : é☃ %s \' ''="#;

/// A password file has `\` and `:` escaped, which a text's value is not; all else stands as it is.
const OTHER: &str = r#"p"g 'x' $DB_PASSWORD_PROD ${A_KEY} $$x #; é☃ %s ''="#;

/// A connection string between quotes, itself a setting between quotes: no `'` and no `\`.
const REPLICATION: &str = r#"r"e $DB_PASSWORD_PROD ${A_KEY} $$x # ; : é☃ %s ="#;

const SECRETS: [(&str, &str); 3] = [
    ("PG_PASSWORD_PROD", PASSWORD),
    ("PG_OTHER_PROD", OTHER),
    ("PG_REPLICATION_PROD", REPLICATION),
];

const CONFIG: &str = "# of $$PG_PASSWORD_PROD's server\nlisten_addresses = ''\n\
    unix_socket_directories = '[WORK]'\ndata_directory = '[WORK]/cluster'\n\
    hba_file = '[HBA]'\nident_file = '[WORK]/cluster/pg_ident.conf'\nfsync = off\n\
    primary_conninfo = 'host=primary user=replica password=''$PG_REPLICATION_PROD'''\n";

/// A world whose templates are there, and which is `nobody`'s.
fn world(hba: &str) -> World {
    let world = server::world(&SECRETS);
    let config = CONFIG.replace("[HBA]", hba);
    let service = "[main]\nhost=[WORK]\nuser=postgres\ndbname=postgres\n\
        password=$PG_PASSWORD_PROD\n";
    let texts = [
        ("postgresql.conf.tpl", &*config),
        ("pg_hba.conf.tpl", "# all by password\nlocal all all scram-sha-256\n"),
        ("first.tpl", "$PG_PASSWORD_PROD\n"),
        ("pgpass.tpl", "*:*:*:app:$PG_OTHER_PROD\n"),
        ("pg_service.conf.tpl", service),
    ];
    server::templates(&world, &texts);
    server::give_to_nobody(&world);
    world
}

/// A program of the newest PostgreSQL that Debian has put there; it leaves them off the PATH.
fn program(name: &str) -> String {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is needed: tests/run installs it")
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)));
    let number = |path: &PathBuf| path.iter().nth(4)?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter(|path| path.exists()).max_by_key(number);
    let newest = newest.expect("PostgreSQL is needed: tests/run installs it");
    newest.into_os_string().into_string().expect("Debian's paths are ASCII")
}

/// `inject OPTION… -- WORD…`, as nobody.
fn launch<'w>(world: &'w World, options: &[&str], words: &[&str]) -> Run<'w> {
    let words = options.iter().chain(&["--"]).chain(words);
    world.inject(words).situation(["--user", &NOBODY.to_string()])
}

fn start(world: &World, options: &[&str], config: [&str; 2]) -> Server {
    let words = [&*program("postgres"), config[0], config[1]];
    // The server's own word for it is the last line.
    let status = world.path("work/cluster/postmaster.pid");
    let is_ready = |text: String| text.lines().last().is_some_and(|word| word.trim() == "ready");
    let ready = || fs::read_to_string(&status).is_ok_and(is_ready);
    Server::start(world, launch(world, options, &words), ready)
}

/// What `psql` says to these statements, connected in this way.
fn ask(world: &World, options: &[&str], connection: &str, statements: &[&str]) -> Ended {
    let psql = program("psql");
    let mut words = vec![&*psql, "-XAtqw", "-v", "ON_ERROR_STOP=1", "-d", connection];
    words.extend(statements.iter().flat_map(|statement| ["-c", statement]));
    launch(world, options, &words).env("PGCLIENTENCODING", "UTF8").run()
}

/// The role `app`, with its password. psql gets it from a launch too, and quotes it.
fn make_app(world: &World, options: &[&str]) {
    let psql = program("psql");
    let words = [&*psql, "-Xqw", "-v", "ON_ERROR_STOP=1", "-d", "service=main"];
    let options = [options, &["-e", "OTHER=$PG_OTHER_PROD"]].concat();
    let script = "\\set other `printenv OTHER`\ncreate role app login password :'other';\n";
    let run = launch(world, &options, &words).env("PGCLIENTENCODING", "UTF8");
    run.stdin(script).run().code(0);
}

fn connection(world: &World, user: &str) -> String {
    format!("host={} user={user} dbname=postgres", world.text("work"))
}

#[track_caller]
fn is_denied(ended: &Ended, user: &str) {
    ended.code(2);
    let denied = format!("password authentication failed for user \"{user}\"");
    assert!(ended.err().contains(&denied), "{}", ended.whole());
}

/// What the server has as its connection string is what the template has, to the byte.
fn conninfo() -> String {
    format!("host=primary user=replica password='{REPLICATION}'\n")
}

const INITDB: [&str; 8] =
    ["--no-sync", "--no-locale", "-E", "UTF8", "-U", "postgres", "-A", "scram-sha-256"];

#[test]
fn postgresql_reads_its_config_and_its_clients_their_passwords_from_paths() {
    let world = world("[WORK]/cluster/pg_hba.conf");
    let script = "exec \"$0\" -D cluster --pwfile=\"$FIRST\" \"$@\"";
    let initdb = program("initdb");
    let words = [&["sh", "-c", script, &initdb][..], &INITDB].concat();
    launch(&world, &["--as-file", "FIRST=PG_PASSWORD_PROD"], &words).run().code(0);
    // In the place of those that initdb made.
    let options = ["--render", "postgresql.conf.tpl:cluster/postgresql.conf:0640"];
    let options = [&options[..], &["--render", "pg_hba.conf.tpl:cluster/pg_hba.conf"]].concat();
    let server = start(&world, &options, ["-D", "cluster"]);
    let of = |name: &str| mode_and_owner(&world.path(&format!("work/{name}")));
    assert_eq!(of("cluster/postgresql.conf"), (0o640, NOBODY, NOBODY));
    assert_eq!(of("cluster/pg_hba.conf"), (0o600, NOBODY, NOBODY));

    let service = ["--render", "pg_service.conf.tpl:service", "-e", "PGSERVICEFILE=service"];
    let shown = ask(&world, &service, "service=main", &["show primary_conninfo"]);
    assert_eq!(shown.code(0).out(), conninfo(), "{}", shown.whole());
    make_app(&world, &service);
    let app = connection(&world, "app");
    let pgpass = ["--render", "pgpass.tpl:pgpass:0600", "-e", "PGPASSFILE=pgpass"];
    let shown = ask(&world, &pgpass, &app, &["select current_user"]);
    assert_eq!(shown.code(0).out(), "app\n", "{}", shown.whole());
    assert_eq!(of("service"), (0o600, NOBODY, NOBODY));
    assert_eq!(of("pgpass"), (0o600, NOBODY, NOBODY));
    is_denied(&ask(&world, &["-e", "PGPASSWORD=$PG_PASSWORD_PROD"], &app, &[]), "app");

    let ended = server.stop();
    lies_only_in(&world, &["cluster/postgresql.conf"], REPLICATION, &ended);
    lies_only_in(&world, &["service"], PASSWORD, &ended);
    lies_only_in(&world, &["pgpass"], OTHER, &ended);
}

/// Nothing of any password is ever on a disk. A session, which is another process of the same user,
/// reads the config again, and so does the server at SIGHUP.
#[test]
fn postgresql_and_its_clients_read_all_from_memory() {
    let world = world("/proc/self/fd/61");
    let initdb = program("initdb");
    let words = [&[&*initdb, "-D", "cluster", "--pwfile=/proc/self/fd/62"][..], &INITDB].concat();
    launch(&world, &["--memfd", "62=first.tpl"], &words).run().code(0);
    let options = ["--memfd", "60=postgresql.conf.tpl", "--memfd", "61=pg_hba.conf.tpl"];
    let server = start(&world, &options, ["-c", "config_file=/proc/self/fd/60"]);
    server.holds_in_memory(60, NOBODY, REPLICATION);
    server.signal(Signal::SIGHUP);
    let reloaded = || server.log().contains("reloading configuration files").then_some(());
    eventually(reloaded).unwrap_or_else(|| panic!("no reload\n{}", server.log()));

    let service = ["--memfd", "PGSERVICEFILE=pg_service.conf.tpl"];
    let statements = [
        "show primary_conninfo",
        "select count(*) from pg_file_settings where sourcefile = '/proc/self/fd/60'",
        "select name, error from pg_file_settings where not applied or error is not null",
        "select auth_method, error is null from pg_hba_file_rules",
    ];
    let shown = ask(&world, &service, "service=main", &statements);
    let expected = conninfo() + "7\nscram-sha-256|t\n";
    assert_eq!(shown.code(0).out().replace("[DIR]", ""), expected, "{}", shown.whole());
    make_app(&world, &service);
    let app = connection(&world, "app");
    let shown = ask(&world, &["--memfd", "PGPASSFILE=pgpass.tpl"], &app, &["select current_user"]);
    assert_eq!(shown.code(0).out(), "app\n", "{}", shown.whole());
    let wrong = ["-e", "PGPASSWORD=$PG_REPLICATION_PROD"];
    is_denied(&ask(&world, &wrong, &connection(&world, "postgres"), &[]), "postgres");

    let ended = server.stop();
    assert!(!ended.err().contains("contains errors"), "{}", ended.whole());
    for secret in [PASSWORD, OTHER, REPLICATION] {
        lies_only_in(&world, &[], secret, &ended);
    }
}

#[test]
fn postgresql_is_not_started_where_a_reference_is_missing() {
    let world = world("[WORK]/h");
    world.write("work/pg_hba.conf.tpl", "local all $NO_SUCH_ROLE scram-sha-256\n");
    let (postgres, initdb) = (program("postgres"), program("initdb"));
    let to_paths = ["--render", "postgresql.conf.tpl:c", "--render", "pg_hba.conf.tpl:h:0640"];
    is_refused(&world, launch(&world, &to_paths, &[&*postgres, "-c", "config_file=c"]));
    let to_memory = ["--memfd", "60=postgresql.conf.tpl", "--memfd", "61=pg_hba.conf.tpl"];
    let from_memory = [&*postgres, "-c", "config_file=/proc/self/fd/60"];
    is_refused(&world, launch(&world, &to_memory, &from_memory));
    let words = [&*initdb, "-D", "cluster", "--pwfile=/proc/self/fd/60"];
    is_refused(&world, launch(&world, &["--memfd", "60=pg_hba.conf.tpl"], &words));
}
