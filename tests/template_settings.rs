//! Where config files are named: options, `INJECT_RENDER` and `INJECT_MEMFD`, the manifest. Which
//! of them counts, what each refuses, and which format a file is read in.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::harness::{Ended, Run, World};

const VALUE: &str = "a \"quote\"";

fn world() -> World {
    let world = World::new();
    world.set("DB_KEY", VALUE);
    world
}

/// A launch of a shell script with these options.
fn shell<'w>(world: &'w World, options: &[&str], script: &str) -> Run<'w> {
    world.inject([options, &["--", "sh", "-c", script]].concat())
}

#[test]
fn the_option_outweighs_the_variable_and_that_the_manifest() {
    let world = world();
    for name in ["manifest", "variable", "option"] {
        world.write(&format!("work/{name}.txt"), format!("{name}\n"));
    }
    world.write(
        "work/inject.toml",
        "[[render]]\ntemplate = \"manifest.txt\"\noutput = \"out\"\n\
         [[memfd]]\ntemplate = \"manifest.txt\"\nvariable = \"M\"\n\
         [[memfd]]\ntemplate = \"manifest.txt\"\ndescriptor = 7\n",
    );
    symlink(".", world.path("work/here")).expect("a fresh name");
    let script = "cat out $M /proc/self/fd/7";
    let run = |out: &str| {
        let render = format!("variable.txt:{out}");
        let run = shell(&world, &[], script).env("INJECT_RENDER", render);
        run.env("INJECT_MEMFD", "M=variable.txt\n7=variable.txt\n")
    };
    let printed = |run: Run<'_>| run.run().code(0).out();
    assert_eq!(printed(shell(&world, &[], script)), "manifest\n".repeat(3));
    // The manifest says `./out`, and each is one place.
    for out in ["out", "./out", "here/out", &world.text("work/out")] {
        assert_eq!(printed(run(out)), "variable\n".repeat(3), "{out}");
        let render = format!("option.txt:{out}");
        let options = ["--render", &render, "--memfd", "M=option.txt", "--memfd", "07=option.txt"];
        let run = shell(&world, &options, script).env("INJECT_RENDER", "variable.txt:out");
        assert_eq!(printed(run), "option\n".repeat(3), "{out}");
    }
}

