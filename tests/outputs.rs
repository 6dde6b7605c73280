//! Config files rendered to paths: mode, what stands at the place before, what is never
//! written over, and that a launch which fails changes nothing. Owners are in
//! output_owners.rs, faults of disks and signals in between in output_faults.rs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use crate::harness::{Run, World, needs_root};
use crate::scripted_store::{ScriptedStore, secrets};

pub const RENDERED: &str = "password: s3cr3t\n";

/// A world with one secret and the template `work/t.txt`.
pub fn world() -> World {
    let world = World::new();
    world.set("DB_KEY", "s3cr3t");
    world.write("work/t.txt", "password: $DB_KEY\n");
    world
}

/// A launch of `true` that renders these.
pub fn render<'w>(world: &'w World, outputs: &[&str]) -> Run<'w> {
    let options = outputs.iter().flat_map(|output| ["--render", output]);
    world.inject(options.chain(["--", "true"]))
}

pub fn read(world: &World, path: &str) -> String {
    fs::read_to_string(world.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a folder, hidden ones included.
pub fn names(world: &World, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(world.path(folder)).expect("a folder that is there");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> = entries.map(name).map(|name| name.display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn only_its_owner_reads_it_unless_a_mode_is_given() {
    let world = world();
    for mask in ["0", "027", "077", "777"] {
        for (spec, expected) in [("", 0o600), (":600", 0o600), (":0644", 0o644), (":440", 0o440)] {
            let ended =
                render(&world, &[&format!("t.txt:out{spec}")]).situation(["--umask", mask]).run();
            ended.code(0);
            let mode = fs::metadata(world.path("work/out")).expect("it is there").mode();
            assert_eq!(mode & 0o7777, expected, "umask {mask}, `{spec}`: {mode:o}");
            assert_eq!(read(&world, "work/out"), RENDERED);
        }
    }
}

/// A new file gets the mode that was asked for, not the one of what it replaces.
#[test]
fn an_old_file_s_mode_does_not_stay() {
    let world = world();
    let old = world.write("work/out", "old, and longer than what is rendered\n".repeat(9));
    fs::set_permissions(&old, fs::Permissions::from_mode(0o666)).expect("it is ours");
    render(&world, &["t.txt:out"]).run().code(0);
    assert_eq!(fs::metadata(old).expect("it is there").mode() & 0o7777, 0o600);
    assert_eq!(read(&world, "work/out"), RENDERED);
}

#[test]
fn a_symlink_is_replaced_and_never_followed() {
    let world = world();
    world.write("victim", "untouched\n");
    fs::create_dir(world.path("folder")).expect("a fresh folder");
    for target in ["victim", "folder", "nowhere", "work/out"] {
        symlink(world.path(target), world.path("work/out")).expect("a fresh name");
        render(&world, &["t.txt:out"]).run().code(0);
        let out = fs::symlink_metadata(world.path("work/out")).expect("it is there");
        assert!(out.is_file(), "{target}: {:?}", out.file_type());
        assert_eq!(read(&world, "work/out"), RENDERED);
        fs::remove_file(world.path("work/out")).expect("it is there");
    }
    assert_eq!(read(&world, "victim"), "untouched\n");
    assert!(!world.path("nowhere").exists(), "a dangling link leads to nothing new");
    assert!(names(&world, "folder").is_empty());
}

#[test]
fn another_name_of_an_old_file_keeps_it() {
    let world = world();
    let old = world.write("work/out", "old\n");
    fs::hard_link(old, world.path("work/same")).expect("a fresh name");
    render(&world, &["t.txt:out"]).run().code(0);
    assert_eq!(
        (read(&world, "work/out"), read(&world, "work/same")),
        (RENDERED.into(), "old\n".into())
    );
}

/// All of it is told before anything is fetched, and `check` ends as the launch would.
#[test]
fn where_no_file_can_be() {
    let world = world();
    fs::create_dir(world.path("work/folder")).expect("a fresh folder");
    world.command("mkfifo", ["pipe"]).run().code(0);
    let _socket = UnixListener::bind(world.path("work/socket")).expect("a fresh name");
    symlink("/proc/self/fd/1", world.path("work/stdout")).expect("a fresh name");
    world.write("work/file", "old\n");
    let before = names(&world, "work");
    let store = ScriptedStore::tcp([secrets([("DB_KEY", "s3cr3t")])]);
    let at = |run: Run<'_>| {
        let run = run.env("INJECT_STORE", &store.url).env("INJECT_ORG", "acme");
        run.env("INJECT_TOKEN", "inj_w_token").run()
    };
    for (output, code) in [
        ("folder", 64),
        ("folder/", 64),
        ("folder/.", 64),
        ("file/.", 64),
        (".", 64),
        ("..", 64),
        ("/", 64),
        ("pipe", 64),
        ("socket", 64),
        ("/dev/null", 64),
        ("stdout", 64),
        ("/dev/fd/1", 64),
        ("nowhere/out", 74),
        ("file/out", 74),
    ] {
        let spec = format!("t.txt:{output}");
        let ended = at(render(&world, &[&spec, "t.txt:good"]));
        assert_eq!(ended.exit(), code, "{output}\n{}", ended.whole());
        let checked = at(world.inject(["check", "--render", &spec]));
        assert_eq!(checked.exit(), code, "{output}\n{}", checked.whole());
        // The syntax alone may be checked where no output can be.
        world.inject(["check", "--offline", "--render", &spec]).run().code(0);
    }
    assert_eq!(names(&world, "work"), before);
    assert!(fs::symlink_metadata(world.path("work/pipe")).expect("it stays").file_type().is_fifo());
    assert_eq!(store.requests().len(), 0, "it was known before anything was fetched");
}

#[test]
fn what_is_wrong_with_outputs_is_told_with_all_else() {
    let world = world();
    fs::create_dir(world.path("work/folder")).expect("a fresh folder");
    let outputs = ["t.txt:folder", "t.txt:t.txt", "t.txt:/dev/null", "t.txt:nowhere/out"];
    let ended = render(&world, &outputs).env("A", "${DB_KEY").run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `true` was not started: 5 problems
      `${DB_KEY` is not closed by `}`
        in variable `A`, column 1
        write `${DB_KEY}`; for plain text, write `$${DB_KEY` or name it with `--literal DB_KEY`
      cannot write `folder`: it is a folder
        name a file in it
      cannot write `t.txt`: it is a template
        render to another path
      cannot write `/dev/null`: it is a pipe, a socket or a device
        render to a file, or to memory with `--memfd`
      cannot write `nowhere/out`: No such file or directory
        make its folder first
      store: the embedded store in [DIR]/data, organization `default`
    ");
}

/// A template that cannot be read or understood hides nothing of its output.
#[test]
fn a_template_s_own_fault_does_not_hide_its_output_s() {
    let world = world();
    fs::create_dir(world.path("work/folder")).expect("a fresh folder");
    world.write("work/bad.yaml", "a: $DB_KEY\nb: [\n");
    let store = ScriptedStore::tcp([secrets([("DB_KEY", "s3cr3t")])]);
    let run = |template: &str| {
        let run = render(&world, &[&format!("{template}:folder")]);
        let run = run.env("INJECT_STORE", &store.url);
        run.env("INJECT_ORG", "acme").env("INJECT_TOKEN", "inj_w_token").run()
    };
    insta::assert_snapshot!(run("bad.yaml").report(), @"
    exit 64
    --- stderr
    inject: `true` was not started: 2 problems
      this is no yaml: unclosed bracket '['
        in bad.yaml:2:4
        mend it there, or name another format: `--format text` reads any file, and escapes nothing
      cannot write `folder`: it is a folder
        name a file in it
      store: http://127.0.0.1:[PORT], organization `acme`
    ");
    insta::assert_snapshot!(run("none.yaml").report(), @"
    exit 64
    --- stderr
    inject: `true` was not started: 2 problems
      cannot read `none.yaml`: No such file or directory
      cannot write `folder`: it is a folder
        name a file in it
    ");
    assert_eq!(store.requests().len(), 0, "it was known before anything was fetched");
}

/// The other files that are read are not written over either.
#[test]
fn no_env_file_or_manifest_is_written_over() {
    let world = world();
    world.write("work/prod.env", "A=$DB_KEY\n");
    world.write("work/inject.toml", "");
    fs::hard_link(world.path("work/prod.env"), world.path("work/hard")).expect("a fresh name");
    let run = |output: &str| {
        let spec = format!("t.txt:{output}");
        let options = ["--format=text", "--env-file=prod.env", "--render", &spec];
        world.inject(options.into_iter().chain(["--", "true"])).run()
    };
    insta::assert_snapshot!(run("prod.env").report(), @"
    exit 64
    --- stderr
    inject: `true` was not started
      cannot write `prod.env`: it is an env file
        render to another path
      store: the embedded store in [DIR]/data, organization `default`
    ");
    insta::assert_snapshot!(run("inject.toml").report(), @"
    exit 64
    --- stderr
    inject: `true` was not started
      cannot write `inject.toml`: it is the manifest
        render to another path
      store: the embedded store in [DIR]/data, organization `default`
    ");
    run("hard").code(64);
    world.inject(["render", "t.txt", "-o", "inject.toml"]).run().code(64);
    assert_eq!(read(&world, "work/prod.env"), "A=$DB_KEY\n");
    assert_eq!(read(&world, "work/inject.toml"), "");
}

/// What is asked of the system for one output does not grow with how many there are.
#[test]
fn many_outputs() {
    const COUNT: usize = 300;
    let world = world();
    fs::create_dir(world.path("work/out")).expect("a fresh folder");
    let mut words = Vec::new();
    for number in 0..COUNT {
        world.write(&format!("work/templates/{number}"), "password: $DB_KEY\n");
        let spec = format!("templates/{number}:out/{number}");
        words.extend(["--render".to_owned(), spec]);
    }
    words.extend(["--", "true"].map(str::to_owned));
    let calls = world.text("calls");
    let strace = ["strace", "-f", "-qq", "-o", &calls, "-e", "trace=%file,%desc"];
    world.inject(words).within(strace).run().code(0);
    assert_eq!(names(&world, "work/out").len(), COUNT);
    let calls = fs::read_to_string(calls).expect("strace wrote it").lines().count();
    assert!(calls < COUNT * 50, "{calls} calls for {COUNT} outputs");
}

#[test]
fn no_template_is_written_over() {
    let world = world();
    world.write("work/other.txt", "$DB_KEY");
    fs::hard_link(world.path("work/t.txt"), world.path("work/hard")).expect("a fresh name");
    // A template behind two links: with either replaced it would be another one.
    symlink("t.txt", world.path("work/middle")).expect("a fresh name");
    symlink("middle", world.path("work/link")).expect("a fresh name");
    symlink(".", world.path("work/here")).expect("a fresh name");
    let before = names(&world, "work");
    for outputs in [
        &["t.txt:t.txt"][..],
        &["t.txt:./here/../work/t.txt"],
        &["t.txt:here/t.txt"],
        &["t.txt:hard"],
        &["hard:t.txt"],
        &["link:link"],
        &["link:middle"],
        &["link:t.txt"],
        &["t.txt:other.txt", "other.txt:new"],
        &["t.txt:new", "other.txt:t.txt"],
    ] {
        let ended = render(&world, outputs).run();
        assert_eq!(ended.exit(), 64, "{outputs:?}\n{}", ended.whole());
        assert!(ended.err().contains("it is a template"), "{}", ended.whole());
        assert_eq!(names(&world, "work"), before, "{outputs:?}");
    }
    let exported = ["--export-from", "other.txt", "--render", "t.txt:other.txt", "--", "true"];
    world.inject(exported).run().code(64);
    assert_eq!(read(&world, "work/t.txt"), "password: $DB_KEY\n");
    assert_eq!(read(&world, "work/other.txt"), "$DB_KEY");
    // A link to a template is no template.
    render(&world, &["t.txt:link"]).run().code(0);
    assert_eq!(read(&world, "work/link"), RENDERED);
}

#[test]
fn two_files_at_one_place_are_refused_however_it_is_spelled() {
    let world = world();
    symlink(".", world.path("work/here")).expect("a fresh name");
    let text = world.text("work/out");
    for other in ["out", "./out", "here/out", "../work/out", &text] {
        let ended = render(&world, &["t.txt:out", &format!("t.txt:{other}")]).run();
        ended.code(64);
        assert!(ended.err().contains("two files are rendered to"), "{}", ended.whole());
    }
    assert!(!world.path("work/out").exists());
}

#[test]
fn one_folder_that_is_mounted_twice_is_one_place() {
    needs_root();
    let world = world();
    for folder in ["work/one", "work/two"] {
        fs::create_dir(world.path(folder)).expect("a fresh folder");
    }
    let mount = format!("mount --bind {} {}", world.text("work/one"), world.text("work/two"));
    let ended = render(&world, &["t.txt:one/out", "t.txt:two/out"]).with_mounts(&mount).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `true` was not started
      cannot write `two/out`: another file is rendered to it
        render to another path
      store: the embedded store in [DIR]/data, organization `default`
    ");
    assert!(names(&world, "work/one").is_empty());
}

/// What fails after the values are there leaves the files as they were, and so does what fails
/// before.
#[test]
fn a_launch_that_fails_changes_nothing() {
    let world = world();
    world.set("BIG_KEY", "x".repeat(60_000));
    world.write("work/out", "old\n");
    world.write("work/bad.json", "{\"a\": $DB_KEY}");
    let before = names(&world, "work");
    let big = (0..30).map(|n| format!("V{n}=$BIG_KEY$BIG_KEY"));
    let big: Vec<String> = big.flat_map(|pair| ["-e".to_owned(), pair]).collect();
    let big: Vec<&str> = big.iter().map(String::as_str).collect();
    let cases: [(&[&str], &str, i32); 7] = [
        (&["-e", "A=$MISSING_KEY"], "true", 78),
        (&["-e", "A=${DB_KEY"], "true", 65),
        (&["-e", "A=$BIG_KEY$BIG_KEY$BIG_KEY"], "true", 65),
        (&["--render", "bad.json:other"], "true", 65),
        (&["--require", "OTHER_KEY"], "true", 78),
        (&[], "no-such-command", 127),
        (&big, "true", 65),
    ];
    for (options, command, code) in cases {
        let renders = ["--render", "t.txt:out", "--render", "t.txt:new"];
        let words = [&renders[..], options, &["--", command]].concat();
        // A quarter of the stack's limit is what arguments and environment may have.
        let ended = world.inject(words).situation(["--limit", "3:8388608:-1"]).run();
        assert_eq!(ended.exit(), code, "{options:?}\n{}", ended.whole());
        assert_eq!(names(&world, "work"), before, "{options:?}");
        assert_eq!(read(&world, "work/out"), "old\n");
    }
}

#[test]
fn without_a_reference_no_store_is_asked() {
    let world = World::new();
    world.write("work/t.txt", "costs 5 $, $$NAME and $host\n");
    let ended = world
        .inject(["--render", "t.txt:out", "--memfd", "M=t.txt", "--", "sh", "-c", "cat out $M"])
        .env("INJECT_STORE", "unix:/nowhere")
        .run();
    ended.code(0);
    assert_eq!(ended.out(), "costs 5 $, $NAME and $host\n".repeat(2));
    assert!(!world.path("data").exists(), "no store is made");
}

#[test]
fn the_application_finds_all_of_them_in_their_places() {
    let world = world();
    fs::create_dir(world.path("work/conf")).expect("a fresh folder");
    let odd = OsStr::new("a name with spaces = and \u{e9}");
    File::create(world.path("work/conf").join(odd)).expect("a fresh file");
    let spec = format!("t.txt:conf/{}", odd.display());
    let script = "cat conf/* && ls -A conf | wc -l && ls -A";
    let words = ["--render", "t.txt:conf/b", "--render", &spec, "--", "sh", "-c", script];
    let ended = world.inject(words).run();
    ended.code(0);
    assert_eq!(ended.out(), format!("{RENDERED}{RENDERED}2\nconf\nt.txt\n"));
}
