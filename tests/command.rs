//! Which file a command is, and why it cannot be started: told before anything is fetched, as far
//! as that can be known by then. What it gets once it starts is in launch.rs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Ended, INJECT, Run, World};
use crate::scripted_store::{ScriptedStore, secrets};

/// A launch of this command with a reference, which must end before the store is asked.
fn refused(world: &World, command: &str, arrange: impl FnOnce(Run<'_>) -> Run<'_>) -> Ended {
    let store = ScriptedStore::tcp([secrets([("A_KEY", "1")])]);
    let run = world.inject(["--", command]).env("A", "$A_KEY");
    let run = run.env("INJECT_STORE", &store.url).env("INJECT_ORG", "acme");
    let ended = arrange(run.env("INJECT_TOKEN", "inj_w_token")).run();
    assert_eq!(store.requests().len(), 0, "it was fetched first\n{}", ended.whole());
    ended
}

/// The line of a report that says why; the first one says only that it was not started.
fn why(ended: &Ended) -> String {
    ended.err().lines().nth(1).unwrap_or_default().trim().to_owned()
}

/// Writes a file with any bytes that is to be executed; for why not directly, see `World::script`.
fn program(world: &World, path: &str, bytes: &[u8]) {
    let source = world.write(&format!("{path}.source"), bytes);
    let source = source.to_str().expect("temporary paths are UTF-8");
    world.command("install", ["-m", "0755", source, &world.text(path)]).run().code(0);
}

/// The start of a 64-bit program with one header, which names this loader.
fn program_with_loader(loader: &str, loader_at: usize) -> Vec<u8> {
    let own = fs::read(INJECT).expect("it was built");
    let mut bytes = vec![0; loader_at + loader.len() + 1];
    // Identification, type, machine and version are those of a program that starts here.
    bytes[..24].copy_from_slice(&own[..24]);
    let mut put = |at: usize, number: usize, size: usize| {
        bytes[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
    };
    let fields = [(32, 64, 8), (52, 64, 2), (54, 56, 2), (56, 1, 2)];
    let header = [(64, 3, 4), (72, loader_at, 8), (96, loader.len() + 1, 8)];
    fields.into_iter().chain(header).for_each(|(at, number, size)| put(at, number, size));
    bytes[loader_at..loader_at + loader.len()].copy_from_slice(loader.as_bytes());
    bytes
}

#[test]
fn a_path_with_a_nul_is_searched_without_that_folder() {
    let world = World::new();
    let path = "/no\\u0000where:/usr/bin:/bin";
    world.write("work/inject.toml", format!("[env]\nPATH = \"{path}\"\n"));
    let manifest = world.text("work/inject.toml");
    let ended = world.inject(["--config", &manifest, "--", "true"]).run();
    ended.code(65);
    assert_eq!(why(&ended), "`PATH` would hold a NUL byte, which no variable can");
}

#[test]
fn the_search_stops_where_a_shell_stops() {
    let world = World::new();
    world.script("second/tool", "#!/bin/sh\necho second\n", "0755");
    let path = format!("{}:{}", world.text("first"), world.text("second"));
    let cases = [
        ("echo no shebang\n", "`tool` is neither a program nor a script"),
        ("#!/no/such/shell\n", "`tool` needs `/no/such/shell`, which is not there"),
        ("#!/\n", "`tool` needs `/`, which may not be executed"),
    ];
    for (body, expected) in cases {
        world.script("first/tool", body, "0755");
        let ended = refused(&world, "tool", |run| run.env("PATH", &path));
        ended.code(126);
        assert_eq!(why(&ended), expected);
    }
    world.script("first/tool", "echo not executable\n", "0644");
    let ended = world.inject(["--", "tool"]).env("PATH", &path).run();
    assert_eq!(ended.code(0).out(), "second\n");
}

#[test]
fn a_folder_that_may_not_be_searched_hides_nothing() {
    let world = World::new();
    world.script("closed/tool", "#!/bin/sh\n", "0755");
    let mode = |path: &str, mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(world.path(path), permissions).expect("it is ours");
    };
    mode("", 0o755);
    mode("closed", 0o700);
    let binary = world.text("inject");
    world.command("install", ["-m", "0755", INJECT, &binary]).run().code(0);
    let path = format!("{}:/usr/bin:/bin", world.text("closed"));
    let run = |command: &str| {
        let run = world.command(&binary, ["--", command]).env("PATH", &path);
        run.situation(["--user", "65534"]).run()
    };
    run("no-such-command").code(127);
    run("tool").code(127);
    run("true").code(0);
    let ended = run(&world.text("closed/tool"));
    ended.code(126);
    assert_eq!(why(&ended), "`[DIR]/closed/tool` may not be executed");
}

#[test]
fn a_first_line_is_read_as_the_kernel_reads_it() {
    let world = World::new();
    world.script("work/plain", "not executable", "0644");
    let long = format!("#!/{}\n", "x".repeat(300));
    let not_there = "`./tool` needs `/no/such`, which is not there";
    let carriage_return = "`./tool` names an interpreter, and that line ends in a carriage return";
    let cases = [
        ("#!/bin/sh\r\nexit 0\r\n", carriage_return),
        ("#! /no/such -e\r\n", not_there),
        ("#!\t/no/such\t\n", not_there),
        ("#!/no/such", not_there),
        ("#!./plain\n", "`./tool` needs `./plain`, which may not be executed"),
        ("#!/usr/bin\n", "`./tool` needs `/usr/bin`, which may not be executed"),
        ("#!\n", "`./tool` is neither a program nor a script"),
        ("#! \t\n", "`./tool` is neither a program nor a script"),
        (&long, "`./tool` is neither a program nor a script"),
    ];
    for (body, expected) in cases {
        world.script("work/tool", body, "0755");
        let ended = refused(&world, "./tool", |run| run);
        ended.code(126);
        assert_eq!(why(&ended), expected, "{body:?}");
    }
    for body in ["#! \t/bin/sh \t-e \nexit 0\n", "#!/bin/sh", "#!/bin/sh\0x\nexit 0\n"] {
        world.script("work/tool", body, "0755");
        world.inject(["--", "./tool"]).run().code(0);
    }
    // Of 256 bytes, the last one may be the blank that ends the name.
    for (blanks, code) in [(246, 0), (247, 126)] {
        let line = format!("#!{}/bin/sh \nexit 0\n", " ".repeat(blanks));
        world.script("work/tool", &line, "0755");
        world.inject(["--", "./tool"]).run().code(code);
    }
}

#[test]
fn a_program_for_another_machine() {
    let world = World::new();
    let mut bytes = program_with_loader("/bin/sh", 120);
    bytes[18..20].copy_from_slice(&0x7777_u16.to_le_bytes());
    program(&world, "work/tool", &bytes);
    let expected = "`./tool` is a program for another machine";
    // Where there is nothing that could run it, it is told at once.
    let kinds = world.write("filesystems", "nodev\tproc\n");
    let mount = format!("mount --bind {} /proc/filesystems", kinds.display());
    let ended = refused(&world, "./tool", |run| run.with_mounts(&mount));
    ended.code(126);
    assert_eq!(why(&ended), expected);
    // Else the kernel is asked.
    world.set("A_KEY", "x");
    let ended = world.inject(["--", "./tool"]).env("A", "$A_KEY").run();
    ended.code(126);
    assert_eq!(why(&ended), expected);
    let formats = world.path("formats");
    fs::create_dir(&formats).expect("a fresh directory");
    world.write("formats/emulator", "");
    let kinds = world.write("filesystems", "nodev\tbinfmt_misc\n");
    let mounts = format!(
        "mount --bind {} /proc/filesystems; mount --bind {} /proc/sys/fs",
        kinds.display(),
        world.path("fs").display()
    );
    fs::create_dir(world.path("fs")).expect("a fresh directory");
    fs::rename(&formats, world.path("fs/binfmt_misc")).expect("both are in this world");
    let run = world.inject(["--", "./tool"]).env("A", "$A_KEY").with_mounts(&mounts);
    let ended = run.run();
    ended.code(126);
    assert_eq!(why(&ended), expected);
}

#[test]
fn a_program_whose_loader_is_not_there() {
    let world = World::new();
    let loader = "/no/such/ld-linux.so.2";
    for loader_at in [120, 9000] {
        program(&world, "work/tool", &program_with_loader(loader, loader_at));
        let ended = refused(&world, "./tool", |run| run);
        ended.code(126);
        assert_eq!(why(&ended), format!("`./tool` needs `{loader}`, which is not there"));
    }
    program(&world, "work/tool", &program_with_loader("/usr", 120));
    let ended = refused(&world, "./tool", |run| run);
    ended.code(126);
    assert_eq!(why(&ended), "`./tool` needs `/usr`, which may not be executed");
    // Cut short anywhere, it is never more than no program.
    let whole = program_with_loader(loader, 120);
    for length in [4, 19, 63, 64, 100, 119, 130] {
        program(&world, "work/tool", &whole[..length]);
        world.inject(["--", "./tool"]).run().code(126);
    }
}

/// Starts `./script` with an environment that has so many bytes more, under the least limit.
fn run_with(world: &World, filler: usize) -> Ended {
    let (first, second) = ("x".repeat(60_000), "y".repeat(filler - 60_000));
    world.write("work/filler.env", format!("ONE={first}\nTWO={second}\n"));
    let run = world.inject(["--env-file", "filler.env", "--", "./script"]);
    run.situation(["--limit", "3:524288:-1"]).run()
}

#[test]
fn a_script_has_longer_arguments_than_a_program() {
    let world = World::new();
    let line = format!("#!/bin/{}sh -e\nexit 0\n", "./".repeat(100));
    world.script("work/script", &line, "0755");
    // A quarter of this stack's limit is less than the least that the kernel takes.
    let limit = 131_072;
    let fillers = (limit - 900..limit).step_by(7);
    let codes: Vec<_> = fillers.map(|filler| run_with(&world, filler).exit()).collect();
    let refused = codes.iter().position(|code| *code == 65).expect("some are too long");
    assert!(refused > 0 && codes[..refused].iter().all(|code| *code == 0), "{codes:?}");
    assert!(codes[refused..].iter().all(|code| *code == 65), "{codes:?}");
}

#[test]
fn an_interpreter_that_is_a_script_adds_to_the_arguments() {
    let world = World::new();
    world.script("work/inner", &format!("#!/bin/sh {}\n", "x".repeat(200)), "0755");
    world.script("work/script", "#!./inner\n", "0755");
    for filler in (130_000..131_072).step_by(40) {
        let ended = run_with(&world, filler);
        assert_ne!(ended.exit(), 126, "{}", why(&ended));
    }
}

#[test]
fn an_empty_command() {
    let world = World::new();
    let ended = world.inject(["--", ""]).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 127
    --- stderr
    inject: `` was not started
      `` is not found
        it is empty: a variable that stands for it may be unset
    ");
}

#[test]
fn an_interpreter_that_cannot_run_is_told_before_anything_is_fetched() {
    let world = World::new();
    let loader = "/no/such/ld-linux.so.2";
    program(&world, "work/program", &program_with_loader(loader, 120));
    world.script("work/text", "no program\n", "0755");
    world.script("work/gone", "#!/no/such\n", "0755");
    for (interpreter, needed) in [
        ("./program", "`/no/such/ld-linux.so.2`, which is not there"),
        ("./gone", "`/no/such`, which is not there"),
        ("./text", "`./text`, which is no program for this machine"),
    ] {
        world.script("work/tool", &format!("#!{interpreter}\n"), "0755");
        let ended = refused(&world, "./tool", |run| run);
        ended.code(126);
        assert_eq!(why(&ended), format!("`./tool` needs {needed}"));
    }
    // The kernel ends a circle; that it does is not known before.
    world.script("work/tool", "#!./tool\n", "0755");
    world.inject(["--", "./tool"]).run().code(126);
}

/// Filters of system calls that are older than faccessat2(2), as old container engines have.
#[test]
fn a_filter_that_forbids_to_ask_hinders_no_command() {
    let world = World::new();
    world.script("work/tool", "#!/bin/sh\necho it runs\n", "0755");
    world.script("work/text", "#!/bin/sh\n", "0644");
    let filter = ["-e", "trace=faccessat2", "-e", "inject=faccessat2:error=EPERM"];
    let run = |command: &str| {
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null"];
        world.inject(["--", command]).within(strace.into_iter().chain(filter)).run()
    };
    assert_eq!(run("./tool").code(0).out(), "it runs\n");
    run("./text").code(126);
}
