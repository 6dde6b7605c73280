//! Organizations, members and tokens.

use serde_json::{Value, json};

use super::{TOKEN, asked, at, problem, run, says};
use crate::harness::{INJECT, Terminal, World};
use crate::scripted_store::{Answer, ScriptedStore};

const MEMBER: &str = r#""email":"alice@acme.com","role":"editor","names":["DEV_*","A_KEY"],
    "created_at":"2026-03-01T12:00:00Z","created_by":"os:root""#;

fn issued(of: &str) -> Answer {
    says(201, &format!(r#"{{{of},"id":"abcdefghijkl","token":"{TOKEN}"}}"#))
}

fn token_row(id: &str, rest: &str) -> String {
    format!(
        r#"{{"id":"{id}","created_at":"2026-03-01T12:00:00Z","created_by":"alice@acme.com"{rest}}}"#
    )
}

#[test]
fn organizations_are_listed_without_naming_one() {
    let world = World::new();
    let page = r#"{"orgs":[{"name":"acme","created_at":"2026-03-01T12:00:00Z",
        "created_by":"bob\u001b[2J@acme.com","role":"owner"}],"next":null}"#;
    let store = ScriptedStore::tcp([says(200, page)]);
    let list = |words: &[&str]| at(world.inject(words), &store).unset("INJECT_ORG").run();
    insta::assert_snapshot!(list(&["org", "list"]).report(), @r"
    exit 0
    --- stdout
    ORGANIZATION  ROLE   CREATED           CREATED BY
    acme          owner  [TIME]  bob\u{1b}[2J@acme.com
    ");
    let json = list(&["org", "list", "--json"]);
    let object: Value = serde_json::from_slice(&json.code(0).stdout).expect("JSON");
    assert_eq!(object["orgs"][0]["role"], "owner");
    assert_eq!(object["next"], Value::Null);
    assert_eq!(asked(&store)[0], "GET /api/v1/orgs?limit=100");
}

#[test]
fn a_new_organization_answers_its_owners_token() {
    let world = World::new();
    let acme = r#""name":"beta","created_at":"2026-03-01T12:00:00Z","created_by":"os:root""#;
    let store = ScriptedStore::tcp([issued(acme)]);
    let create = |words: &str| at(world.inject(words.split(' ')), &store).unset("INJECT_ORG").run();
    insta::assert_snapshot!(create("org create beta --owner Alice@acme.com").report(), @r"
    exit 0
    --- stdout
    inj_w_c4n4ryC4n4ry_issued
    --- stderr
    organization beta is made, owned by alice@acme.com; the token is shown this once:
    ");
    create("org create beta").code(0);
    assert_eq!(
        asked(&store),
        [
            r#"POST /api/v1/orgs {"name":"beta","owner":"alice@acme.com"}"#,
            r#"POST /api/v1/orgs {"name":"beta"}"#
        ]
    );
    let store = ScriptedStore::tcp([problem(409, "exists")]);
    insta::assert_snapshot!(run(&world, &store, "org create beta").report(), @r"
    exit 77
    --- stderr
    inject: there is an organization `beta` already
      store: http://127.0.0.1:[PORT]
    ");
}

#[test]
fn members_are_listed_with_what_they_may_do() {
    let world = World::new();
    let first = format!(r#"{{"members":[{{{MEMBER}}}],"next":"c/1"}}"#);
    let second = r#"{"members":[{"email":"eve\u202e@acme.com","damaged":true},
        {"email":"carol@acme.com","role":"reader","names":[]}],"next":null}"#;
    let store = ScriptedStore::tcp([says(200, &first), says(200, second)]);
    insta::assert_snapshot!(run(&world, &store, "member list").report(), @r"
    exit 74
    --- stdout
    MEMBER                ROLE     RESOLVES      CREATED           CREATED BY
    alice@acme.com        editor   DEV_*, A_KEY  [TIME]  os:root
    eve\u{202e}@acme.com  damaged  -             -                 -
    carol@acme.com        reader   nothing       -                 -
    --- stderr
    inject: 1 of these is damaged: what the store holds does not carry its authentication code, so it was changed from outside; remove such a member and add it again
      store: http://127.0.0.1:[PORT], organization `acme`
    ");
    assert_eq!(
        asked(&store),
        [
            "GET /api/v1/orgs/acme/members?limit=100",
            "GET /api/v1/orgs/acme/members?cursor=c%2F1&limit=100"
        ]
    );
}

#[test]
fn a_new_member_has_a_first_token() {
    let world = World::new();
    let store = ScriptedStore::tcp([issued(MEMBER)]);
    let words = "member add Alice@ACME.com --role editor --names DEV_*,A_KEY --names B_*";
    insta::assert_snapshot!(run(&world, &store, words).report(), @r"
    exit 0
    --- stdout
    inj_w_c4n4ryC4n4ry_issued
    --- stderr
    alice@acme.com is an editor of acme; the token is shown this once:
    ");
    let body = r#"{"email":"alice@acme.com","role":"editor","names":["DEV_*","A_KEY","B_*"]}"#;
    assert_eq!(asked(&store), [format!("POST /api/v1/orgs/acme/members {body}")]);
    let ended = run(&world, &store, "member add alice@acme.com --json");
    let object: Value = serde_json::from_slice(&ended.code(0).stdout).expect("JSON");
    assert_eq!((&object["token"], &object["id"]), (&TOKEN.into(), &"abcdefghijkl".into()));
    assert_eq!((&object["email"], ended.err().as_str()), (&"alice@acme.com".into(), ""));
    let plain = r#"POST /api/v1/orgs/acme/members {"email":"alice@acme.com","role":"reader"}"#;
    assert_eq!(asked(&store)[1], plain);
}

#[test]
fn a_token_that_nobody_saw_can_be_revoked() {
    let world = World::new();
    let store = ScriptedStore::tcp([issued(MEMBER)]);
    for words in ["member add alice@acme.com", "member add alice@acme.com --json"] {
        let script = format!("\"$BINARY\" {words} >/dev/full");
        let shell = world.command("sh", ["-c", &script]).env("BINARY", INJECT);
        let ended = at(shell, &store).run();
        ended.code(74);
        let expected = "but alice@acme.com is a reader of acme, and nobody saw the token: revoke \
                        it with `inject token revoke abcdefghijkl`, and make another";
        assert!(ended.err().contains(expected), "{}", ended.whole());
        assert!(!ended.err().contains(TOKEN), "{}", ended.whole());
    }
}

/// A second try might make a second token.
#[test]
fn what_may_have_been_made_is_not_made_again() {
    let world = World::new();
    let cut = || Answer::Raw(b"HTTP/1.1 201 X\r\ncontent-length: 9\r\n\r\n{".to_vec());
    for (words, look) in [
        ("token create --workload billing", "`inject token list` shows what there is"),
        ("member add alice@acme.com", "if `inject member list` shows the member"),
        ("org create beta", "do it again: if there is such an organization then, it was made"),
    ] {
        let store = ScriptedStore::tcp([cut()]);
        let ended = run(&world, &store, words);
        ended.code(69);
        assert!(ended.err().contains("it may have been done all the same; "), "{}", ended.whole());
        assert!(ended.err().contains(look), "{}", ended.whole());
        assert_eq!(store.requests().len(), 1);
    }
    // What was surely not done is tried again.
    let busy = Answer::Status(503, "Retry-After: 0\r\n".to_owned(), String::new());
    let store = ScriptedStore::tcp([busy, issued(MEMBER)]);
    run(&world, &store, "member add alice@acme.com").code(0);
    assert_eq!(store.requests().len(), 2);
    // Nor does a removal that was done already fail.
    let store = ScriptedStore::tcp([cut(), problem(404, "not-found")]);
    run(&world, &store, "member rm alice@acme.com --yes").code(0);
}

/// What may be done twice is tried again; where no answer comes, it may have been done.
#[test]
fn what_may_have_been_changed_is_told() {
    let world = World::new();
    let cut = || Answer::Raw(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{".to_vec());
    let said = |answers: Vec<Answer>, words: &str| {
        let store = ScriptedStore::tcp(answers);
        let words: Vec<_> = words.split(' ').chain(["--timeout", "300ms"]).collect();
        let ended = at(world.inject(words), &store).stdin("x").run();
        let line = ended.err().lines().next().unwrap_or_default().to_owned();
        let (_, doubt) = line.split_once("; it may have been done all the same; ").expect(&line);
        format!("{} {doubt}", ended.exit())
    };
    let gone = || problem(404, "no-secret");
    let removal = "member rm alice@acme.com --yes";
    let all = [
        said(vec![cut()], "secret set A_KEY"),
        said(vec![gone(), cut()], "secret rm A_KEY --yes"),
        said(vec![cut()], "member set alice@acme.com --role reader"),
        said(vec![cut()], removal),
        said(vec![cut()], "token revoke abcdefghijkl"),
        // Who removes herself has no token any more when it is tried again.
        said(vec![cut(), problem(401, "unknown-token")], removal),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    69 `inject secret show A_KEY` says when it was changed last, and by whom
    69 `inject secret show A_KEY` says whether it is still there; if so, delete it once more
    69 `inject member list` says what the member is now
    69 `inject member list` shows whether the member is still there; if so, remove it once more
    69 `inject token list` shows whether it is still there; if so, revoke it once more
    77 `inject member list` shows whether the member is still there; if so, remove it once more
    ");
    // A store that is never reached, or says that it did nothing, leaves no doubt; nor does a read.
    let busy = Answer::Status(503, String::new(), String::new());
    for (answer, words) in [(busy, "secret set A_KEY"), (cut(), "secret show A_KEY")] {
        let words: Vec<_> = words.split(' ').chain(["--timeout", "300ms"]).collect();
        let ended = at(world.inject(words), &ScriptedStore::tcp([answer])).stdin("x").run();
        assert!(!ended.code(69).err().contains("all the same"), "{}", ended.whole());
    }
}

#[test]
fn a_member_is_changed_in_part() {
    let world = World::new();
    let answer = format!("{{{}}}", MEMBER.replace("editor", "owner"));
    let store = ScriptedStore::tcp([says(200, &answer)]);
    for words in [
        "member set alice@acme.com --role owner",
        "member set alice@acme.com --names DEV_*",
        "member set alice@acme.com --no-names",
    ] {
        let ended = run(&world, &store, words);
        let said = "alice@acme.com is an owner and resolves DEV_*, A_KEY\n";
        assert_eq!(ended.code(0).out(), said);
    }
    let path = "PATCH /api/v1/orgs/acme/members/alice@acme.com";
    let bodies = [r#"{"role":"owner"}"#, r#"{"names":["DEV_*"]}"#, r#"{"names":[]}"#];
    assert_eq!(asked(&store), bodies.map(|body| format!("{path} {body}")));
    run(&world, &store, "member set alice@acme.com").code(64);
    run(&world, &store, "member set alice@acme.com --names A --no-names").code(64);
}

#[test]
fn refusals_say_what_to_do() {
    let world = World::new();
    let said = |answer: Answer, words: &str| {
        let ended = run(&world, &ScriptedStore::tcp([answer]), words);
        let line = ended.err().lines().next().unwrap_or_default().to_owned();
        format!("{} {line}", ended.exit())
    };
    let refusals = [
        (problem(409, "exists"), "member add alice@acme.com"),
        (problem(404, "not-found"), "member rm a@b --yes"),
        (problem(404, "not-found"), "member set a@b --no-names"),
        (problem(404, "not-found"), "token revoke abcdefghijkl"),
        (problem(404, "not-found"), "token create --member a@b"),
        (problem(409, "last-owner"), "member rm a@b --yes"),
        (problem(403, "forbidden"), "member add alice@acme.com"),
        (problem(404, "no-organization"), "token list"),
        (problem(401, "unknown-token"), "member list"),
        (problem(422, "invalid"), "token create --workload w --network 10.0.0.0/99"),
        (problem(400, "invalid"), "audit list --cursor nonsense"),
    ];
    let all = refusals.map(|(answer, words)| said(answer, words));
    insta::assert_snapshot!(all.join("\n"), @"
    77 inject: `alice@acme.com` is a member already and unchanged; `inject member set` changes it, `inject token create --member` makes another token
    78 inject: there is no member `a@b`; `inject member list` shows all
    78 inject: there is no member `a@b`; `inject member list` shows all
    78 inject: there is no token `abcdefghijkl`; `inject token list` shows all
    78 inject: there is no member `a@b`; `inject member list` shows all
    77 inject: nothing is changed: t
    77 inject: the store refuses this (status 403): t
    77 inject: there is no organization `acme`, or the token is not for it; check `--org` and the token
    77 inject: the store does not accept the token: t
    64 inject: the store does not take the request: t
    64 inject: the store does not take the request: t
    ");
}

#[test]
fn a_member_is_removed_by_typing_the_address() {
    let world = World::new();
    let rows = [
        token_row("aaaaaaaaaaaa", r#","member":"alice@acme.com""#),
        token_row("bbbbbbbbbbbb", r#","workload":"billing""#),
        token_row("cccccccccccc", r#","workload":"web""#),
        token_row("dddddddddddd", r#","member":"bob@acme.com""#)
            .replace("\"created_by\":\"alice", "\"created_by\":\"bob"),
    ];
    let tokens = says(200, &format!(r#"{{"tokens":[{}],"next":null}}"#, rows.join(",")));
    for (typed, code) in [("bob@acme.com", 64), ("ALICE@acme.com", 0)] {
        let store = ScriptedStore::tcp([tokens.clone(), says(204, "")]);
        let mut terminal = Terminal::new();
        let words = ["-c", "exec <&9 \"$BINARY\" member rm alice@acme.com"];
        let shell = world.command("sh", words).env("BINARY", INJECT);
        let started = at(shell, &store).situation(terminal.situation()).start();
        let asked_first = terminal.shows("Type the address to remove it: ");
        let expected = "This removes alice@acme.com from acme.\r\nIt revokes 3 tokens: 1 of the \
                        member's own, and 2 that the member made, for billing, web.\r\n";
        assert!(asked_first.contains(expected), "{asked_first}");
        terminal.types(&format!("{typed}\n"));
        let ended = started.end();
        ended.code(code);
        let requests = asked(&store);
        assert_eq!(requests.len(), if code == 0 { 2 } else { 1 }, "{requests:?}");
        if code == 0 {
            assert_eq!(requests[1], "DELETE /api/v1/orgs/acme/members/alice@acme.com");
            assert_eq!(ended.out(), "removed alice@acme.com\n");
        }
    }
    // Where nobody can be asked, nothing is.
    let store = ScriptedStore::tcp([tokens]);
    insta::assert_snapshot!(run(&world, &store, "member rm alice@acme.com").report(), @r"
    exit 64
    --- stderr
    inject: there is no terminal to ask whether `alice@acme.com` may be removed; say `--yes`
      store: http://127.0.0.1:[PORT], organization `acme`
    ");
    assert_eq!(store.requests().len(), 0);
}

#[test]
fn tokens_are_listed_and_never_shown() {
    let world = World::new();
    let rows = [
        token_row(
            "aaaaaaaaaaaa",
            r#","workload":"billing","names":["*"],"expires_at":"2999-01-01T00:00:00Z",
            "network":"10.0.0.0/8""#,
        ),
        token_row(
            "bbbbbbbbbbbb",
            r#","workload":"web","names":["A","B","C","D","E"],
            "expires_at":"2026-04-01T00:00:00Z""#,
        ),
        token_row("cccccccccccc", r#","member":"bob@acme.com""#),
    ];
    let page = format!(r#"{{"tokens":[{}],"next":null}}"#, rows.join(","));
    let store = ScriptedStore::tcp([says(200, &page)]);
    insta::assert_snapshot!(run(&world, &store, "token list").report(), @"
    exit 0
    --- stdout
    ID            FOR           RESOLVES            ENDS                     NETWORK     CREATED           CREATED BY
    aaaaaaaaaaaa  billing       *                   2999-01-01 00:00         10.0.0.0/8  [TIME]  alice@acme.com
    bbbbbbbbbbbb  web           A, B, C and 2 more  [TIME] (over)  any         [TIME]  alice@acme.com
    cccccccccccc  bob@acme.com  -                   never                    any         [TIME]  alice@acme.com
    ");
    assert_eq!(asked(&store), ["GET /api/v1/orgs/acme/tokens?limit=100"]);
}

#[test]
fn a_token_is_made_for_a_script() {
    let world = World::new();
    let row = token_row(
        "abcdefghijkl",
        &format!(
            r#","workload":"billing","names":["STRIPE_*"],"expires_at":"2999-01-01T00:00:00Z",
            "token":"{TOKEN}""#
        ),
    );
    let store = ScriptedStore::tcp([says(201, &row)]);
    let words = "token create --workload billing --names STRIPE_* --expires 2999-01-01 \
                 --network 10.0.0.0/8";
    let script = format!("T=$(\"$BINARY\" {words}) && printf 'got %s' \"$T\"");
    let shell = world.command("sh", ["-c", &script]).env("BINARY", INJECT);
    insta::assert_snapshot!(at(shell, &store).run().report(), @"
    exit 0
    --- stdout
    got inj_w_c4n4ryC4n4ry_issued--- stderr
    token abcdefghijkl is made for billing, resolves STRIPE_*, ends 2999-01-01 00:00; the token is shown this once:
    ");
    let request = store.only_request();
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/api/v1/orgs/acme/tokens")
    );
    assert_eq!(
        request.json(),
        json!({
            "workload": "billing", "names": ["STRIPE_*"], "expires_at": "2999-01-01T00:00:00Z",
            "network": "10.0.0.0/8",
        })
    );
    let ended = run(&world, &store, "token create --workload billing --json");
    let object: Value = serde_json::from_slice(&ended.code(0).stdout).expect("JSON");
    assert_eq!((&object["token"], &object["id"]), (&TOKEN.into(), &"abcdefghijkl".into()));
    run(&world, &store, "token create --member bob@acme.com --expires never").code(0);
    let last = asked(&store).pop();
    assert_eq!(last.as_deref(), Some(r#"POST /api/v1/orgs/acme/tokens {"member":"bob@acme.com"}"#));
}

#[test]
fn words_that_make_no_token() {
    let world = World::new();
    let store = ScriptedStore::tcp([says(500, "")]);
    for words in [
        "token create",
        "token create --workload a --member b@c",
        "token create --member b@c --names A",
        "token create --workload a --expires never",
        "token create --workload a --expires 2020-01-01",
        "token create --workload a --expires soon",
        "token create --workload a --names lower",
        "token revoke inj_w_abcdefghijklC4n4ryC4n4ryC4n4ryC4n4ryC4n4ry000000",
        "member add nobody",
        "member add a@b --role king",
        "org create Bad",
        "audit list --since tomorrow",
        "audit list --limit 0",
    ] {
        let ended = run(&world, &store, words);
        ended.code(64);
        assert!(!ended.err().contains("C4n4ry"), "{}", ended.whole());
    }
    assert_eq!(store.requests().len(), 0);
    let ended = run(&world, &store, "member add nobody --role king --names a");
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: 3 problems
      `nobody` is not an e-mail address; write one such as `alice@acme.com`
      `--role`: write `owner`, `editor` or `reader`
      `--names`: number 1 of the names is neither a secret's name nor a glob; write such as `DB_PASSWORD_PROD`, `STRIPE_*` or `*_PROD`
    ");
}

#[test]
fn a_revoked_token() {
    let world = World::new();
    let store = ScriptedStore::tcp([says(204, "")]);
    assert_eq!(
        run(&world, &store, "token revoke abcdefghijkl").code(0).out(),
        "revoked abcdefghijkl\n"
    );
    assert_eq!(asked(&store), ["DELETE /api/v1/orgs/acme/tokens/abcdefghijkl"]);
}