#[test]
fn the_same_place_twice() {
    let world = world();
    world.write("work/a.txt", "a\n");
    world.write(
        "work/twice.toml",
        "[[render]]\ntemplate = \"a.txt\"\noutput = \"out\"\n\
         [[render]]\ntemplate = \"b.txt\"\noutput = \"./out\"\n",
    );
    let options = ["--config", "twice.toml", "--memfd", "7=a.txt", "--memfd", "7=b.txt"];
    let options = [&options[..], &["--memfd", "M=a.txt", "--env", "M=x"]].concat();
    let run = shell(&world, &options, "true").env("INJECT_RENDER", "a.txt:new\nb.txt:new");
    insta::assert_snapshot!(run.run().report(), @"
    exit 64
    --- stderr
    inject: `sh` was not started: 4 problems
      `render` in `twice.toml`: two files are rendered to `./out`
      `INJECT_RENDER`: two files are rendered to `new`
      `--memfd`: two files are rendered to descriptor 7
      `M` is set by `--env` and by `--memfd`; keep one
    ");
    // A variable is what was said last, as it is for `--env`.
    let options = ["--memfd", "M=no-such-file", "--memfd", "M=a.txt"];
    assert_eq!(shell(&world, &options, "cat $M").run().code(0).out(), "a\n");
}

#[test]
fn what_is_no_option() {
    let world = world();
    let options = [
        "--render=a.txt",
        "--render=:out",
        "--render=a.txt:",
        "--render=a.txt:out:rw",
        "--render=a.txt:out:4755",
        "--render=a.txt:out:600:root",
        "--render=a.txt:out:600:0:0:0",
        "--memfd=a.txt",
        "--memfd=M=",
        "--memfd==a.txt",
        "--memfd=1=a.txt",
        "--memfd=INJECT_M=a.txt",
        "--format=yml",
    ];
    let lines = "a.txt:out mode=640\na.txt:b format=ymal\na.txt:c literal=low\na.txt:d literal=K_@";
    let ended = shell(&world, &options, "true").env("INJECT_RENDER", lines).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `sh` was not started: 17 problems
      `--format`: write `json`, `yaml`, `toml`, `env`, `ini`, `properties`, `xml` or `text`
      `INJECT_RENDER` line 1: there is no `mode=` behind a template; write `format=` or `literal=`
      `INJECT_RENDER` line 2: write `json`, `yaml`, `toml`, `env`, `ini`, `properties`, `xml` or `text`
      `INJECT_RENDER` line 3: `low` is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
      `INJECT_RENDER` line 4: `K_@` needs an environment; set `--environment` or `INJECT_ENVIRONMENT`
      `--render` number 1: write `TEMPLATE:OUTPUT[:MODE[:UID[:GID]]]`
      `--render` number 2: write `TEMPLATE:OUTPUT[:MODE[:UID[:GID]]]`; a path that holds `:` is named in the manifest
      `--render` number 3: write `TEMPLATE:OUTPUT[:MODE[:UID[:GID]]]`; a path that holds `:` is named in the manifest
      `--render` number 4: a mode is octal, such as `0640`, up to `0777`
      `--render` number 5: a mode is octal, such as `0640`, up to `0777`
      `--render` number 6: a user is given as a number from 0 to 4294967294
      `--render` number 7: write `TEMPLATE:OUTPUT[:MODE[:UID[:GID]]]`; a path that holds `:` is named in the manifest
      `--memfd` number 1: write `VAR=TEMPLATE` or `NUMBER=TEMPLATE`
      `--memfd` number 2: write `VAR=TEMPLATE` or `NUMBER=TEMPLATE`; the template is missing
      `--memfd` number 3: write `VAR=TEMPLATE` or `NUMBER=TEMPLATE`
      `--memfd` number 4: a descriptor is a number from 3 to 65535
      `--memfd` number 5: the application never gets a variable `INJECT_*`; choose another name
    ");
}

#[test]
fn what_is_no_table() {
    let world = world();
    let ended = |text: &str| -> Ended {
        world.write("work/m.toml", text);
        shell(&world, &["--config", "m.toml"], "true").run()
    };
    let render = "[[render]]\ntemplate = \"a\"\noutput = \"b\"\n";
    for (text, said) in [
        ("[[render]]\ntemplate = \"a\"", "`output` is missing"),
        ("[[render]]\noutput = \"b\"", "`template` is missing"),
        ("[render]\ntemplate = \"a\"", "`render` in `m.toml` wants tables, as `[[render]]`"),
        ("render = [\"a:b\"]", "`render` in `m.toml` wants tables, as `[[render]]`"),
        (
            &format!("{render}mode = 640"),
            "`render.mode` in `m.toml` wants a text such as `\"0640\"`",
        ),
        (&format!("{render}mode = \"rw\""), "a mode is octal"),
        (&format!("{render}uid = \"0\""), "`render.uid` in `m.toml` wants a number"),
        (&format!("{render}uid = -1"), "a user is given as a number from 0 to 4294967294"),
        (&format!("{render}gid = 4294967295"), "a group is given as a number from 0 to 4294967294"),
        (&format!("{render}format = \"yml\""), "write `json`, `yaml`"),
        (&format!("{render}literal = [1]"), "`render.literal` in `m.toml` wants a list of texts"),
        (&format!("{render}outptu = \"b\""), "`render.outptu`; did you mean `output`?"),
        (&format!("{render}variable = \"b\""), "has the unknown key `render.variable`"),
        ("[[memfd]]\ntemplate = \"a\"", "write one of `variable` and `descriptor`"),
        ("[[memfd]]\ntemplate = \"a\"\nvariable = \"M\"\ndescriptor = 7", "write one of"),
        ("[[memfd]]\ntemplate = \"a\"\ndescriptor = 2", "a descriptor is a number from 3"),
        ("[[memfd]]\ntemplate = \"a\"\ndescriptor = 99999999999", "a number from 3 to 65535"),
        ("[[memfd]]\ntemplate = \"a\"\nvariable = \"\"", "`variable` is empty"),
        ("memfd = \"M=a\"", "`memfd` in `m.toml` wants tables, as `[[memfd]]`"),
        ("[[memfd]]\ntemplate = \"a\"\nvariable = \"INJECT_M\"", "never gets a variable"),
        ("[[memfd]]\ntemplate = \"a\"\nvariabel = \"M\"", "did you mean `variable`?"),
        ("[[memdf]]\ntemplate = \"a\"", "did you mean `memfd`?"),
    ] {
        let ended = ended(text);
        ended.code(64);
        assert!(ended.err().contains(said), "{text}\n{}", ended.whole());
    }
}

/// Whatever a setting holds several of: none of its faults hides another.
#[test]
fn all_that_is_wrong_at_once() {
    let world = world();
    let manifest = "[[render]]\nmode = \"9\"\nuid = -1\ngid = -1\nformat = \"yml\"\n\
        literal = [\"a\", \"B\", \"c\"]\n\
        [[render]]\ntemplate = \"\"\noutptu = \"x\"\ncolour = 2\nmode = 640\nuid = true\n\
        [[render]]\ntemplate = \"t\"\noutput = \"\"\n\
        [[memfd]]\ntemplate = 3\nvariable = \"PATH\"\nliteral = [1, 2]\n";
    world.write("work/m.toml", manifest);
    let options = ["--config=m.toml", "--render=t.yaml:x:rw:root:wheel", "--as-file=INJECT_A=b"];
    let run = shell(&world, &options, "true").env("INJECT_MEMFD", "2=a format=x literal=b,c up=1");
    insta::assert_snapshot!(run.run().report(), @r#"
    exit 64
    --- stderr
    inject: `sh` was not started: 27 problems
      `memfd.literal` in `m.toml` wants a list of texts
      `memfd.template` in `m.toml` wants a text
      `m.toml` has the unknown key `render.colour`
      `render.mode` in `m.toml` wants a text such as `"0640"`
      `m.toml` has the unknown key `render.outptu`; did you mean `output`?
      `render.uid` in `m.toml` wants a number
      `--as-file`: the application never gets a variable `INJECT_*`; choose another name
      `--as-file`: `b` is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
      `render` in `m.toml` number 1: `template` is missing
      `render` in `m.toml` number 1: `output` is missing
      `render` in `m.toml` number 1: a mode is octal, such as `0640`, up to `0777`
      `render` in `m.toml` number 1: a user is given as a number from 0 to 4294967294
      `render` in `m.toml` number 1: a group is given as a number from 0 to 4294967294
      `render` in `m.toml` number 1: write `json`, `yaml`, `toml`, `env`, `ini`, `properties`, `xml` or `text`
      `render` in `m.toml` number 1: `a` is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
      `render` in `m.toml` number 1: `c` is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
      `render` in `m.toml` number 2: `template` is empty
      `render` in `m.toml` number 3: `output` is empty
      `memfd` in `m.toml` number 1: `PATH` says where commands are, not where a file is; choose another name
      `INJECT_MEMFD` line 1: there is no `up=` behind a template; write `format=` or `literal=`
      `INJECT_MEMFD` line 1: write `json`, `yaml`, `toml`, `env`, `ini`, `properties`, `xml` or `text`
      `INJECT_MEMFD` line 1: `b` is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
      `INJECT_MEMFD` line 1: `c` is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
      `INJECT_MEMFD` line 1: a descriptor is a number from 3 to 65535
      `--render` number 1: a mode is octal, such as `0640`, up to `0777`
      `--render` number 1: a user is given as a number from 0 to 4294967294
      `--render` number 1: a group is given as a number from 0 to 4294967294
    "#);
}

/// The application gets the variable, but the command would be looked for on another path.
#[test]
fn the_path_is_no_path_of_a_file() {
    let world = world();
    world.write("work/t.txt", "/bin\n");
    let manifest = "[[memfd]]\ntemplate = \"t.txt\"\nvariable = \"PATH\"\n\
        [as-file]\nPATH = \"DB_KEY\"\n";
    world.write("work/m.toml", manifest);
    let options = ["--memfd=PATH=t.txt", "--as-file", "PATH=DB_KEY", "--config=m.toml"];
    let ended = shell(&world, &options, "true").env("INJECT_MEMFD", "PATH=t.txt").run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `sh` was not started: 5 problems
      `as-file` in `m.toml`: `PATH` says where commands are, not where a file is; choose another name
      `--as-file`: `PATH` says where commands are, not where a file is; choose another name
      `memfd` in `m.toml` number 1: `PATH` says where commands are, not where a file is; choose another name
      `INJECT_MEMFD` line 1: `PATH` says where commands are, not where a file is; choose another name
      `--memfd` number 1: `PATH` says where commands are, not where a file is; choose another name
    ");
}

/// A manifest that was only found is a stranger's: it writes in its own folder, and nowhere else.
#[test]
fn a_stranger_s_manifest_writes_in_its_own_folder() {
    let world = world();
    world.write("work/project/t.txt", "rendered\n");
    world.write("victim", "untouched\n");
    fs::create_dir_all(world.path("work/project/sub/deep")).expect("fresh folders");
    for (target, name) in [("..", "up"), ("sub", "down"), ("../../victim", "link")] {
        symlink(target, world.path("work/project").join(name)).expect("a fresh name");
    }
    let run = |output: &str, options: &[&str], folder: &str| {
        let table = format!("[[render]]\ntemplate = \"t.txt\"\noutput = \"{output}\"\n");
        world.write("work/project/inject.toml", table);
        let script = "cd \"$1\" && shift && exec \"$@\"";
        let words = ["-c", script, "sh", folder, crate::harness::INJECT];
        let words = [&words[..], options, &["--", "true"]].concat();
        world.command("sh", words).run()
    };
    let (absolute, inside) = (world.text("victim"), world.text("work/project/absolute"));
    let outside = ["../out", "up/out", "sub/../../out", "sub/deep/../../up/out", "..", &absolute];
    for output in outside {
        let ended = run(output, &[], "project");
        assert_eq!(ended.exit(), 64, "{output}\n{}", ended.whole());
        assert!(ended.err().contains("outside its own folder"), "{}", ended.whole());
    }
    for output in ["out", "./out", "sub/deep/../out", "down/out", "up/project/out", &inside] {
        for folder in ["project", "project/sub/deep"] {
            let ended = run(output, &[], folder);
            assert_eq!(ended.exit(), 0, "{output}\n{}", ended.whole());
            let path = world.path("work/project").join(output);
            assert_eq!(fs::read_to_string(&path).expect("it is there"), "rendered\n", "{output}");
            fs::remove_file(path).expect("it is there");
        }
    }
    let ended = run("nowhere/out", &[], "project");
    ended.code(64);
    assert!(ended.err().contains("the output's folder is not there"), "{}", ended.whole());
    // What leads out of it is replaced there, and not followed.
    run("link", &[], "project").code(0);
    assert_eq!(fs::read_to_string(world.path("victim")).expect("it stays"), "untouched\n");
    let trusted = world.text("work/project/inject.toml");
    run("../out", &["--config", &trusted], "project/sub").code(0);
    assert!(world.path("work/out").exists(), "one that was named writes anywhere");
}

/// Nor does it make a copy of what only this user may read.
#[test]
fn a_stranger_s_manifest_reads_in_its_own_folder() {
    let world = world();
    world.write("secret", "secret\n");
    world.write("work/sub/t.txt", "inside\n");
    for (target, name) in [("../secret", "link"), ("..", "up"), ("sub/t.txt", "in")] {
        symlink(target, world.path("work").join(name)).expect("a fresh name");
    }
    symlink("/proc/self/fd/0", world.path("work/stdin")).expect("a fresh name");
    let run = |table: &str, template: &str, options: &[&str]| {
        world.write("work/inject.toml", format!("[[{table}\ntemplate = \"{template}\"\n"));
        // A pipe, which has no path: what leads to it leads out all the same.
        let words = ["-c", "echo secret | \"$@\"", "sh", crate::harness::INJECT];
        world.command("sh", [&words[..], options, &["--", "true"]].concat()).run()
    };
    let (render, memfd) =
        ("render]]\noutput = \"leak\"\nmode = \"0644\"", "memfd]]\nvariable = \"M\"");
    let absolute = world.text("secret");
    for template in [&absolute, "../secret", "link", "up/secret", "/proc/self/fd/0", "stdin"] {
        for table in [render, memfd] {
            let ended = run(table, template, &[]);
            assert_eq!(ended.exit(), 64, "{template}\n{}", ended.whole());
            let said = "cannot read a template outside its own folder; trust it with `--config`";
            assert!(ended.err().contains(said), "{}", ended.whole());
            assert!(!world.path("work/leak").exists(), "{template}");
            run(table, template, &["--config", "inject.toml"]).code(0);
            let _ = fs::remove_file(world.path("work/leak"));
        }
    }
    for template in ["sub/t.txt", "in", "sub/../sub/t.txt", &world.text("work/sub/t.txt")] {
        run(render, template, &[]).code(0);
        let leak = fs::metadata(world.path("work/leak")).expect("it is there");
        assert_eq!(leak.mode() & 0o777, 0o644, "{template}");
    }
    for template in ["sub/nothing", "nowhere/t.txt", "../nothing"] {
        let ended = run(render, template, &[]);
        assert!(ended.code(74).err().contains("No such file"), "{}", ended.whole());
    }
}

#[test]
fn which_format_a_file_has() {
    let world = world();
    let json = "{\"a\":\"$DB_KEY\"}";
    let (escaped, plain) = ("{\"a\":\"a \\\"quote\\\"\"}", "{\"a\":\"a \"quote\"\"}");
    let rendered = |template: &str, output: &str, options: &[&str]| {
        world.write(&format!("work/{template}"), json);
        let render = format!("{template}:{output}");
        let options = [options, &["--render", &render]].concat();
        shell(&world, &options, "true").run().code(0);
        fs::read_to_string(world.path("work").join(output)).expect("it is there")
    };
    for (template, output, expected) in [
        ("a.json", "out", escaped),
        ("A.JSON", "out", escaped),
        ("a.json.tpl", "out", escaped),
        ("a.json.tmpl", "out.txt", escaped),
        ("a.json.template", "out", escaped),
        ("a.json.in", "out", escaped),
        ("a.json.in.tpl", "out", escaped),
        ("a.conf", "out.json", escaped),
        ("a", "out.json", escaped),
        ("a.json", "out.txt", escaped),
        ("a.text", "out.json", plain),
        ("a.conf", "out", plain),
        ("json", "out", plain),
        ("a.json.bak", "out", plain),
    ] {
        assert_eq!(rendered(template, output, &[]), expected, "{template} to {output}");
    }
    assert_eq!(rendered("a.json", "out", &["--format", "text"]), plain);
    assert_eq!(rendered("a.conf", "out", &["--format", "json"]), escaped);
}

#[test]
fn env_files_by_their_names() {
    let world = world();
    for name in [".env", ".env.production", "prod.env", ".env.tpl", ".env.local.in", "A.ENV"] {
        world.write(&format!("work/{name}"), "# $NO_KEY\nA=\"$DB_KEY\"\n");
        let run = shell(&world, &["--memfd", &format!("M={name}")], "cat $M");
        let expected = "# $NO_KEY\nA=\"a \\\"quote\\\"\"\n";
        assert_eq!(run.run().code(0).out(), expected, "{name}");
    }
}

/// A format for all counts where it was said where that has more weight than one file's own.
#[test]
fn one_file_s_own_format() {
    let world = world();
    world.write("work/a.conf", "\"$DB_KEY\"");
    let (escaped, plain) = ("\"a \\\"quote\\\"\"", "\"a \"quote\"\"");
    let table = "[[memfd]]\ntemplate = \"a.conf\"\nvariable = \"M\"\n";
    let rendered = |manifest: &str, variables: &[(&str, &str)], options: &[&str]| {
        world.write("work/m.toml", manifest);
        let run = shell(&world, &[&["--config", "m.toml"], options].concat(), "cat $M");
        let run = variables.iter().fold(run, |run, (name, value)| run.env(name, value));
        run.run().code(0).out()
    };
    let own = format!("{table}format = \"json\"\n");
    assert_eq!(rendered(table, &[], &[]), plain);
    assert_eq!(rendered(&own, &[], &[]), escaped);
    assert_eq!(rendered(&format!("format = \"text\"\n{own}"), &[], &[]), escaped);
    assert_eq!(rendered(&format!("format = \"json\"\n{table}"), &[], &[]), escaped);
    assert_eq!(rendered(&own, &[("INJECT_FORMAT", "text")], &[]), plain);
    assert_eq!(rendered(&own, &[("INJECT_FORMAT", "text")], &["--format", "json"]), escaped);
    let line = ("INJECT_MEMFD", "M=a.conf format=json");
    assert_eq!(rendered("", &[line], &[]), escaped);
    assert_eq!(rendered("", &[line, ("INJECT_FORMAT", "text")], &[]), escaped);
    assert_eq!(rendered("", &[line], &["--format", "text"]), plain);
}

/// What is plain text in one file is a reference in the next.
#[test]
fn literal_names_of_one_file() {
    let world = world();
    world.set("API_PROD", "value");
    for name in ["a", "b"] {
        world.write(&format!("work/{name}"), "$HOME ${API_@} ${HOME:-x}|");
    }
    world.write("work/b", "$API_PROD");
    let manifest = "environment = \"PROD\"\n[[memfd]]\ntemplate = \"a\"\nvariable = \"A\"\n\
        literal = [\"HOME\", \"API_@\"]\n[[memfd]]\ntemplate = \"b\"\nvariable = \"B\"\n";
    world.write("work/inject.toml", manifest);
    let plain = "$HOME ${API_@} ${HOME:-x}|value";
    assert_eq!(shell(&world, &[], "cat $A $B").run().code(0).out(), plain);
    // `check` and `render` take the file as the manifest has it, and once.
    let table = world.inject(["check", "a", "b"]).run();
    assert_eq!(table.code(0).out().lines().count(), 2, "{}", table.whole());
    assert_eq!(world.inject(["render", "a"]).run().code(0).out(), plain.trim_end_matches("value"));
    fs::remove_file(world.path("work/inject.toml")).expect("it is there");
    let line = "A=a literal=HOME,API_@\n\n  B=b  \r\n";
    let run = shell(&world, &["--environment", "prod"], "cat $A $B").env("INJECT_MEMFD", line);
    assert_eq!(run.run().code(0).out(), plain);
}

/// The manifest's paths are relative to it, the variable's and the options' to where one is.
#[test]
fn what_paths_are_relative_to() {
    let world = world();
    world.write("work/t.txt", "here\n");
    world.write("work/conf/t.txt", "there\n");
    let manifest = "[[render]]\ntemplate = \"t.txt\"\noutput = \"manifest\"\n\
        [[memfd]]\ntemplate = \"t.txt\"\nvariable = \"M\"\n";
    world.write("work/conf/inject.toml", manifest);
    let options = ["--config", "conf/inject.toml", "--render", "t.txt:option"];
    let run = shell(&world, &options, "cat conf/manifest $M option variable");
    let ended = run.env("INJECT_RENDER", "t.txt:variable").run();
    assert_eq!(ended.code(0).out(), "there\nthere\nhere\nhere\n");
}
