//! Sealed memory files: nobody changes them, they are read again and again, and nothing but what
//! was asked for is open in the application.

use std::fs;

use crate::harness::{INJECT, Run, World, contains, files, needs_root, probe};
use crate::scripted_store::{Answer, ScriptedStore, secrets};

const VALUE: &str = "s3cr3t-in-a-m3mory-file";

fn world() -> World {
    let world = World::new();
    world.set("DB_KEY", VALUE);
    world.write("work/t.txt", "password: $DB_KEY\n");
    world
}

fn rendered() -> String {
    format!("password: {VALUE}\n")
}

/// A launch of a shell script with these options.
fn shell<'w>(world: &'w World, options: &[&str], script: &str) -> Run<'w> {
    world.inject([options, &["--", "sh", "-c", script]].concat())
}

/// Every open descriptor with what it leads to, and the variables, as the application saw them.
fn seen(world: &World, run: Run<'_>) -> (Vec<String>, Vec<String>) {
    run.run().code(0);
    let view = fs::read_to_string(world.path("view")).expect("the probe wrote it");
    let open = view.lines().filter_map(|line| line.strip_prefix("descriptor "));
    let open = open.filter(|line| !line.contains(" type ")).map(str::to_owned);
    let variables = view.lines().filter_map(|line| line.strip_prefix("env "));
    let value = |line: &str| line.split_once(' ').expect("a number and a text").1.to_owned();
    (open.collect(), variables.map(value).collect())
}

fn viewed<'w>(world: &'w World, options: &[&str]) -> Run<'w> {
    let probe = probe().to_str().expect("a text");
    world.inject([options, &["--", probe, "view", &world.text("view")]].concat())
}

#[test]
fn nobody_changes_it() {
    let world = world();
    let script = "stat -L -c %a $M; \
        for way in 'printf x >$M' 'printf x >>$M' 'truncate -s 0 $M' 'truncate -s 9999 $M' \
            'printf x | dd of=$M conv=notrunc' 'printf x >&7' '\"$M\"'; do \
            (eval \"$way\") 2>/dev/null && echo \"done: $way\"; done; cat $M /proc/self/fd/7";
    let ended = shell(&world, &["--memfd", "M=t.txt", "--memfd", "7=t.txt"], script).run();
    ended.code(0);
    assert_eq!(ended.out(), format!("400\n{0}{0}", rendered()));
}

/// From Linux 6.3 on, which has this setting, not even its owner can make it executable.
#[test]
fn it_is_never_executable_where_the_kernel_knows_how() {
    let world = world();
    let script = "chmod 700 $M 2>/dev/null; echo $?";
    let ended = shell(&world, &["--memfd", "M=t.txt"], script).run();
    let knows = fs::exists("/proc/sys/vm/memfd_noexec").expect("proc is there");
    assert_eq!(ended.out(), if knows { "1\n" } else { "0\n" }, "{}", ended.whole());
}

#[test]
fn it_is_read_again_and_again_from_its_start() {
    let world = world();
    let script = "cat $M; cat $M; cat $M $M; cat <&7; cat /proc/self/fd/7; (exec cat $M)";
    let ended = shell(&world, &["--memfd", "M=t.txt", "--memfd", "7=t.txt"], script).run();
    ended.code(0);
    assert_eq!(ended.out(), rendered().repeat(7));
}

#[test]
fn it_is_in_no_folder_and_goes_with_the_process() {
    let world = world();
    let ended = shell(&world, &["--memfd", "M=t.txt"], "readlink $M; echo $M").run();
    let out = ended.out();
    let (link, path) = out.trim().split_once('\n').expect("two lines");
    assert_eq!(link, "/memfd:inject (deleted)");
    assert!(path.starts_with("/proc/self/fd/"), "{path}");
    let written = files(&world.path("work")).into_iter().chain(files(&world.path("data")));
    for (path, bytes) in written {
        assert!(!contains(&bytes, VALUE.as_bytes()), "{} holds the value", path.display());
    }
}

