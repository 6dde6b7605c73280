//! From the first command to the first rotation: who may do what, what a workload gets, and what is
//! seen of it afterwards.

use std::fs;

use super::{Day, Served};
use crate::harness::World;

#[test]
fn two_commands_to_a_served_store() {
    let world = World::new();
    let words = ["store", "init", "--org", "acme", "--owner", "alice@acme.com"];
    let made = world.inject(words).run();
    let token = made.code(0).out().trim_end().to_owned();
    insta::assert_snapshot!(made.report().replace(&token, "[TOKEN]"), @"
    exit 0
    --- stdout
    [TOKEN]
    --- stderr
    a new store is in `[DIR]/data`, sealed under the master key in `[DIR]/data/master.key`; keep a copy of that key, without which no value can be read
    the first token of `alice@acme.com`, which is shown this once:
    ");
    let served = Served::start(&world);
    assert!(served.url().starts_with("https://127.0.0.1:"), "{}", served.url());
    assert!(served.url().contains("#sha256-"), "{}", served.url());
    // The owner logs in once, and says no more than which store.
    let login = world.inject(["login", served.url()]).stdin(format!("{token}\n")).run();
    assert_eq!(
        login.code(0).out(),
        "logged in to https://127.0.0.1:[PORT], organization acme (owner)\n"
    );
    let run = |words: &[&str]| world.inject(words).env("INJECT_STORE", served.bare());
    run(&["secret", "set", "DB_PASSWORD_PROD"]).stdin("first").run().code(0);
    let members = run(&["member", "list"]).run();
    insta::assert_snapshot!(members.code(0).out(), @"
    MEMBER          ROLE   RESOLVES  CREATED           CREATED BY
    alice@acme.com  owner  nothing   [TIME]  os:root
    ");
    // A second store is not made where one is.
    let again = world.inject(words).run();
    assert!(again.code(64).err().contains("there is a store"), "{}", again.whole());
}

/// The table of roles, each row by somebody's own token.
#[test]
fn each_role_does_what_it_may() {
    let day = Day::new();
    let tokens = [
        day.owner.clone(),
        day.member("bob@acme.com", &["--role", "editor", "--names", "DEV_*"]),
        day.member("carol@acme.com", &["--role", "reader"]),
        day.token("web", &[]),
    ];
    day.owner().set("DEV_KEY", "of-dev");
    day.owner().set("PROD_KEY", "of-prod");
    // Owner, editor, reader, workload.
    let table: [(&[&str], [i32; 4]); 10] = [
        (&["secret", "list"], [0, 0, 0, 77]),
        (&["secret", "show", "DEV_KEY"], [0, 0, 0, 77]),
        (&["secret", "set", "A_KEY"], [0, 0, 77, 77]),
        (&["secret", "rm", "A_KEY", "--yes"], [0, 0, 77, 77]),
        (&["member", "list"], [0, 77, 77, 77]),
        (&["token", "list"], [0, 77, 77, 77]),
        (&["token", "create", "--workload", "web"], [0, 77, 77, 77]),
        (&["workload", "list"], [0, 0, 0, 77]),
        (&["audit", "list"], [0, 0, 0, 77]),
        (&["--export", "PROD_KEY", "--", "true"], [77, 77, 77, 0]),
    ];
    for (words, expected) in table {
        for (token, code) in tokens.iter().zip(expected) {
            // Each finds one to delete.
            if words[1] == "rm" {
                day.owner().set("A_KEY", "x");
            }
            day.with(token).inject(words).stdin("x").run().code(code);
        }
    }
    // What a member resolves is a list of its own, whatever the role.
    assert_eq!(day.with(&tokens[1]).value("DEV_KEY"), Ok("of-dev".to_owned()));
    day.owner().does(0, &["member", "set", "carol@acme.com", "--names", "PROD_*"]);
    assert_eq!(day.with(&tokens[2]).value("PROD_KEY"), Ok("of-prod".to_owned()));
    day.owner().does(0, &["member", "set", "carol@acme.com", "--role", "editor", "--no-names"]);
    assert_eq!(day.with(&tokens[2]).value("PROD_KEY"), Err(77));
    day.with(&tokens[2]).set("PROD_KEY", "newer");
}

#[test]
fn a_workload_gets_what_its_token_reaches() {
    let day = Day::new();
    for name in ["STRIPE_KEY", "STRIPE_HOOK", "DB_PASSWORD_PROD", "DB_PASSWORD_DEV"] {
        day.owner().set(name, &format!("p\"w of {name}"));
    }
    let billing = day.token("billing", &["--names", "STRIPE_*,DB_PASSWORD_PROD"]);
    let billing = day.with(&billing);
    day.world.write("work/app.yaml", "url: $DB_PASSWORD_PROD # and $NOT_THIS\n");
    let launch = billing.launch(&["--render", "app.yaml:out.yaml", "--export", "STRIPE_HOOK"]);
    let seen = launch.env("KEY", "a-${STRIPE_KEY}-b").run();
    assert_eq!(seen.seen().text("KEY"), "a-p\"w of STRIPE_KEY-b");
    assert_eq!(seen.seen().text("STRIPE_HOOK"), "p\"w of STRIPE_HOOK");
    let rendered = fs::read_to_string(day.world.path("work/out.yaml")).expect("rendered");
    assert_eq!(rendered, "url: \"p\\\"w of DB_PASSWORD_PROD\" # and $NOT_THIS\n");
    // What is outside of its list is forbidden, whether or not it is there.
    let refused = billing.launch(&["--export", "DB_PASSWORD_DEV,NO_SUCH_KEY,STRIPE_KEY"]).run();
    insta::assert_snapshot!(refused.report(), @"
    exit 77
    --- stderr
    inject: `probe` was not started: 2 problems
      `DB_PASSWORD_DEV` is forbidden
        in variable `DB_PASSWORD_DEV`
        ask an owner to add `DB_PASSWORD_DEV` to the names that this token may resolve
      `NO_SUCH_KEY` is forbidden
        in variable `NO_SUCH_KEY`
        ask an owner to add `NO_SUCH_KEY` to the names that this token may resolve
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
    let missing = billing.launch(&["--export", "STRIPE_KEYS,DB_PASSWORD_DEV"]).run();
    insta::assert_snapshot!(missing.report(), @"
    exit 78
    --- stderr
    inject: `probe` was not started: 2 problems
      `DB_PASSWORD_DEV` is forbidden
        in variable `DB_PASSWORD_DEV`
        ask an owner to add `DB_PASSWORD_DEV` to the names that this token may resolve
      `STRIPE_KEYS` is missing
        in variable `STRIPE_KEYS`
        nearest: `STRIPE_KEY`
        set it with `inject secret set STRIPE_KEYS`
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
}

#[test]
fn a_rotation_shows_who_runs_on_the_old_one() {
    let day = Day::new();
    day.owner().set("DB_KEY", "first");
    day.owner().set("API_KEY", "same");
    let [web, jobs] = ["web", "jobs"].map(|workload| day.token(workload, &[]));
    for token in [&web, &jobs] {
        day.with(token).launch(&["--export", "DB_KEY,API_KEY"]).run().code(0);
    }
    let behind = || {
        let rows = day.owner().json(&["workload", "list"]);
        let rows = rows["workloads"].as_array().expect("rows").clone();
        let row = |row: &serde_json::Value| format!("{}: {}", row["workload"], row["behind"]);
        rows.iter().map(row).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(behind(), r#""jobs": false, "web": false"#);
    day.owner().set("DB_KEY", "second");
    assert_eq!(behind(), r#""jobs": true, "web": true"#);
    assert_eq!(day.with(&web).value("DB_KEY"), Ok("second".to_owned()));
    assert_eq!(behind(), r#""jobs": true, "web": false"#);
    insta::assert_snapshot!(day.owner().list(&["workload", "list"]), @"
    WORKLOAD  LAST RESOLVED     SECRETS  BEHIND
    jobs      [TIME]  2        DB_KEY: version 1, now 2
    web       [TIME]  2        -
    ");
    insta::assert_snapshot!(day.owner().list(&["secret", "show", "DB_KEY"]), @"
    name          DB_KEY
    version       2
    last updated  [TIME] +00:00 by alice@acme.com
    created       [TIME] +00:00 by alice@acme.com
    reference     $DB_KEY or ${DB_KEY}
    resolved by   web: version 2, [TIME] +00:00
                  jobs: version 1 (behind), [TIME] +00:00
    ");
    // All of them are of today.
    assert_eq!(day.owner().list(&["secret", "list", "--stale", "0h"]).lines().count(), 3);
    let none = day.owner().json(&["secret", "list", "--stale", "90d"]);
    assert_eq!(none["secrets"], serde_json::json!([]));
    let deleted = day.owner().does(0, &["secret", "rm", "DB_KEY", "--yes"]);
    assert!(deleted.err().contains("by: web, jobs"), "{}", deleted.whole());
    assert_eq!(day.with(&web).value("DB_KEY"), Err(78));
    // What is gone has no newer version, and is told all the same.
    assert_eq!(behind(), r#""jobs": false, "web": false"#);
    let table = day.owner().list(&["workload", "list"]);
    assert_eq!(table.matches("now deleted").count(), 2, "{table}");
    // Versions of a name never start again.
    day.owner().set("DB_KEY", "third");
    assert_eq!(day.owner().json(&["secret", "show", "DB_KEY"])["version"], 3);
}

#[test]
fn another_organization_sees_nothing() {
    let day = Day::new();
    day.owner().set("SHARED_NAME", "of acme");
    let other = day.owner().issued(&["org", "create", "rival"]);
    let own = day.token("web", &[]);
    // Its owner is the same person, and the token of the one is worth nothing in the other.
    let rival = |words: &[&str]| day.with(&other).inject(words).env("INJECT_ORG", "rival");
    rival(&["secret", "set", "SHARED_NAME"]).stdin("of rival").run().code(0);
    let words = ["token", "create", "--workload", "web"];
    let theirs = rival(&words).run().code(0).out().trim_end().to_owned();
    let launch = |token: &str, org: &str| {
        let run = day.with(token).launch(&["--export", "SHARED_NAME"]).env("INJECT_ORG", org);
        let ended = run.run();
        match ended.exit() {
            0 => ended.seen().text("SHARED_NAME").to_owned(),
            code => format!("{code}: {}", ended.err().replace(org, "[ORG]")),
        }
    };
    assert_eq!(launch(&own, "acme"), "of acme");
    assert_eq!(launch(&theirs, "rival"), "of rival");
    // That it is there is not to be seen: what is there and what is not sound alike.
    let [there, nowhere] = ["rival", "no-such"].map(|org| launch(&own, org));
    assert!(there.starts_with("77: "), "{there}");
    assert_eq!(there, nowhere);
    for words in [&["secret", "list"][..], &["member", "list"], &["audit", "list"]] {
        let told = ["rival", "no-such"].map(|org| {
            let ended = day.owner().inject(words).env("INJECT_ORG", org).run();
            ended.code(77).err().replace(org, "[ORG]")
        });
        assert_eq!(told[0], told[1]);
    }
    assert_eq!(day.owner().json(&["org", "list"])["orgs"].as_array().map(Vec::len), Some(1));
    let trail = rival(&["audit", "list"]).run().code(0).out();
    assert!(!trail.contains("of acme") && trail.lines().count() == 7, "{trail}");
}
