//! The manifests of contrib/ against the schemas of those who read them, and what a schema does not
//! say: that every pod may run under the standard `restricted`, and that no layer takes a dollar.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub const CONTRIB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib");
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/manifests/bin");
/// The newest Kubernetes whose schema is at hand, and the oldest that knows a native sidecar.
const KUBERNETES: [&str; 2] = ["1.37", "1.29"];

fn run(tool: &str, args: &[&str]) -> String {
    let output = Command::new(Path::new(TOOLS).join(tool)).args(args).current_dir(CONTRIB).output();
    let output = output.unwrap_or_else(|error| panic!("{tool}, of tests/run: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {}\n{said}", output.status);
    said
}

fn kubernetes() -> Vec<PathBuf> {
    let found = fs::read_dir(Path::new(CONTRIB).join("kubernetes")).expect("it is there");
    let paths = found.map(|entry| entry.expect("an entry").path());
    let paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    assert!(paths.len() > 5, "{paths:?}");
    paths
}

/// What a file holds, a value a document.
pub fn documents(path: &Path) -> Vec<Value> {
    let script = "import json, sys, yaml\n\
        print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let printed = run("python", &["-c", script, path.to_str().expect("a path in UTF-8")]);
    serde_json::from_str(&printed).expect("JSON")
}

#[test]
fn each_manifest_is_of_kubernetes_own_schema() {
    for path in kubernetes() {
        let path = path.to_str().expect("a path in UTF-8");
        for version in KUBERNETES {
            run("kubernetes-validate", &["--strict", "-k", version, path]);
        }
    }
}

#[test]
fn compose_and_pipelines_are_of_their_schemas() {
    let schema = |name: &str, more: &[&str]| {
        run("check-jsonschema", &[&["--builtin-schema", name][..], more].concat());
    };
    schema("vendor.compose-spec", &["compose/compose.yaml"]);
    schema("vendor.github-workflows", &["ci/github.yaml"]);
    schema("vendor.gitlab-ci", &["--data-transform", "gitlab-ci", "ci/gitlab.yaml"]);
}

/// Each pod of a manifest, wherever it stands, under its workload's kind and name.
fn pods() -> Vec<(String, Value)> {
    let mut pods = Vec::new();
    for document in kubernetes().iter().flat_map(|path| documents(path)) {
        let name = format!("{} {}", document["kind"], document["metadata"]["name"]);
        let template = &document["spec"]["template"]["spec"];
        let own = &document["spec"];
        let pod = [template, own].into_iter().find(|spec| spec["containers"].is_array());
        pods.extend(pod.map(|pod| (name, pod.clone())));
    }
    assert!(pods.len() > 6, "{pods:?}");
    pods
}

fn containers(pod: &Value) -> Vec<&Value> {
    let of = |kind: &str| pod[kind].as_array().into_iter().flatten().collect::<Vec<_>>();
    [of("initContainers"), of("containers")].concat()
}

/// As https://kubernetes.io/docs/concepts/security/pod-security-standards/ has it, and a root that
/// cannot be written besides.
#[test]
fn each_pod_may_run_under_the_standard_restricted() {
    for (name, pod) in pods() {
        let of_pod = &pod["securityContext"];
        assert_eq!(of_pod["runAsNonRoot"], true, "{name}");
        assert!(of_pod["runAsUser"].as_u64().is_some_and(|user| user > 0), "{name}");
        assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        for host in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod[host].is_null(), "{name}: {host}");
        }
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            let allowed = ["configMap", "emptyDir", "persistentVolumeClaim", "secret"];
            assert!(allowed.iter().any(|kind| volume[kind].is_object()), "{name}: {volume}");
        }
        for container in containers(&pod) {
            let own = &container["securityContext"];
            assert_eq!(own["allowPrivilegeEscalation"], false, "{name}: {container}");
            assert_eq!(own["readOnlyRootFilesystem"], true, "{name}: {container}");
            assert_eq!(own["capabilities"]["drop"], serde_json::json!(["ALL"]), "{name}");
            assert!(own["capabilities"]["add"].is_null(), "{name}");
            assert!(own["privileged"].is_null() && own["runAsUser"].is_null(), "{name}");
        }
    }
}

/// A token is a file of a Secret, and no variable; and where a native sidecar is, what comes behind
/// it is waited for.
#[test]
fn tokens_are_files_and_native_sidecars_are_waited_for() {
    let mut native = 0;
    for (name, pod) in pods() {
        for container in containers(&pod) {
            let variables = container["env"].as_array().into_iter().flatten();
            for variable in variables {
                assert_ne!(variable["name"], "INJECT_TOKEN", "{name}");
                assert!(variable["valueFrom"]["secretKeyRef"].is_null(), "{name}: {variable}");
            }
            if container["restartPolicy"] == "Always" {
                native += 1;
                assert_eq!(container["startupProbe"]["httpGet"]["path"], "/readyz", "{name}");
            }
        }
    }
    assert_eq!(native, 2);
}

/// A container that is not ready takes its pod out of its Service, though the application beside it
/// still has the last good files.
#[test]
fn a_sidecar_s_trouble_is_not_its_pod_s() {
    let mut sidecars = 0;
    for (name, pod) in pods() {
        for container in containers(&pod) {
            let words = container["command"].as_array().into_iter().flatten();
            if words.filter_map(Value::as_str).any(|word| word == "sidecar") {
                sidecars += 1;
                assert!(container["readinessProbe"].is_null(), "{name}: {container}");
            }
        }
    }
    assert_eq!(sidecars, 5);
}

/// Kubernetes takes `$(NAME)` and `$$`, Compose `$NAME`: none of these stands where ours should.
#[test]
fn no_layer_takes_a_dollar() {
    let of = |path: &Path| fs::read_to_string(path).expect("it is there");
    let uncommented = |text: String| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.collect::<Vec<_>>().join("\n")
    };
    let mut references = 0;
    for path in kubernetes() {
        let text = uncommented(of(&path));
        assert!(!text.contains("$(") && !text.contains("$$"), "{}", path.display());
        references += text.matches("$DB_PASSWORD_PROD").count();
    }
    assert_eq!(references, 3);
    let compose = uncommented(of(&Path::new(CONTRIB).join("compose/compose.yaml")));
    assert_eq!(compose.matches("$$DB_PASSWORD_PROD").count(), 1);
    assert_eq!(compose.matches("$DB_PASSWORD_PROD").count(), 1, "each has two dollars");
}