#[test]
fn another_user_than_root_reads_it_too() {
    needs_root();
    let world = World::new();
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(world.path(""), everyone).expect("it is ours");
    let nobody = ["--user", "65534"];
    let set = world.inject(["secret", "set", "DB_KEY"]).stdin(VALUE);
    set.situation(nobody).run().code(0);
    world.write("work/t.txt", "password: $DB_KEY\n");
    let run = shell(&world, &["--memfd", "M=t.txt"], "cat $M; id -u");
    assert_eq!(run.situation(nobody).run().out(), format!("{}65534\n", rendered()));
}

#[test]
fn the_chosen_descriptors_and_no_others_are_open() {
    let world = world();
    let options = [
        "--memfd",
        "9=t.txt",
        "--memfd",
        "A=t.txt",
        "--memfd",
        "3=t.txt",
        "--memfd",
        "1000=t.txt",
        "--as-file",
        "K=DB_KEY",
        "--memfd",
        "4=t.txt",
        "--render",
        "t.txt:out",
    ];
    let inherited = ["--open", "5:/dev/null"];
    let (without, _) = seen(&world, viewed(&world, &[]).situation(inherited).streams("stream"));
    let run = viewed(&world, &options).situation(inherited).streams("stream");
    let (open, variables) = seen(&world, run);
    let added: Vec<_> = open.iter().filter(|open| !without.contains(open)).collect();
    let memory = |number| format!("{number} \"/memfd:inject (deleted)\"");
    assert_eq!(added, [3, 4, 6, 7, 9, 1000].map(memory).iter().collect::<Vec<_>>());
    assert_eq!(open.len(), without.len() + added.len(), "{open:?}");
    for name in ["A", "K"] {
        let paths = ["6", "7"].map(|number| format!("\"{name}=/proc/self/fd/{number}\""));
        assert!(paths.iter().any(|path| variables.contains(path)), "{variables:?}");
    }
}

/// Whatever a launch has had to do before: nothing of it is left at such a number.
#[test]
fn a_retry_leaves_no_descriptor_behind() {
    let world = world();
    let later = Answer::Status(503, String::new(), String::new());
    let store = ScriptedStore::tcp([later, secrets([("DB_KEY", VALUE)])]);
    let options: Vec<String> = (3..10).map(|number| format!("--memfd={number}=t.txt")).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let run = shell(&world, &options, "cat <&3; cat <&9").env("INJECT_STORE", &store.url);
    let ended = run.env("INJECT_ORG", "acme").env("INJECT_TOKEN", "inj_w_token").run();
    ended.code(0);
    assert_eq!(ended.out(), rendered().repeat(2));
    assert_eq!(store.requests().len(), 2, "it was tried again");
}

/// What is random comes from the kernel, and from no file.
#[test]
fn without_dev() {
    needs_root();
    let world = world();
    let gone = "mount -t tmpfs none /dev";
    let set = world.inject(["secret", "set", "OTHER_KEY"]).stdin("other").with_mounts(gone);
    set.env("INJECT_DATA", world.text("fresh")).run().code(0);
    let options = ["--render", "t.txt:out", "--memfd", "M=t.txt"];
    let ended = shell(&world, &options, "cat out $M").with_mounts(gone).run();
    assert_eq!(ended.code(0).out(), rendered().repeat(2));
}

#[test]
fn its_variable_takes_the_place_of_an_inherited_one() {
    let world = world();
    let run = viewed(&world, &["--memfd", "MIDDLE=t.txt", "--memfd", "LAST=t.txt"]);
    let entries = ["HOME=/", "FIRST=1", "MIDDLE=old", "THEN=2", "MIDDLE=older", "PATH=/usr/bin"];
    let mut entries: Vec<_> = entries.iter().map(|entry| entry.as_bytes().to_vec()).collect();
    entries.push(format!("INJECT_DATA={}", world.text("data")).into_bytes());
    let (_, variables) = seen(&world, run.entries(entries));
    let path = "/proc/self/fd/";
    let without_number = |text: &String| text.replace(path, "").replace(['3', '4'], "N");
    let variables: Vec<_> = variables.iter().map(without_number).collect();
    let expected = ["HOME=/", "FIRST=1", "MIDDLE=N", "THEN=2", "PATH=/usr/bin", "LAST=N"];
    assert_eq!(variables, expected.map(|entry| format!("\"{entry}\"")));
}

