//! Two organizations with the same names in them, and another process on the same files: nothing
//! that is remembered crosses, and a change counts from the next request on.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::store::tests::served::{Caller, Served};

const ORGS: [&str; 2] = ["acme", "globex"];
const NAMES: [&str; 2] = ["DB_PASSWORD", "API_KEY"];
const ROLES: [&str; 3] = ["reader", "editor", "owner"];
const LISTS: [&[&str]; 4] = [&[], &["*"], &["DB_*"], &["API_KEY"]];

/// What is done, and whose process does it.
#[derive(Clone, Copy, Debug)]
enum Step {
    Put { org: usize, name: usize },
    Delete { org: usize, name: usize },
    Mint { org: usize, list: usize },
    Revoke { org: usize, token: usize },
    Change { org: usize, role: usize, list: usize },
    Remove { org: usize },
    Add { org: usize, role: usize, list: usize },
}

fn steps() -> impl Strategy<Value = Vec<(bool, Step)>> {
    let (org, name, role, list) = (0..2_usize, 0..2_usize, 0..3_usize, 0..4_usize);
    let step = prop_oneof![
        (org.clone(), name.clone()).prop_map(|(org, name)| Step::Put { org, name }),
        (org.clone(), name).prop_map(|(org, name)| Step::Delete { org, name }),
        (org.clone(), list.clone()).prop_map(|(org, list)| Step::Mint { org, list }),
        (org.clone(), 0..4_usize).prop_map(|(org, token)| Step::Revoke { org, token }),
        (org.clone(), role.clone(), list.clone()).prop_map(|(org, role, list)| Step::Change {
            org,
            role,
            list
        }),
        org.clone().prop_map(|org| Step::Remove { org }),
        (org, role, list).prop_map(|(org, role, list)| Step::Add { org, role, list }),
    ];
    prop::collection::vec((any::<bool>(), step), 1..20)
}

/// One organization, as it ought to be.
#[derive(Default)]
struct Model {
    values: BTreeMap<&'static str, String>,
    /// Workload tokens with their lists; none is revoked.
    tokens: Vec<(Caller, Option<&'static [&'static str]>)>,
    /// The member's tokens, those of before a removal too, and the role and list that the last one
    /// goes by.
    member_tokens: Vec<Caller>,
    member: Option<(usize, &'static [&'static str])>,
}

struct Tenants {
    served: Served,
    other_process: crate::store::Store,
    models: [Model; 2],
    values: u32,
}

impl Tenants {
    fn new() -> Self {
        let served = Served::new();
        for org in ORGS {
            served.org(org, "owner@example.com");
        }
        let other_process = served.again();
        Self { served, other_process, models: Default::default(), values: 0 }
    }

    /// The operator does this in one process or the other.
    fn operate(&self, elsewhere: bool, method: &str, path: &str, body: &Value) -> Option<Value> {
        let handle = if elsewhere { &self.other_process } else { &self.served.handle };
        let body = body.to_string();
        let operator = Caller::operator();
        let target = (method, path);
        let reply = self.served.ask_with(handle, &operator, target, &[], body.as_bytes());
        assert!(reply.status.as_u16() < 500, "{reply:?}");
        let token = || serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
        reply.status.is_success().then(token)
    }

    fn take(&mut self, elsewhere: bool, step: Step) {
        let (Step::Put { org, .. }
        | Step::Delete { org, .. }
        | Step::Mint { org, .. }
        | Step::Revoke { org, .. }
        | Step::Change { org, .. }
        | Step::Remove { org }
        | Step::Add { org, .. }) = step;
        let base = format!("/api/v1/orgs/{}", ORGS[org]);
        match step {
            Step::Put { name, .. } => {
                self.values += 1;
                let value = format!("{} {}", ORGS[org], self.values);
                let path = format!("{base}/secrets/{}", NAMES[name]);
                assert!(self.operate(elsewhere, "PUT", &path, &json!({"value": value})).is_some());
                self.models[org].values.insert(NAMES[name], value);
            }
            Step::Delete { name, .. } => {
                let path = format!("{base}/secrets/{}", NAMES[name]);
                let done = self.operate(elsewhere, "DELETE", &path, &Value::Null).is_some();
                assert_eq!(done, self.models[org].values.remove(NAMES[name]).is_some());
            }
            Step::Mint { list, .. } => {
                let body = json!({ "workload": "billing", "names": LISTS[list] });
                let path = format!("{base}/tokens");
                let made = self.operate(elsewhere, "POST", &path, &body).unwrap();
                self.models[org].tokens.push((bearer(&made), Some(LISTS[list])));
            }
            Step::Revoke { token, .. } => self.revoke(elsewhere, org, token),
            Step::Change { role, list, .. } => {
                let body = json!({ "role": ROLES[role], "names": LISTS[list] });
                let path = format!("{base}/members/bob@example.com");
                let done = self.operate(elsewhere, "PATCH", &path, &body).is_some();
                assert_eq!(done, self.models[org].member.is_some());
                self.models[org].member = done.then_some((role, LISTS[list]));
            }
            Step::Remove { .. } => {
                let path = format!("{base}/members/bob@example.com");
                let done = self.operate(elsewhere, "DELETE", &path, &Value::Null).is_some();
                assert_eq!(done, self.models[org].member.take().is_some());
            }
            Step::Add { role, list, .. } => {
                let body = json!({
                    "email": "bob@example.com", "role": ROLES[role], "names": LISTS[list],
                });
                let made = self.operate(elsewhere, "POST", &format!("{base}/members"), &body);
                assert_eq!(made.is_none(), self.models[org].member.is_some());
                if let Some(made) = made {
                    self.models[org].member_tokens.push(bearer(&made));
                    self.models[org].member = Some((role, LISTS[list]));
                }
            }
        }
    }

