//! Whose a rendered file is: what root may, what others may, and what is said where they may not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use crate::harness::{Run, World, needs_root};
use crate::outputs::{RENDERED, names, read, render, world};

const NOBODY: u32 = 65534;

/// Makes a world that belongs to `nobody`, as far as a launch needs it.
fn give_away(world: &World) {
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).expect("it is ours");
    for part in ["", "work", "home"] {
        chown(world.path(part), Some(NOBODY), Some(NOBODY)).expect("root may give it away");
    }
}

#[test]
fn root_gives_a_file_to_another_user() {
    needs_root();
    let world = world();
    let owner = |spec: &str| {
        render(&world, &[&format!("t.txt:out:{spec}")]).run().code(0);
        let file = fs::metadata(world.path("work/out")).expect("it is there");
        (file.mode() & 0o7777, file.uid(), file.gid())
    };
    assert_eq!(owner("640:65534:1234"), (0o640, NOBODY, 1234));
    assert_eq!(owner("400:4242"), (0o400, 4242, 0));
    assert_eq!(owner("600:0:0"), (0o600, 0, 0));
}

#[test]
fn no_other_user_does() {
    needs_root();
    let world = World::new();
    give_away(&world);
    let as_nobody = |run: Run<'_>| run.situation(["--user", "65534"]).run();
    as_nobody(world.inject(["secret", "set", "DB_KEY"]).stdin("s3cr3t")).code(0);
    world.write("work/t.txt", "password: $DB_KEY\n");
    as_nobody(render(&world, &["t.txt:out:640:65534:65534"])).code(0);
    assert_eq!(read(&world, "work/out"), RENDERED, "its own name is no other's");
    let ended = as_nobody(render(&world, &["t.txt:out:644:0:0", "t.txt:other"]));
    insta::assert_snapshot!(ended.report(), @"
    exit 74
    --- stderr
    inject: `true` was not started
      cannot set the group of `out`: Operation not permitted
        only root gives a file to a group that its owner is not in
      store: the embedded store in [DIR]/data, organization `default`
    ");
    ended.code(74);
    assert_eq!(names(&world, "work"), ["out", "t.txt"]);
    assert_eq!(fs::metadata(world.path("work/out")).expect("it stays").mode() & 0o777, 0o640);
}

/// A process may be allowed to give files away, and not to change those of others: its mode is set
/// while a file is still its own. A file that is another's by then gets its name by a copy.
#[test]
fn whoever_may_only_give_files_away() {
    needs_root();
    let world = world();
    for (without, proc) in [
        ("-fowner", "true"),
        ("-fowner,-dac_override,-dac_read_search", "true"),
        ("-fowner,-dac_override", "mount -t tmpfs none /proc"),
    ] {
        fs::create_dir(world.path("work/out")).expect("a fresh folder");
        let without = ["setpriv", "--bounding-set", without, "--inh-caps", without];
        let run = render(&world, &["t.txt:out/file:640:65534:1234"]);
        let ended = run.with_mounts(proc).within(without).run();
        ended.code(0);
        let file = fs::metadata(world.path("work/out/file")).expect("it is there");
        assert_eq!((file.mode() & 0o7777, file.uid(), file.gid()), (0o640, NOBODY, 1234));
        assert_eq!(read(&world, "work/out/file"), RENDERED);
        assert_eq!(names(&world, "work/out"), ["file"]);
        fs::remove_dir_all(world.path("work/out")).expect("it is ours");
    }
}

#[test]
fn an_owner_that_a_user_namespace_does_not_know() {
    needs_root();
    let world = world();
    let owner = |spec: &str| {
        let run = render(&world, &[&format!("t.txt:out:{spec}")]);
        run.within(["unshare", "--user", "--map-root-user"]).run()
    };
    owner("600:0:0").code(0);
    insta::assert_snapshot!(owner("600:1234").report(), @"
    exit 74
    --- stderr
    inject: `true` was not started
      cannot set the owner of `out`: Invalid argument
        this user namespace does not map that number; choose one that it does
      store: the embedded store in [DIR]/data, organization `default`
    ");
    insta::assert_snapshot!(owner("600:0:1234").report(), @"
    exit 74
    --- stderr
    inject: `true` was not started
      cannot set the group of `out`: Invalid argument
        this user namespace does not map that number; choose one that it does
      store: the embedded store in [DIR]/data, organization `default`
    ");
}
