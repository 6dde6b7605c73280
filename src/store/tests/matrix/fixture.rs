//! Two organizations with the same names in them, and everybody who may come to their door.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::store::tests::matrix::model::{Object, Role, Session, Standing, Who};
use crate::store::tests::served::{Caller, Served};
use crate::store::token::{self, Kind};

pub struct Fixture {
    pub served: Served,
    pub callers: Vec<(&'static str, Who, Caller)>,
    /// The token that signs in, and that of each organization which is there to be revoked.
    owner: String,
    ids: [String; 2],
    organizations: u32,
}

fn standing(org: &'static str, role: Option<Role>) -> Standing {
    Standing { org, role, covers: false, astray: false, session: Session::None }
}

impl Fixture {
    pub fn new() -> Self {
        let served = Served::new();
        let alice = served.org("acme", "alice@acme.com");
        let gina = served.org("globex", "gina@globex.com");
        let namesake = served.org("evil-corp", "alice@acme.com");
        for (org, own) in [("acme", "DB_OF_ACME"), ("globex", "DB_OF_GLOBEX")] {
            served.set(org, "DB_PASSWORD", &format!("of {org}"));
            served.set(org, own, "x");
            let target = format!("target@{org}.com");
            add(&served, org, &target, "reader", json!([]));
        }
        let owner = mint(&served, "acme", json!({ "member": "alice@acme.com" })).text("token");
        let mut callers = nobodies(&served, &alice);
        callers.extend(members(&served, &alice, &owner));
        callers.extend(workloads(&served));
        callers.extend([
            ("operator", Who::Operator, Caller::operator()),
            ("owner of another", Who::Of(standing("globex", Some(Role::Owner))), gina),
            ("namesake elsewhere", Who::Of(standing("evil-corp", Some(Role::Owner))), namesake),
        ]);
        let ids = ["acme", "globex"].map(|org| workload_id(&served, org));
        Self { served, callers, owner, ids, organizations: 0 }
    }

    /// The path and body of a request.
    pub fn request(&mut self, id: &str, path: &str, org: &str, object: Object) -> (String, Value) {
        let (own, other) = if org == "globex" { (1, 0) } else { (0, 1) };
        let email_of = ["target@acme.com", "target@globex.com"];
        let (name, email, token) = match object {
            Object::Existing => ("DB_PASSWORD", email_of[own], self.ids[own].as_str()),
            Object::Missing => ("DB_ABSENT", "nobody@acme.com", "000000000000"),
            Object::Foreign => {
                (["DB_OF_ACME", "DB_OF_GLOBEX"][other], email_of[other], self.ids[other].as_str())
            }
            Object::Wildcard => ("*", "*@acme.com", "*"),
        };
        let path = path.replace("{org}", org).replace("{name}", name);
        let path = path.replace("{email}", email).replace("{id}", token);
        let body = match id {
            "resolve" => json!({ "names": [name] }),
            "watch" => json!({ "versions": { name: 0 }, "wait": 0 }),
            "putSecret" => json!({ "value": "put" }),
            "makeOrg" => self.new_org(object),
            "addMember" => json!({ "email": email, "role": "reader" }),
            "changeMember" => json!({ "role": "reader" }),
            "makeToken" => json!({ "member": email }),
            "verify" => json!({}),
            "signIn" => json!({ "token": self.owner }),
            _ => Value::Null,
        };
        (path, body)
    }

    /// Undoes what a request of the matrix did.
    pub fn repair(&mut self, id: &str, path: &str, org: &str, status: StatusCode) {
        if matches!(id, "signIn" | "signOut") {
            self.sign_in_again();
            return;
        }
        if !status.is_success() {
            return;
        }
        let index = usize::from(org == "globex");
        match id {
            "putSecret" if status == StatusCode::CREATED => {
                self.served.operator("DELETE", path, &Value::Null).is(204);
            }
            "putSecret" | "deleteSecret" => {
                self.served.set(org, "DB_PASSWORD", &format!("of {org}"));
            }
            "addMember" => {
                for email in ["nobody@acme.com", "target@acme.com", "target@globex.com"] {
                    if !email.contains(org) || email.starts_with("nobody") {
                        let path = format!("{path}/{email}");
                        self.served.operator("DELETE", &path, &Value::Null);
                    }
                }
            }
            "removeMember" => {
                add(&self.served, org, &format!("target@{org}.com"), "reader", json!([]));
            }
            "revokeToken" => self.ids[index] = workload_id(&self.served, org),
            _ => {}
        }
    }

    /// A sign-in ends the session that it was asked for in, and a sign-out too.
    fn sign_in_again(&mut self) {
        let cookie = self.served.sign_in(&self.owner);
        for (name, who, caller) in &mut self.callers {
            if name.starts_with("owner's session") {
                *caller = Caller::session(&cookie, !who.asks_from_elsewhere());
            }
        }
    }

