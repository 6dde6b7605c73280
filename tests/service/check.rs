//! `inject check` against a served store: it is judged as a launch, audited as what it is, and is
//! no use of a secret.

use super::Day;

#[test]
fn it_is_judged_as_a_launch_and_is_no_use() {
    let day = Day::new();
    day.owner().set("A_KEY", "c4n4ry");
    day.owner().set("B_KEY", "c4n4ry");
    let web = day.token("web", &["--names", "A_*"]);
    day.world.write("work/app.yaml", "a: $A_KEY\n");
    let good = day.with(&web).inject(&["check", "app.yaml"]).run();
    insta::assert_snapshot!(good.report(), @"
    exit 0
    --- stdout
    REFERENCE  PLACE         FOUND  VERSION  LAST UPDATED
    A_KEY      app.yaml:1:4  yes    1        [TIME]
    ");
    let bad = day.with(&web).inject(&["check", "app.yaml"]).env("B", "$B_KEY $A_NONE");
    let bad = bad.run();
    insta::assert_snapshot!(bad.report(), @"
    exit 78
    --- stdout
    REFERENCE  PLACE         FOUND      VERSION  LAST UPDATED
    B_KEY      variable `B`  forbidden
    A_NONE     variable `B`  missing
    A_KEY      app.yaml:1:4  yes        1        [TIME]
    --- stderr
    inject: 2 problems
      `B_KEY` is forbidden
        in variable `B`
        ask an owner to add `B_KEY` to the names that this token may resolve
      `A_NONE` is missing
        in variable `B`
        set it with `inject secret set A_NONE`, or keep the text with `--literal A_NONE`
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
    // Members without a list of names are refused as they would be by a launch.
    let reader = day.member("carol@acme.com", &[]);
    day.with(&reader).inject(&["check", "app.yaml"]).run().code(77);
    let rows = day.owner().json(&["audit", "list", "--name", "A_KEY"]);
    let rows = rows["records"].as_array().expect("rows");
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().expect("one")).collect();
    assert!(actions[..actions.len() - 1].iter().all(|action| *action == "check"), "{actions:?}");
    assert!(actions.len() >= 4, "{actions:?}");
    // Nothing of it counts as use.
    assert_eq!(day.owner().json(&["workload", "list"])["workloads"], serde_json::json!([]));
    let shown = day.owner().list(&["secret", "show", "A_KEY"]);
    assert!(shown.contains("no workload in the last 30 days"), "{shown}");
    assert_eq!(day.with(&web).value("A_KEY"), Ok("c4n4ry".to_owned()));
    let shown = day.owner().list(&["secret", "show", "A_KEY"]);
    assert!(shown.contains("web: version 1"), "{shown}");
}
