//! The pipelines of contrib/ci, played step by step with a real store: what each step is given,
//! what it checks, and that nobody else's text is taken for a reference.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::manifests::{CONTRIB, documents};
use crate::harness::{Ended, INJECT};
use crate::service::served::Day;

type Variables = BTreeMap<String, String>;

/// What is run at once, with what it is given.
struct Step {
    name: String,
    script: String,
    variables: Variables,
    /// Whether it runs where the token is not given.
    is_for_all_branches: bool,
}

impl Step {
    fn uses_inject(&self) -> bool {
        self.script.lines().any(|line| line.starts_with("inject "))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn pipeline(name: &str) -> Value {
    documents(&Path::new(CONTRIB).join("ci").join(name)).remove(0)
}

fn variables(of: &Value) -> Variables {
    let pairs = of.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The steps that run something; GitHub's own variables and secrets are still to be filled in.
fn github() -> Vec<Step> {
    let pipeline = pipeline("github.yaml");
    let job = &pipeline["jobs"]["deploy"];
    let steps = job["steps"].as_array().expect("a list").iter().filter(|s| s["run"].is_string());
    steps
        .map(|step| {
            let mut given = variables(&job["env"]);
            given.extend(variables(&step["env"]));
            let (name, script) = (text(&step["name"]), text(&step["run"]));
            Step { name, script, variables: given, is_for_all_branches: false }
        })
        .collect()
}

/// GitLab expands a dollar in a variable unless it is told not to.
fn gitlab_variables(of: &Value) -> Variables {
    let pairs = of.as_object().into_iter().flatten();
    let plain = |value: &Value| match value {
        Value::String(value) => {
            assert!(!value.contains('$'), "`{value}` is expanded");
            value.clone()
        }
        value => {
            assert_eq!(value["expand"], false, "{value}");
            text(&value["value"])
        }
    };
    pairs.map(|(name, value)| (name.clone(), plain(value))).collect()
}

fn gitlab() -> Vec<Step> {
    let pipeline = pipeline("gitlab.yaml");
    let jobs = pipeline.as_object().expect("a mapping").iter();
    let jobs = jobs.filter(|(_, job)| job["script"].is_array());
    jobs.map(|(name, job)| {
        let mut whole = Map::new();
        if let Some(from) = job["extends"].as_str() {
            whole.extend(pipeline[from].as_object().expect("a mapping").clone());
        }
        whole.extend(job.as_object().expect("a mapping").clone());
        let only = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH";
        let rules = whole.get("rules").and_then(Value::as_array);
        let is_protected =
            rules.is_some_and(|rules| rules.len() == 1 && rules[0]["if"].as_str() == Some(only));
        let mut given = gitlab_variables(&pipeline["variables"]);
        given.extend(gitlab_variables(&job["variables"]));
        if is_protected {
            given.insert("INJECT_TOKEN".into(), "${{ secrets.INJECT_TOKEN }}".into());
        }
        let lines = job["script"].as_array().expect("a list").iter().map(text);
        let script = lines.collect::<Vec<_>>().join("\n");
        let is_for_all_branches = !is_protected;
        Step { name: name.clone(), script, variables: given, is_for_all_branches }
    })
    .collect()
}

/// A store with what the pipelines refer to, and with what they do not.
struct Scene {
    day: Day,
    token: String,
}

const CANARY: &str = "c4n4ry-of-another-team";
const TITLE: &str = "tidy up ${STRIPE_KEY_@}, $STRIPE_KEY_PROD and ${FOO";

impl Scene {
    fn new() -> Self {
        let day = Day::new();
        day.owner().set("REGISTRY_PASSWORD_PROD", "registry-1");
        day.owner().set("DB_PASSWORD_PROD", "hunter2");
        day.owner().set("STRIPE_KEY_PROD", CANARY);
        let token = day.token("deploy", &["--names", "*_PROD"]);
        for name in ["run", "migrate"] {
            day.world.script(&format!("work/deploy/{name}"), "#!/bin/sh\nexec env\n", "755");
        }
        day.world.write("work/deploy/app.yaml", "password: ${DB_PASSWORD_@}\n");
        fs::create_dir(day.world.path("bin")).expect("a fresh folder");
        std::os::unix::fs::symlink(INJECT, day.world.path("bin/inject")).expect("a link");
        Self { day, token }
    }

    /// Runs it as the CI's shell does, with what CI says of a stranger's commit.
    fn plays(&self, step: &Step) -> Ended {
        let run = self.day.world.command("sh", ["-e", "-c", &step.script]);
        let path = format!("{}:/usr/bin:/bin", self.day.world.text("bin"));
        let mut run = run.env("PATH", path);
        for name in ["CI_COMMIT_TITLE", "CI_COMMIT_BRANCH", "GITHUB_REF_NAME"] {
            run = run.env(name, TITLE);
        }
        for (name, value) in &step.variables {
            let value = match (name.as_str(), value.as_str()) {
                ("INJECT_STORE", _) => self.day.served.url(),
                (_, "${{ secrets.INJECT_TOKEN }}") => &self.token,
                (_, value) => value,
            };
            assert!(!value.contains("${{"), "{value}");
            run = run.env(name, value);
        }
        run.run()
    }
}

#[test]
fn each_step_works_and_takes_nobody_else_s_text_for_a_reference() {
    let scene = Scene::new();
    for steps in [github(), gitlab()] {
        let mut said = String::new();
        for step in steps.iter().filter(|step| step.uses_inject()) {
            let ended = scene.plays(step);
            ended.code(0);
            let out = String::from_utf8_lossy(&ended.stdout).into_owned();
            assert!(!out.contains(CANARY), "`{}` prints it: {}", step.name, ended.whole());
            said += &out;
        }
        assert!(said.contains("DATABASE_URL=postgres://app:hunter2@db/app\n"), "{said}");
        assert!(said.contains("REGISTRY_PASSWORD=registry-1\n"), "{said}");
        assert!(said.contains(&format!("CI_COMMIT_TITLE={TITLE}\n")), "{said}");
        assert!(!said.contains("INJECT_TOKEN"), "{said}");
    }
}

#[test]
fn the_check_knows_every_reference_of_the_deployment() {
    let scene = Scene::new();
    let pipelines = [github(), gitlab()];
    for name in ["DB_PASSWORD_PROD", "REGISTRY_PASSWORD_PROD"] {
        scene.day.owner().does(0, &["secret", "rm", "--yes", name]);
        for steps in &pipelines {
            let asks = |step: &&Step| step.script.starts_with("inject check");
            let check = steps.iter().find(|step| asks(step) && !step.is_for_all_branches);
            let ended = scene.plays(check.or_else(|| steps.iter().find(asks)).expect("a check"));
            assert!(ended.code(78).err().contains(name), "{}", ended.whole());
        }
        scene.day.owner().set(name, "again");
    }
}

/// GitLab's protected variables reach the default branch alone; GitHub's secrets, whoever asks.
#[test]
fn the_token_is_for_who_uses_it() {
    for step in github().iter().chain(&gitlab()) {
        let is_given = step.variables.contains_key("INJECT_TOKEN");
        let asks = step.uses_inject() && !step.is_for_all_branches;
        assert_eq!(is_given, asks, "`{}`", step.name);
    }
    let pipeline = pipeline("github.yaml");
    let steps = pipeline["jobs"]["deploy"]["steps"].as_array().expect("a list");
    for uses in steps.iter().filter_map(|step| step["uses"].as_str()) {
        let commit = uses.split_once('@').expect("a version").1;
        let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(is_commit, "`{uses}` can become something else");
    }
    for file in ["github.yaml", "gitlab.yaml"] {
        let text = fs::read_to_string(Path::new(CONTRIB).join("ci").join(file)).expect("there");
        for image in text.split("registry.example.com/").skip(1) {
            let image = image.split_whitespace().next().expect("a name");
            assert!(image.contains("@sha256:"), "{file}: `{image}` can become another one");
        }
    }
}