#[test]
fn a_descriptor_that_the_application_inherits_is_its_own() {
    let world = world();
    let taken = ["--open", "7:/dev/null"];
    let ended = shell(&world, &["--memfd", "7=t.txt"], "true").situation(taken).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `sh` was not started
      cannot put `t.txt` at descriptor 7: the application inherits another file there
        choose another number
      store: the embedded store in [DIR]/data, organization `default`
    ");
    let check = |number: &str| {
        let options = ["check", "--memfd", &format!("{number}=t.txt")];
        world.inject(options).situation(taken).run().exit()
    };
    assert_eq!((check("7"), check("8")), (64, 0));
}

#[test]
fn a_descriptor_beyond_the_limit_is_none() {
    let world = world();
    let few = ["--limit", "7:24:24"];
    let run = |number: &str| {
        shell(&world, &["--memfd", &format!("{number}=t.txt")], "cat /proc/self/fd/23")
            .situation(few)
            .run()
    };
    assert_eq!(run("23").code(0).out(), rendered());
    insta::assert_snapshot!(run("24").report(), @"
    exit 64
    --- stderr
    inject: `sh` was not started
      cannot put `t.txt` at descriptor 24: this process may use those below 24
        choose another number
      store: the embedded store in [DIR]/data, organization `default`
    ");
    insta::assert_snapshot!(run("2").report(), @"
    exit 64
    --- stderr
    inject: `sh` was not started
      `--memfd` number 1: a descriptor is a number from 3 to 65535
    ");
    for number in ["0", "65536", "99999999999999999999"] {
        run(number).code(64);
    }
}

#[test]
fn too_many_of_them_are_an_error() {
    let world = world();
    let options = ["A", "B", "C", "D", "E", "F"].map(|name| format!("--memfd={name}=t.txt"));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    // No reference, so that no store needs a descriptor.
    world.write("work/t.txt", "plain\n");
    let ended = shell(&world, &options, "true").situation(["--limit", "7:8:8"]).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 74
    --- stderr
    inject: `sh` was not started
      cannot make `memory file of F`: Too many open files
        let it have more files open (`ulimit -n`)
    ");
}

/// The only other program that a launch starts gets none of the files.
#[test]
fn the_key_s_command_inherits_nothing() {
    let world = world();
    let key = world.text("data/master.key");
    let command = format!("ls -l /proc/self/fd >{}; cat {key}", world.text("open"));
    let options = ["--memfd", "50=t.txt", "--memfd", "M=t.txt", "--master-key-command", &command];
    let ended = shell(&world, &options, "cat $M /proc/self/fd/50").run();
    assert_eq!(ended.out(), rendered().repeat(2), "{}", ended.whole());
    let open = fs::read_to_string(world.path("open")).expect("the command wrote it");
    assert!(open.contains(" 0 -> /dev/null") && !open.contains("memfd"), "{open}");
}

#[test]
fn one_that_is_large_is_whole() {
    let world = world();
    world.write("work/large.txt", "0123456789abcdef$DB_KEY\n".repeat(300_000));
    let script = "wc -c <$M; sha256sum <$M; \
        INJECT_DATA=\"$DATA\" \"$BINARY\" render large.txt | sha256sum";
    let run = shell(&world, &["--memfd", "M=large.txt"], script).env("BINARY", INJECT);
    let ended = run.env("DATA", world.text("data")).run();
    let out = ended.out();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], (300_000 * (17 + VALUE.len())).to_string(), "{}", ended.whole());
    assert_eq!(lines[1], lines[2], "{}", ended.whole());
}