    fn new_org(&mut self, object: Object) -> Value {
        self.organizations += 1;
        let name = match object {
            Object::Existing => "acme".to_owned(),
            Object::Foreign => "globex".to_owned(),
            Object::Missing => format!("new-{}", self.organizations),
            Object::Wildcard => "*".to_owned(),
        };
        json!({ "name": name })
    }
}

fn mint(served: &Served, org: &str, body: Value) -> crate::store::tests::Reply {
    served.operator("POST", &format!("/api/v1/orgs/{org}/tokens"), &body).is(201)
}

fn workload_id(served: &Served, org: &str) -> String {
    mint(served, org, json!({ "workload": "target", "names": [] })).text("id")
}

fn add(served: &Served, org: &str, email: &str, role: &str, names: Value) -> Caller {
    let body = json!({ "email": email, "role": role, "names": names });
    let path = format!("/api/v1/orgs/{org}/members");
    served.operator("POST", &path, &body).is(201).caller()
}

/// All whose credential is worth nothing, each for a reason of its own.
fn nobodies(served: &Served, alice: &Caller) -> Vec<(&'static str, Who, Caller)> {
    let key = &served.handle.shared.keys.ring.token;
    let unknown = token::make(Kind::Member, key).unwrap();
    let unknown = String::from_utf8(unknown.token.expose_secret().to_vec()).unwrap();
    let known = mint(served, "acme", json!({ "member": "alice@acme.com" })).text("token");
    let forged = token::forged(known.as_bytes());
    let revoke = |made: &crate::store::tests::Reply| {
        let path = format!("/api/v1/orgs/acme/tokens/{}", made.text("id"));
        served.operator("DELETE", &path, &Value::Null).is(204);
        made.caller()
    };
    let revoked = revoke(&mint(served, "acme", json!({ "member": "alice@acme.com" })));
    let revoked_workload = revoke(&mint(served, "acme", json!({ "workload": "billing" })));
    let spent = mint(served, "acme", json!({ "member": "alice@acme.com" }));
    let cookie = served.sign_in(&spent.text("token"));
    revoke(&spent);
    let removed = add(served, "acme", "removed@acme.com", "owner", json!(["*"]));
    let body = json!({ "workload": "billing" }).to_string();
    let minted = served.ask(&removed, "POST", "/api/v1/orgs/acme/tokens", &body).is(201).caller();
    served.ask(alice, "DELETE", "/api/v1/orgs/acme/members/removed@acme.com", "").is(204);
    vec![
        ("nobody", Who::Nobody, Caller::nobody()),
        ("no token", Who::Nobody, Caller::bearer("hunter2")),
        ("unknown token", Who::Nobody, Caller::bearer(&unknown)),
        ("known id, other token", Who::Nobody, Caller::bearer(&forged)),
        ("expired member", Who::Nobody, expired(served, json!({ "member": "alice@acme.com" }))),
        ("expired workload", Who::Nobody, expired(served, json!({ "workload": "billing" }))),
        ("revoked member", Who::Nobody, revoked),
        ("revoked workload", Who::Nobody, revoked_workload),
        ("removed member", Who::Nobody, removed),
        ("minted by the removed", Who::Nobody, minted),
        ("no session", Who::Spent, Caller::session("hunter2", true)),
        ("session of a revoked token", Who::Spent, Caller::session(&cookie, true)),
    ]
}

/// A token that was good until a moment ago.
fn expired(served: &Served, mut body: Value) -> Caller {
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(100);
    body["expires_at"] = json!(end.to_string());
    let caller = mint(served, "acme", body).caller();
    while served.resolve(&caller, "acme", &["DB_PASSWORD"]).status != StatusCode::UNAUTHORIZED {}
    // What is kept is exact to the millisecond.
    assert!(jiff::Timestamp::now().as_millisecond() >= end.as_millisecond());
    caller
}

fn members(served: &Served, alice: &Caller, owner_token: &str) -> Vec<(&'static str, Who, Caller)> {
    let reader = standing("acme", Some(Role::Reader));
    let editor = standing("acme", Some(Role::Editor));
    let owner = standing("acme", Some(Role::Owner));
    let network = json!({ "member": "alice@acme.com", "network": "10.0.0.0/8" });
    let astray = mint(served, "acme", network).caller();
    let cookie = served.sign_in(owner_token);
    let page = |session| Who::Of(Standing { session, ..owner });
    vec![
        ("reader", Who::Of(reader), add(served, "acme", "rita@acme.com", "reader", json!([]))),
        (
            "reader with names",
            Who::Of(Standing { covers: true, ..reader }),
            add(served, "acme", "rob@acme.com", "reader", json!(["DB_*"])),
        ),
        (
            "editor",
            Who::Of(editor),
            add(served, "acme", "erin@acme.com", "editor", json!(["OTHER"])),
        ),
        ("owner", Who::Of(owner), alice.clone()),
        ("owner at home", Who::Of(owner), astray.clone().from("10.1.2.3")),
        ("owner astray", Who::Of(Standing { astray: true, ..owner }), astray),
        ("owner's session", page(Session::OwnPage), Caller::session(&cookie, true)),
        ("owner's session elsewhere", page(Session::OtherPage), Caller::session(&cookie, false)),
    ]
}

fn workloads(served: &Served) -> Vec<(&'static str, Who, Caller)> {
    let none = standing("acme", None);
    let covers = Standing { covers: true, ..none };
    let network = json!({ "workload": "billing", "network": "10.0.0.0/8" });
    let with = mint(served, "acme", json!({ "workload": "billing", "names": ["DB_*"] }));
    let without = mint(served, "acme", json!({ "workload": "billing", "names": ["STRIPE_*"] }));
    let astray = mint(served, "acme", network).caller();
    vec![
        ("workload with the name", Who::Of(covers), with.caller()),
        ("workload without it", Who::Of(none), without.caller()),
        ("workload astray", Who::Of(Standing { astray: true, ..covers }), astray),
    ]
}
