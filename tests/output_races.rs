//! Others at work in the outputs' folders while a launch is: it stands still at one call, what
//! happens meanwhile is done, and it goes on. Nothing of theirs is lost, nothing of ours remains.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::harness::{Ended, Run, World, eventually, needs_root};
use crate::output_faults::{NEW, all_there, launch, outputs, texts, world};

/// The names that are in the outputs' folder, hidden ones included.
fn names(world: &World, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(world.path(folder)).expect("a folder that is there");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().display().to_string()).collect();
    names.sort();
    names
}

/// A launch that stands still right behind a call, which strace numbers from 1. `reached` says
/// whether it has come so far: the call's own work shows it.
fn interrupted(
    run: Run<'_>,
    (call, number): (&str, usize),
    changes: &[&str],
    reached: impl Fn() -> bool,
    meanwhile: impl FnOnce(),
) -> Ended {
    let stop = format!("inject={call}:signal=STOP:when={number}");
    let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &stop];
    let changes = changes.iter().flat_map(|change| ["-e".to_owned(), format!("inject={change}")]);
    let run = run.within(strace).within(changes);
    let started = run.start();
    eventually(|| reached().then_some(())).expect("it comes so far");
    meanwhile();
    started.signal(Signal::SIGCONT);
    started.end()
}

/// Behind the first link, when all are staged and have been judged.
fn when_staged(world: &World, run: Run<'_>, changes: &[&str], meanwhile: impl FnOnce()) -> Ended {
    let staged = || names(world, "work/out").iter().any(|name| name.starts_with(".old."));
    interrupted(run, ("linkat", 1), changes, staged, meanwhile)
}

fn has_text(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|found| found == text)
}

/// As another launch does it: by a rename.
fn put_newer(path: &Path) {
    let beside = path.with_extension("newer");
    fs::write(&beside, "newer\n").expect("the folder is writable");
    fs::rename(beside, path).expect("it is in the same folder");
}

/// With names that are exchanged, and with plain renames, before which it is looked at once more.
#[test]
fn a_folder_or_pipe_that_appears_at_a_place_stays_there() {
    for changes in [&[][..], &["renameat2:error=EINVAL"], &["renameat2:error=EPERM"]] {
        for place in ["first", "old"] {
            let world = world();
            let path = world.path("work/out").join(place);
            let ended = when_staged(&world, launch(&world), changes, || {
                let _ = fs::remove_file(&path);
                fs::create_dir(&path).expect("nothing is there");
                fs::write(path.join("theirs"), "kept").expect("a fresh folder");
            });
            assert_eq!(ended.exit(), 64, "{changes:?}\n{}", ended.whole());
            assert!(ended.err().contains("it is a folder"), "{}", ended.whole());
            assert!(has_text(&path.join("theirs"), "kept"), "{}", ended.whole());
            let mut expected = vec!["old", place];
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(names(&world, "work/out"), expected, "{changes:?}\n{}", ended.whole());
        }
        let world = world();
        let path = world.path("work/out/last");
        let ended = when_staged(&world, launch(&world), changes, || {
            mkfifo(&path, Mode::S_IRWXU).expect("nothing is there");
        });
        assert_eq!(ended.exit(), 64, "{changes:?}\n{}", ended.whole());
        assert!(ended.err().contains("it is a pipe"), "{}", ended.whole());
        let kind = fs::symlink_metadata(&path).expect("it stays").file_type();
        assert!(kind.is_fifo(), "{}", ended.whole());
        assert_eq!(names(&world, "work/out"), ["last", "old"]);
        assert!(has_text(&world.path("work/out/old"), "old\n"), "{}", ended.whole());
    }
}

/// What is undone is one's own: a file that another launch has put there since is newer.
#[test]
fn another_launch_s_newer_file_is_not_undone() {
    // `old` is exchanged by the first call; `first` is looked for by the second, and renamed by the
    // third.
    for (number, place) in [(1, "old"), (3, "first")] {
        let world = world();
        let path = world.path("work/out").join(place);
        let put = || has_text(&path, NEW);
        let ended = interrupted(launch(&world), ("renameat2", number), &[], put, || {
            put_newer(&path);
            fs::create_dir(world.path("work/out/last")).expect("nothing is there");
        });
        assert_eq!(ended.exit(), 64, "{}", ended.whole());
        assert_eq!(ended.err().matches("cannot").count(), 1, "{}", ended.whole());
        fs::remove_dir(world.path("work/out/last")).expect("it stays");
        let expected = match place {
            "old" => texts(&[("old", "newer\n")]),
            _ => texts(&[("first", "newer\n"), ("old", "old\n")]),
        };
        assert_eq!(outputs(&world), expected, "{}", ended.whole());
    }
}

