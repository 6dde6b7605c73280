//! nginx: basic authentication by a rendered password file, and a token that it adds to what it
//! passes on, from paths and from memory.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::Signal;

use super::server::{self, NOBODY, Server, is_refused, lies_only_in, mode_and_owner};
use crate::harness::{DEADLINE, Run, World, eventually};

/// A password file's line ends at a line break or at a `:`; all else is the password's.
const PASSWORD: &str = r#"p"a\\w' ''x'' $DB_PASSWORD_PROD ${A_KEY} $$x #;{} é☃ %s \"#;

/// Between single quotes nginx takes all as it is but `'`, and a `\` at the end or before one of
/// `'"\trn`. It would expand `$host` in most places, but never in the values of `geo`.
const TOKEN: &str = r#"t"o\d $host $DB_PASSWORD_PROD ${A_KEY} {}; # é☃ %s"#;

const SECRETS: [(&str, &str); 2] =
    [("NGINX_PASSWORD_PROD", PASSWORD), ("UPSTREAM_TOKEN_PROD", TOKEN)];

/// One server asks for the password, and passes on to another, which answers with what it got.
/// nginx's own `$remote_user` is no secret's name; one in upper case is written with two dollars.
const CONFIG: &str = r#"# passes on with $$UPSTREAM_TOKEN_PROD
daemon off;
[USER]
pid [WORK]/nginx.pid;
error_log stderr notice;
events {}
http {
    access_log off;
    client_body_temp_path [WORK]/body;
    proxy_temp_path [WORK]/proxy;
    fastcgi_temp_path [WORK]/fastcgi;
    uwsgi_temp_path [WORK]/uwsgi;
    scgi_temp_path [WORK]/scgi;
    geo $upstream_token { default '$UPSTREAM_TOKEN_PROD'; }
    server {
        listen unix:[WORK]/front;
        location / {
            set $$CALLER $remote_user;
            auth_basic "members";
            auth_basic_user_file [PASSWORDS];
            proxy_pass http://unix:[WORK]/back:/;
            proxy_set_header X-Token $upstream_token;
            proxy_set_header X-Caller $$CALLER;
        }
    }
    server {
        listen unix:[WORK]/back;
        location / { return 200 "$http_x_caller: $http_x_token"; }
    }
}
"#;

/// A world with both templates. Where a user is named, root's nginx has workers of that user.
fn world(user: &str, passwords: &str) -> World {
    let world = server::world(&SECRETS);
    let config = CONFIG.replace("[USER]", user).replace("[PASSWORDS]", passwords);
    let htpasswd = "# who may come in\napp:{PLAIN}$NGINX_PASSWORD_PROD\n";
    server::templates(&world, &[("nginx.conf.tpl", &config), ("htpasswd.tpl", htpasswd)]);
    world
}

/// `inject OPTION… -- nginx` with this config; its prefix is the working directory.
fn launch<'w>(world: &'w World, options: &[&str], config: &str) -> Run<'w> {
    let prefix = world.text("work");
    let nginx = ["--", "/usr/sbin/nginx", "-p", &prefix, "-e", "stderr", "-c", config];
    world.inject(options.iter().chain(&nginx))
}

fn start(world: &World, run: Run<'_>) -> Server {
    let front = world.path("work/front");
    Server::start(world, run, || UnixStream::connect(&front).is_ok())
}

/// The status and the body that a caller with this password gets.
fn get(world: &World, password: &str) -> (String, String) {
    let answer = ask(&world.path("work/front"), password).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("RFC 9112: a head, then a body");
    (head.split(' ').nth(1).expect("a status").to_owned(), body.to_owned())
}

