//! An identity provider at work, which repeats what was not answered.

use std::time::Duration;

use e2e::fence_model::rng::Rng;
use e2e::scim::{Answer, SCIM_JSON, Scim, try_send, user};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use uuid::Uuid;

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const AGAIN: Duration = Duration::from_millis(50);
const ATTEMPTS: usize = 400;

/// Sends until there is an answer that is one.
async fn insist(scim: &Scim, method: Method, path: &str, body: &Value) -> Answer {
    for _ in 0..ATTEMPTS {
        let request = scim.request(method.clone(), path).header(CONTENT_TYPE, SCIM_JSON);
        match try_send(request.body(body.to_string())).await {
            Ok(answer) if answer.status < 500 => return answer,
            _ => tokio::time::sleep(AGAIN).await,
        }
    }
    panic!("{method} {path} was never answered");
}

/// Changes users and groups of its own, and members among all that `shared` names.
pub struct Provider {
    scim: Scim,
    rng: Rng,
    shared: Vec<String>,
    users: Vec<String>,
    groups: Vec<String>,
    /// Requests that were answered with success.
    pub done: usize,
}

impl Provider {
    pub fn new(scim: &Scim, seed: u64, shared: Vec<String>) -> Self {
        Provider {
            scim: scim.clone(),
            rng: Rng::new(seed),
            shared,
            users: Vec::new(),
            groups: Vec::new(),
            done: 0,
        }
    }

    /// One request.
    pub async fn step(&mut self) {
        match self.rng.below(12) {
            0..2 => self.create_user().await,
            2 => self.create_group().await,
            3 if self.users.len() > 3 => {
                let user = self.users.swap_remove(0);
                self.send(Method::DELETE, &format!("/Users/{user}"), &Value::Null).await;
            }
            4 if self.groups.len() > 2 => {
                let group = self.groups.swap_remove(0);
                self.send(Method::DELETE, &format!("/Groups/{group}"), &Value::Null)
                    .await;
            }
            5..7 if !self.users.is_empty() => self.change_user().await,
            7 if !self.groups.is_empty() => self.replace_group().await,
            _ if !self.groups.is_empty() => self.change_group().await,
            _ => self.create_group().await,
        }
    }

    async fn send(&mut self, method: Method, path: &str, body: &Value) -> Answer {
        let answer = insist(&self.scim, method.clone(), path, body).await;
        // What was done without an answer is done again, and found done.
        let expected =
            [200, 201, 204].contains(&answer.status) || matches!((&method, answer.status), (&Method::DELETE, 404));
        assert!(expected || answer.status == 409, "{method} {path} {body}: {answer:?}");
        self.done += usize::from(answer.status < 300);
        answer
    }

    async fn create_user(&mut self) {
        let body = user(&format!("{}@x.test", Uuid::new_v4().simple()));
        let answer = self.send(Method::POST, "/Users", &body).await;
        self.users.extend(answer.json["id"].as_str().map(str::to_owned));
    }

    async fn create_group(&mut self) {
        let members = self.some_members();
        let body = json!({"schemas": [GROUP], "displayName": "Team", "members": members});
        let answer = self.send(Method::POST, "/Groups", &body).await;
        self.groups.extend(answer.json["id"].as_str().map(str::to_owned));
    }

    async fn change_user(&mut self) {
        let user = self.one_of(&self.users.clone());
        let operation = match self.rng.below(3) {
            0 => {
                json!({"op": "replace", "value": {"userName": format!("{}@x.test", Uuid::new_v4().simple()), "active": true}})
            }
            1 => json!({"op": "replace", "path": "displayName", "value": format!("Ann {}", self.rng.below(9))}),
            _ => json!({"op": "replace", "path": "active", "value": self.rng.chance(5_000)}),
        };
        self.patch(&format!("/Users/{user}"), &json!([operation])).await;
    }

    async fn change_group(&mut self) {
        let group = self.one_of(&self.groups.clone());
        let (come, go) = (self.some_members(), self.some_members());
        let operations = match self.rng.below(6) {
            0 => json!([{"op": "replace", "path": "displayName", "value": format!("Team {}", self.rng.below(9))}]),
            1 => json!([{"op": "remove", "path": "members", "value": go}]),
            2 => {
                json!([{"op": "remove", "path": "members", "value": go}, {"op": "add", "path": "members", "value": come}])
            }
            3 => json!([{"op": "replace", "path": "members", "value": come}]),
            _ => json!([{"op": "add", "path": "members", "value": come}]),
        };
        self.patch(&format!("/Groups/{group}"), &operations).await;
    }

    async fn replace_group(&mut self) {
        let (group, members) = (self.one_of(&self.groups.clone()), self.some_members());
        let body =
            json!({"schemas": [GROUP], "displayName": format!("Crew {}", self.rng.below(9)), "members": members});
        self.send(Method::PUT, &format!("/Groups/{group}"), &body).await;
    }

    async fn patch(&mut self, path: &str, operations: &Value) {
        let body = json!({"schemas": [PATCH_OP], "Operations": operations});
        self.send(Method::PATCH, path, &body).await;
    }

    fn some_members(&mut self) -> Value {
        let all: Vec<_> = self
            .shared
            .iter()
            .chain(&self.users)
            .chain(&self.groups)
            .cloned()
            .collect();
        let count = 1 + self.rng.below(4);
        let picked = (0..count).map(|_| json!({"value": self.one_of(&all)}));
        picked.collect()
    }

    fn one_of(&mut self, all: &[String]) -> String {
        all[usize::try_from(self.rng.below(all.len() as u64)).expect("an index")].clone()
    }
}