#[test]
fn a_newer_file_is_not_undone_after_plain_renames() {
    let world = world();
    let path = world.path("work/out/old");
    let put = || has_text(&path, NEW);
    let changes = ["renameat2:error=EINVAL"];
    let ended = interrupted(launch(&world), ("/^rename(at)?$", 1), &changes, put, || {
        put_newer(&path);
        fs::create_dir(world.path("work/out/last")).expect("nothing is there");
    });
    assert_eq!(ended.exit(), 64, "{}", ended.whole());
    fs::remove_dir(world.path("work/out/last")).expect("it stays");
    assert_eq!(outputs(&world), texts(&[("old", "newer\n")]), "{}", ended.whole());
}

/// Once it is judged it is the same folder to the end, wherever its name leads.
#[test]
fn a_folder_that_is_moved_away_is_still_the_one() {
    for fails in [false, true] {
        let world = world();
        fs::create_dir(world.path("work/other")).expect("a fresh folder");
        let ended = when_staged(&world, launch(&world), &[], || {
            fs::rename(world.path("work/out"), world.path("work/moved")).expect("a fresh name");
            symlink("other", world.path("work/out")).expect("nothing is there");
            if fails {
                fs::create_dir(world.path("work/moved/last")).expect("nothing is there");
            }
        });
        assert!(names(&world, "work/other").is_empty(), "{}", ended.whole());
        fs::remove_file(world.path("work/out")).expect("the link");
        fs::rename(world.path("work/moved"), world.path("work/out")).expect("a fresh name");
        if fails {
            assert_eq!(ended.exit(), 64, "{}", ended.whole());
            assert_eq!(names(&world, "work/out"), ["last", "old"], "{}", ended.whole());
            assert!(has_text(&world.path("work/out/old"), "old\n"), "{}", ended.whole());
        } else {
            ended.code(0);
            all_there(&world, &ended);
        }
    }
}

/// The key's command comes between the settings, which are judged first, and the files.
#[test]
fn a_found_manifest_s_output_stays_in_its_folder() {
    let render = "[[render]]\ntemplate = \"t.txt\"\noutput = \"out/new\"\n";
    let key = |world: &World, meanwhile: &str| {
        format!("{meanwhile} >&2; cat {}", world.text("data/master.key"))
    };
    let run = |world: &World, meanwhile: &str| {
        world.write("work/inject.toml", render);
        fs::create_dir(world.path("victim")).expect("a fresh folder");
        let command = key(world, meanwhile);
        world.inject(["--master-key-command", &command, "--", "true"]).run()
    };
    let world = world();
    let ended = run(&world, "mv out away; ln -s ../victim out");
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `true` was not started
      cannot write `out/new`: it is outside the folder of the manifest, which was only found
        trust the manifest with `--config`
      store: the embedded store in [DIR]/data, organization `default`
    ");
    assert!(names(&world, "victim").is_empty());
    assert_eq!(names(&world, "work/away"), ["old"]);
    // Within its own folder it may be another one.
    let world = crate::output_faults::world();
    run(&world, "mkdir -p other/deep; mv out away; ln -s other/deep out").code(0);
    assert!(has_text(&world.path("work/other/deep/new"), NEW));
}

/// A file that was read is not written over where its name leads to it only later.
#[test]
fn a_template_that_an_output_comes_to_lead_to_is_kept() {
    let world = world();
    world.write("work/kept/new", "new $DB_KEY\n");
    let command = format!("mv out away; ln -s kept out; cat {}", world.text("data/master.key"));
    let spec = ["--master-key-command", &command, "--render", "kept/new:out/new", "--", "true"];
    let ended = world.inject(spec).run();
    ended.code(64);
    assert!(ended.err().contains("it is a template"), "{}", ended.whole());
    assert!(has_text(&world.path("work/kept/new"), "new $DB_KEY\n"));
}

/// Each folder is open once; where that is too many, it is said before anything is fetched.
#[test]
fn too_many_folders_for_a_process() {
    needs_root();
    let world = world();
    let folders: Vec<String> = (0..20).map(|number| format!("many/{number}")).collect();
    let mut words = Vec::new();
    for folder in &folders {
        fs::create_dir_all(world.path("work").join(folder)).expect("a fresh folder");
        words.extend(["--render".to_owned(), format!("t.txt:{folder}/out")]);
    }
    words.extend(["--", "true"].map(str::to_owned));
    let ended = world.inject(words).situation(["--limit", "7:22:22"]).run();
    ended.code(74);
    let said = "cannot write `many/19/out`: Too many open files\n    let it have more files open";
    assert!(ended.err().contains(said), "{}", ended.whole());
    assert!(folders.iter().all(|folder| names(&world, &format!("work/{folder}")).is_empty()));
}
