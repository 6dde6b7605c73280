//! What a supervisor such as systemd hears of a sidecar (sd_notify(3)).

use std::os::unix::net::UnixDatagram;

use super::side::{Scene, Side};
use crate::harness::DEADLINE;

const KEY: [&str; 1] = ["--render=key.txt:out/key"];

fn hears(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).expect("a message before the deadline");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[test]
fn it_hears_that_the_files_are_there_and_of_the_end() {
    let scene = Scene::new();
    let name = scene.world().text("notify.sock");
    let supervisor = UnixDatagram::bind(&name).expect("a fresh name");
    supervisor.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let command = ["--exec", "--", "sh", "-c", "env >told.next; mv told.next told"];
    let run = scene.describe(&[&KEY[..], &command].concat()).env("NOTIFY_SOCKET", &name);
    let side = Side::of(scene.world(), run, "side");
    assert_eq!(hears(&supervisor), "READY=1\nSTATUS=rendered, and watching\n");
    assert_eq!(scene.text("out/key"), "key key-1\n", "not before it is so");
    scene.set("DB_KEY", "key-2");
    side.logs("command_done", 1);
    let told = scene.text("told");
    assert!(told.contains("PATH=") && !told.contains("NOTIFY_SOCKET"), "{told}");
    side.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(hears(&supervisor), "STOPPING=1\nSTATUS=ending\n");
    side.wait().code(0);

    // An init container, or a unit's ExecStartPre, speaks for no service.
    let once = scene.describe(&[&KEY[..], &["--once"]].concat());
    once.env("NOTIFY_SOCKET", &name).run().code(0);
    supervisor.set_nonblocking(true).expect("a socket");
    assert!(supervisor.recv(&mut [0]).is_err(), "nothing is said");
}

#[test]
fn nothing_is_ready_where_nothing_is_rendered() {
    let scene = Scene::new();
    let name = scene.world().text("notify.sock");
    let supervisor = UnixDatagram::bind(&name).expect("a fresh name");
    supervisor.set_nonblocking(true).expect("a socket");
    scene.world().write("work/key.txt", "key $NO_SUCH_KEY\n");
    scene.describe(&KEY).env("NOTIFY_SOCKET", &name).run().code(78);
    assert!(supervisor.recv(&mut [0]).is_err(), "nothing is said");
    let ended = scene.describe(&KEY).env("NOTIFY_SOCKET", scene.world().text("none")).run();
    assert!(ended.code(74).err().contains("`NOTIFY_SOCKET`"), "{}", ended.whole());
}
