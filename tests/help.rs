//! What the program says of itself: help, the manual's pages, completions, its version.

use crate::harness::World;

/// What `inject WORD… --help` prints.
fn help(words: &[&str]) -> String {
    let world = World::new();
    let ended = world.inject([words, &["--help"]].concat()).run();
    assert_eq!(ended.code(0).err(), "");
    ended.out()
}

#[test]
fn all_of_it() {
    insta::assert_snapshot!(help(&[]), @"
    Gets an organization's secrets into the programs that need them, at deploy time.

    Finds the `$NAME` references in the environment and in config files, fetches exactly those
    secrets, substitutes them, and becomes the command. If even one is missing, the command is not
    started.

    Usage: inject [OPTIONS] -- COMMAND [ARG]...
           inject COMMAND

    Commands:
      check        Show every reference, where it stands, and whether the store has it
      render       Render one config file, to standard output or to a file
      sidecar      Render config files, stay, and render again what a changed secret changes
      install      Copy this program to a path: from an init container into a shared volume
      secret       Manage secrets
      org          Manage organizations
      member       Manage the members of an organization
      token        Manage the tokens of members and workloads
      workload     Show what each workload resolved
      audit        Read and verify the audit trail
      login        Keep a token for a store, after asking for it
      store        Run a store for others, and look after its data
      completions  Print a completion script for a shell
      man          Print the manual page, of all or of one command
      help         Print this message or the help of the given subcommand(s)

    Arguments:
      [COMMAND]...
              The command to start, and its arguments, which are never read for references

    Options:
      -e, --env <NAME=VALUE>
              Add a variable; its value may hold references

          --env-file <FILE>
              Add the variables of a file; their values may hold references

          --export <NAME[,NAME]>
              Set the variable NAME to the secret NAME

          --export-from <FILE>
              Set, as variables, the secrets that FILE references, and leave FILE alone

          --as-file <VAR=NAME>
              Deliver one secret as a sealed memory file whose path is in VAR

          --render <TEMPLATE:OUTPUT[:MODE[:UID[:GID]]]>
              Render a config file to a path: atomic, mode 0600 unless given

          --memfd <VAR=TEMPLATE>
              Render a config file to a sealed memory file at the path in VAR, or at descriptor VAR

          --format <json|yaml|toml|env|ini|properties|xml|text>
              The format of every config file, instead of what their names say

          --scan-env <all|none|NAME,GLOB*>
              Which inherited variables are scanned: `all`, `none`, or names and globs

          --literal <NAME[,NAME]>
              Leave these names alone: they are plain text

          --require <NAME[,NAME]>
              Fail unless these names are referenced

          --environment <NAME>
              The environment: `@` in `${KEY_@}` stands for it

          --workload <NAME>
              The name under which members and the embedded store launch the program

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Settings:
          --store <ADDRESS>
              The store: `https://HOST:PORT#PIN` or `unix:PATH`, or several

          --org <NAME>
              The organization that owns the secrets

          --token-file <FILE>
              A file that holds the token

          --ca-file <FILE>
              A PEM file of who vouches for the store, not the public ones

          --master-key-file <FILE>
              A file that holds the embedded store's master key

          --master-key-command <COMMAND>
              A shell command that prints the embedded store's master key

          --timeout <TIME>
              How long to try to reach the store: `3`, `500ms`, `2m`

          --config <FILE>
              The manifest, not the `inject.toml` found from here upward

          --report <text|json>
              How a failure is printed: `text` or `json`

    Settings come from, in order: the option, `INJECT_*` (such as INJECT_STORE), `inject.toml`, the default.
    With no store set, the embedded store in INJECT_DATA (default $XDG_DATA_HOME/inject) is used.

    Exit codes, besides the command's own: 64 usage or settings, 65 malformed reference or template, 69 store
    unreachable, 74 input or output, 77 refused, 78 secret missing, 126 not executable, 127 not found, 128+n
    ended by signal n while it waited. The manual: `inject man`.
    ");
}

#[test]
fn a_server() {
    insta::assert_snapshot!(help(&["store"]), @"
    Run a store for others, and look after its data

    Usage: inject store <COMMAND>

    Commands:
      serve    Serve the store over TLS, or on a unix socket
      init     Prepare a new store with one organization, and print its owner's first token
      backup   Copy the store to a file, sealed as it is, while it is in use
      restore  Put a backup where there is no store
      rekey    Seal everything under a new master key, while the store is in use
      verify   Check every row and every audit chain
      help     Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    insta::assert_snapshot!(help(&["store", "serve"]), @"
    Serve the store over TLS, or on a unix socket

    Usage: inject store serve [OPTIONS]

    Options:
          --listen <ADDRESS>        `IP:PORT` or `unix:PATH`, any number [default: 127.0.0.1:7410]
          --listen-mode <MODE>      The mode of unix sockets, such as 0660 for a group [default: 0600]
          --tls-cert <FILE>         The certificate chain to show, in PEM, instead of the store's own
          --tls-key <FILE>          The certificate's private key, in PEM
          --plaintext               Speak plain http, on loopback alone
          --log-format <text|json>  How log lines look [default: text]
          --log-level <LEVEL>       `error`, `warn`, `info` or `debug` [default: info]
      -h, --help                    Print help

    Settings:
          --data <FOLDER>                 The folder that holds the store, instead of INJECT_DATA
          --master-key-file <FILE>        A file that holds the master key
          --master-key-command <COMMAND>  A shell command that prints the master key
          --report <text|json>            How a failure is printed: `text` or `json`

    It prints a line `INJECT_STORE=…` for each address once it listens: what a launcher is given.
    SIGTERM ends it when what is under way is done; SIGHUP reads the certificate files again.
    Each option is a variable too: INJECT_LISTEN (several with commas), INJECT_TLS_CERT, …
    ");
    insta::assert_snapshot!(help(&["store", "init"]), @"
    Prepare a new store with one organization, and print its owner's first token

    Usage: inject store init [OPTIONS] --org <NAME> --owner <ADDRESS>

    Options:
          --org <NAME>       The first organization
          --owner <ADDRESS>  The e-mail address of its owner
      -h, --help             Print help

    Settings:
          --data <FOLDER>                 The folder that holds the store, instead of INJECT_DATA
          --master-key-file <FILE>        A file that holds the master key
          --master-key-command <COMMAND>  A shell command that prints the master key
          --report <text|json>            How a failure is printed: `text` or `json`
    ");
}

#[test]
fn people_and_tokens() {
    insta::assert_snapshot!(help(&["member", "add"]), @"
    Add a member, and print the first token

    Usage: inject member add [OPTIONS] <ADDRESS>

    Arguments:
      <ADDRESS>  The e-mail address

    Options:
          --role <ROLE>         `owner`, `editor` or `reader` [default: reader]
          --names <NAME,GLOB*>  What the member may resolve, such as `DEV_*` [default: nothing]
          --json                Print JSON
      -h, --help                Print help

    Settings:
          --store <ADDRESS>               The store: `https://HOST:PORT#PIN` or `unix:PATH`, or several
          --org <NAME>                    The organization that owns the secrets
          --token-file <FILE>             A file that holds the token
          --ca-file <FILE>                A PEM file of who vouches for the store, not the public ones
          --master-key-file <FILE>        A file that holds the embedded store's master key
          --master-key-command <COMMAND>  A shell command that prints the embedded store's master key
          --timeout <TIME>                How long to try to reach the store: `3`, `500ms`, `2m`
          --config <FILE>                 The manifest, not the `inject.toml` found from here upward
          --report <text|json>            How a failure is printed: `text` or `json`
    ");
    insta::assert_snapshot!(help(&["token", "create"]), @"
    Make a token for a workload or a member, and print it once

    Usage: inject token create [OPTIONS] <--workload <NAME>|--member <ADDRESS>>

    Options:
          --workload <NAME>     The workload that the token is for
          --member <ADDRESS>    The member that the token is for
          --names <NAME,GLOB*>  What the workload may resolve, such as `STRIPE_*` [default: `*`]
          --expires <TIME>      When it ends: 30d, a date or a time [default: 90d; a member's: never]
          --network <NETWORK>   The only network that it is accepted from, such as 10.0.0.0/8
          --json                Print JSON
      -h, --help                Print help

    Settings:
          --store <ADDRESS>               The store: `https://HOST:PORT#PIN` or `unix:PATH`, or several
          --org <NAME>                    The organization that owns the secrets
          --token-file <FILE>             A file that holds the token
          --ca-file <FILE>                A PEM file of who vouches for the store, not the public ones
          --master-key-file <FILE>        A file that holds the embedded store's master key
          --master-key-command <COMMAND>  A shell command that prints the embedded store's master key
          --timeout <TIME>                How long to try to reach the store: `3`, `500ms`, `2m`
          --config <FILE>                 The manifest, not the `inject.toml` found from here upward
          --report <text|json>            How a failure is printed: `text` or `json`
    ");
    insta::assert_snapshot!(help(&["audit", "list"]), @"
    List records, newest first

    Usage: inject audit list [OPTIONS]

    Options:
          --name <NAME>      Only records about this secret
          --actor <ACTOR>    Only what this one did, written as in the list
          --workload <NAME>  Only what this workload did, or its token
          --since <TIME>     Only from then on: a date, a time, or how long ago, such as 7d
          --until <TIME>     Only before then, written in the same way
          --limit <NUMBER>   At most so many records [default: 100]
          --cursor <CURSOR>  Go on from there: the `next` of a list that was printed as JSON
          --json             Print JSON
      -h, --help             Print help

    Settings:
          --store <ADDRESS>               The store: `https://HOST:PORT#PIN` or `unix:PATH`, or several
          --org <NAME>                    The organization that owns the secrets
          --token-file <FILE>             A file that holds the token
          --ca-file <FILE>                A PEM file of who vouches for the store, not the public ones
          --master-key-file <FILE>        A file that holds the embedded store's master key
          --master-key-command <COMMAND>  A shell command that prints the embedded store's master key
          --timeout <TIME>                How long to try to reach the store: `3`, `500ms`, `2m`
          --config <FILE>                 The manifest, not the `inject.toml` found from here upward
          --report <text|json>            How a failure is printed: `text` or `json`
    ");
    insta::assert_snapshot!(help(&["login"]), @"
    Keep a token for a store, after asking for it

    Usage: inject login [OPTIONS] <URL>

    Arguments:
      <URL>  The store's address as it prints it, `https://HOST:PORT#sha256-…`

    Options:
      -h, --help  Print help

    Settings:
          --org <NAME>          The organization that owns the secrets
          --token-file <FILE>   A file that holds the token
          --ca-file <FILE>      A PEM file of who vouches for the store, not the public ones
          --timeout <TIME>      How long to try to reach the store: `3`, `500ms`, `2m`
          --config <FILE>       The manifest, not the `inject.toml` found from here upward
          --report <text|json>  How a failure is printed: `text` or `json`
    ");
}

/// Every command there is, from the pages that name each other.
fn commands(words: &[String]) -> Vec<Vec<String>> {
    let world = World::new();
    let page = world.inject([&["man".to_owned()], words].concat()).run();
    let page = page.code(0).out();
    let name = ["inject"].into_iter().chain(words.iter().map(String::as_str));
    let title = name.collect::<Vec<_>>().join("\\-");
    assert!(page.contains(&format!("\n{title} \\- ")), "no `{title}` in\n{page}");
    assert!(page.contains("\"inject 0.1.0\""), "{page}");
    let below = |line: &str| {
        line.strip_prefix(&format!("{title}\\-"))?.strip_suffix("(1)").map(str::to_owned)
    };
    let mut all = vec![words.to_vec()];
    for word in page.lines().filter_map(below) {
        all.extend(commands(&[words, &[word]].concat()));
    }
    all
}

#[test]
fn every_command_has_a_page_and_lines_that_fit() {
    let all = commands(&[]);
    assert!(all.len() > 30, "{all:?}");
    for words in all {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = help(&words);
        for line in help.lines() {
            assert!(line.chars().count() <= 105, "{words:?}: {line}");
        }
    }
}

#[test]
fn a_page_of_no_command() {
    let world = World::new();
    insta::assert_snapshot!(world.inject(["man", "token", "steal"]).run().report(), @"
    exit 64
    --- stderr
    inject: there is no command `inject token steal`
        see `inject --help`
    ");
}

#[test]
fn completions_and_version() {
    let world = World::new();
    assert_eq!(world.inject(["--version"]).run().code(0).out(), "inject 0.1.0\n");
    for shell in ["bash", "zsh", "fish"] {
        let script = world.inject(["completions", shell]).run();
        for word in ["checkpoint", "rekey", "tls-cert"] {
            assert!(script.code(0).out().contains(word), "{shell} without {word}");
        }
    }
    // The one that is here is read by its shell, and knows the command that was typed half.
    let complete = "set -e; . /dev/stdin; COMP_WORDS=(inject token cr); COMP_CWORD=2; \
                    _inject inject cr token; printf '%s ' \"${COMPREPLY[@]}\"";
    let script = world.inject(["completions", "bash"]).run().stdout;
    let completed = world.command("bash", ["-c", complete]).stdin(script).run();
    assert_eq!(completed.code(0).out(), "create ");
}

#[test]
fn a_line_that_is_not_understood_says_which_one_was_meant() {
    let world = World::new();
    let told = |args: &[&str]| {
        let ended = world.inject(args).run();
        ended.code(64);
        ended.err().lines().nth(1).unwrap_or_default().trim().to_owned()
    };
    assert_eq!(told(&["serve"]), "to launch a program, write `inject -- serve` and its arguments");
    let forgotten = "to launch a program, write `--` before `./app`";
    assert_eq!(told(&["--env", "A=1", "./app", "--port", "80"]), forgotten);
    assert_eq!(
        told(&["--org", "acme", "secret", "list"]),
        "options stand behind the command: `inject secret … OPTIONS`"
    );
    // What may be a value is not repeated, here either.
    let misplaced = ["--org", "acme", "secret", "set", "DB_KEY", "hunter2"];
    assert_eq!(told(&misplaced), "options stand behind `inject secret set`");
    assert_eq!(told(&["--org", "acme", "help"]), "see `inject --help`");
    assert_eq!(told(&["token", "create"]), "see `inject token create --help`");
    assert_eq!(told(&["store", "verify", "all"]), "see `inject store verify --help`");
    assert_eq!(told(&["--enviroment", "DEV"]), "a similar argument exists: '--environment'");
}

/// What stands where no word is expected may be the value of another variable.
#[test]
fn a_line_that_is_not_understood_shows_no_value() {
    let world = World::new();
    let told = |line: &str| {
        let ended = world.inject(line.split_whitespace()).run();
        ended.code(64);
        let said = ended.out() + &ended.err();
        assert!(!said.contains("hunter2"), "{line}\n{said}");
        ended.err().lines().map(str::trim).collect::<Vec<_>>().join("; ")
    };
    let pair = "inject: unexpected argument 'PASS=…' found; give each variable its own `-e`: write \
                `-e` before `PASS=…`";
    for line in ["-e A=1 PASS=hunter2", "-e A=1 PASS=hunter2 -- npm", "PASS=hunter2 npm"] {
        assert_eq!(told(line), pair);
    }
    assert_eq!(told("--environment prod PASS=hunter2 -- app"), pair);
    let stray = "inject: unexpected argument '…' found; only options stand before `--`, each \
                 variable with its own `-e`, and the program behind it";
    for line in ["-e PASS hunter2 -- npm", "-e PASS hunter2==", "-e A=1 db://u:hunter2@h/?a=b"] {
        assert_eq!(told(line), stray);
    }
    assert_eq!(told("npm -- hunter2"), stray.replace('…', "npm"));
    let option = "inject: unexpected argument '--pass' found; see `inject --help`";
    assert_eq!(told("-e A=1 --pass=hunter2 -- npm"), option);
    for line in ["secret PASS=hunter2", "render file PASS=hunter2", "org list --json=hunter2"] {
        assert!(told(line).contains("…'"), "{line}");
    }
}

#[test]
fn an_empty_name_is_told_with_the_option_s_own_form() {
    let world = World::new();
    let ended = world.launch(["--as-file", "=B_KEY", "--env", "=x"]).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started: 2 problems
      `--env`: write `NAME=VALUE`; the name is empty
      `--as-file`: write `VAR=NAME`; the variable's name is empty
    ");
}