fn ask(socket: &Path, password: &str) -> std::io::Result<String> {
    let credentials = STANDARD.encode(format!("app:{password}"));
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET / HTTP/1.0\r\nAuthorization: Basic {credentials}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// That the right password and no other one opens, and that the token goes on as it is.
#[track_caller]
fn lets_in_who_knows(world: &World, server: &Server) {
    let expected = ("200".to_owned(), format!("app: {TOKEN}"));
    assert_eq!(get(world, PASSWORD), expected, "{}", server.log());
    for wrong in ["", "x", &PASSWORD[1..], "$NGINX_PASSWORD_PROD"] {
        assert_eq!(get(world, wrong).0, "401", "{wrong}\n{}", server.log());
    }
}

#[test]
fn nginx_reads_its_config_and_its_password_file_from_paths() {
    let world = world("user nobody nogroup;", "[WORK]/htpasswd");
    let htpasswd = format!("htpasswd.tpl:htpasswd:0440:0:{NOBODY}");
    let options = ["--render", "nginx.conf.tpl:nginx.conf", "--render", &htpasswd];
    let run = launch(&world, &options, &world.text("work/nginx.conf"));
    // The modes are as asked, whatever the umask says.
    let server = start(&world, run.situation(["--umask", "0777"]));
    lets_in_who_knows(&world, &server);
    assert_eq!(mode_and_owner(&world.path("work/nginx.conf")), (0o600, 0, 0));
    assert_eq!(mode_and_owner(&world.path("work/htpasswd")), (0o440, 0, NOBODY));
    let ended = server.stop();
    lies_only_in(&world, &["nginx.conf"], TOKEN, &ended);
    lies_only_in(&world, &["htpasswd"], PASSWORD, &ended);
}

/// The master reads the config, and reads it again at SIGHUP; its workers, who are somebody else,
/// read the password file at each request.
#[test]
fn nginx_reads_its_config_from_memory_and_again_at_a_reload() {
    let world = world("user nobody nogroup;", "[WORK]/htpasswd");
    let htpasswd = format!("htpasswd.tpl:htpasswd:0400:{NOBODY}");
    let options = ["--memfd", "60=nginx.conf.tpl", "--render", &htpasswd];
    let server = start(&world, launch(&world, &options, "/proc/self/fd/60"));
    lets_in_who_knows(&world, &server);
    server.holds_in_memory(60, 0, TOKEN);
    assert_eq!(mode_and_owner(&world.path("work/htpasswd")), (0o400, NOBODY, 0));
    server.signal(Signal::SIGHUP);
    let reloaded = || (server.log().matches("start worker process ").count() > 1).then_some(());
    eventually(reloaded).unwrap_or_else(|| panic!("no reload\n{}", server.log()));
    lets_in_who_knows(&world, &server);
    let ended = server.stop();
    lies_only_in(&world, &[], TOKEN, &ended);
    lies_only_in(&world, &["htpasswd"], PASSWORD, &ended);
}

#[test]
fn nginx_with_one_user_reads_all_from_memory() {
    let world = world("", "/proc/self/fd/61");
    server::give_to_nobody(&world);
    let options = ["--memfd", "60=nginx.conf.tpl", "--memfd", "61=htpasswd.tpl"];
    let run = launch(&world, &options, "/proc/self/fd/60");
    let server = start(&world, run.situation(["--user", &NOBODY.to_string()]));
    lets_in_who_knows(&world, &server);
    server.holds_in_memory(60, NOBODY, TOKEN);
    server.holds_in_memory(61, NOBODY, PASSWORD);
    let ended = server.stop();
    lies_only_in(&world, &[], TOKEN, &ended);
    lies_only_in(&world, &[], PASSWORD, &ended);
}

/// A memory file is its owner's alone: with the password file in one, nobody is let in at all.
#[test]
fn an_nginx_worker_of_another_user_cannot_read_from_memory() {
    let world = world("user nobody nogroup;", "/proc/self/fd/61");
    let options = ["--memfd", "60=nginx.conf.tpl", "--memfd", "61=htpasswd.tpl"];
    let server = start(&world, launch(&world, &options, "/proc/self/fd/60"));
    for password in [PASSWORD, "x"] {
        assert_eq!(get(&world, password).0, "500", "{}", server.log());
    }
    let ended = server.stop();
    let denied = "open() \"/proc/self/fd/61\" failed (13: Permission denied)";
    assert!(ended.err().contains(denied), "{}", ended.whole());
}

#[test]
fn nginx_is_not_started_where_a_reference_is_missing() {
    let world = world("user nobody nogroup;", "[WORK]/htpasswd");
    world.write("work/htpasswd.tpl", "app:{PLAIN}$NO_SUCH_PASSWORD\n");
    let to_paths =
        ["--render", "nginx.conf.tpl:nginx.conf", "--render", "htpasswd.tpl:htpasswd:0440"];
    is_refused(&world, launch(&world, &to_paths, "nginx.conf"));
    let to_memory = ["--memfd", "60=nginx.conf.tpl", "--memfd", "61=htpasswd.tpl"];
    is_refused(&world, launch(&world, &to_memory, "/proc/self/fd/60"));
}