    fn revoke(&mut self, elsewhere: bool, org: usize, token: usize) {
        let Some((caller, list)) = self.models[org].tokens.get(token) else { return };
        let id = id_of(caller);
        let path = format!("/api/v1/orgs/{}/tokens/{id}", ORGS[org]);
        let done = self.operate(elsewhere, "DELETE", &path, &Value::Null).is_some();
        assert_eq!(done, list.is_some());
        self.models[org].tokens[token].1 = None;
    }

    /// What everybody gets, in the one process and in the other.
    fn look(&self) {
        for handle in [&self.served.handle, &self.other_process] {
            for (org, model) in ORGS.iter().zip(&self.models) {
                for (caller, list) in &model.tokens {
                    self.resolves(handle, caller, org, *list);
                }
                for (index, caller) in model.member_tokens.iter().enumerate() {
                    let last = index + 1 == model.member_tokens.len();
                    let member = model.member.filter(|_| last);
                    self.resolves(handle, caller, org, member.map(|(_, list)| list));
                    self.manages(handle, caller, org, member.map(|(role, _)| role));
                }
            }
        }
    }

    /// A caller with this list, or without a good token, asks for everything everywhere.
    fn resolves(
        &self,
        handle: &crate::store::Store,
        caller: &Caller,
        own: &str,
        list: Option<&[&str]>,
    ) {
        for (org, model) in ORGS.iter().zip(&self.models) {
            for name in NAMES {
                let path = format!("/api/v1/orgs/{org}/resolve");
                let body = json!({ "names": [name] }).to_string();
                let target = ("POST", path.as_str());
                let got = self.served.ask_with(handle, caller, target, &[], body.as_bytes());
                let covers = list.is_some_and(|list| {
                    list.contains(&"*")
                        || list.contains(&name)
                        || list.contains(&"DB_*") && name.starts_with("DB_")
                });
                match (list, model.values.get(name)) {
                    (None, _) => drop(got.is(401)),
                    (Some(_), _) if own != *org => {
                        assert_eq!(got.is(404).problem(), "no-organization");
                    }
                    (Some(_), Some(value)) if covers => assert_eq!(got.value(name), *value),
                    (Some(_), _) => {
                        let reason = if covers { "missing" } else { "forbidden" };
                        assert_eq!(got.json()["unresolved"][0]["reason"], reason);
                    }
                }
            }
        }
    }

    /// A member of this role, or somebody removed, tries what each role may.
    fn manages(
        &self,
        handle: &crate::store::Store,
        caller: &Caller,
        org: &str,
        role: Option<usize>,
    ) {
        let least = [("GET", "secrets"), ("DELETE", "secrets/ABSENT"), ("GET", "tokens")];
        for (needed, (method, path)) in least.into_iter().enumerate() {
            let path = format!("/api/v1/orgs/{org}/{path}");
            let got = self.served.ask_with(handle, caller, (method, &path), &[], b"");
            let expected = match role {
                None => 401,
                Some(role) if role < needed => 403,
                Some(_) if method == "DELETE" => 404,
                Some(_) => 200,
            };
            got.is(expected);
        }
    }
}

fn bearer(made: &Value) -> Caller {
    Caller::bearer(made["token"].as_str().unwrap())
}

fn id_of(caller: &Caller) -> String {
    let text = format!("{:?}", caller.proof);
    let at = text.find("inj_").unwrap() + 6;
    text[at..at + 12].to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_remembered_crosses(steps in steps()) {
        let mut tenants = Tenants::new();
        tenants.take(false, Step::Put { org: 0, name: 0 });
        tenants.take(false, Step::Put { org: 1, name: 0 });
        for (elsewhere, step) in steps {
            tenants.take(elsewhere, step);
            tenants.look();
        }
        for org in ORGS {
            tenants.served.verify(org);
        }
        let ids: BTreeSet<String> =
            tenants.models.iter().flat_map(|one| &one.tokens).map(|(one, _)| id_of(one)).collect();
        assert_eq!(ids.len(), tenants.models.iter().map(|one| one.tokens.len()).sum::<usize>());
    }
}
