//! RFC 7643 and RFC 7644 rule by rule: what the public suites leave out.
//! `docs/conformance.md` says which test stands for which rule, and why a rule has none.

mod attributes;
mod create;
mod delete;
mod deviations;
mod discovery;
mod document;
mod errors_and_auth;
mod etags;
mod filter_errors;
mod filters;
mod formats;
mod group_answers;
mod group_filters;
mod group_members;
mod group_patch;
mod group_refusals;
mod groups;
mod groups_of_users;
mod lists;
mod patch;
mod patch_add;
mod patch_remove;
mod patch_replace;
mod projection;
mod put;
mod resources;
mod unassigned;
mod users;

use e2e::Tenant;
use e2e::scim::{Answer, SCIM_JSON, Scim, send};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::bad_input::is_error;
use crate::system;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A client of a new tenant of the default profile.
async fn client() -> Scim {
    Tenant::create(system()).await.scim
}

/// A client of a new tenant that is read by the RFCs to the letter.
async fn strict() -> Scim {
    let tenant = Tenant::create(system()).await;
    system()
        .cli(&["tenant", "profile", &tenant.name, "--preset", "strict"])
        .await
        .done();
    tenant.scim
}

/// A userName that no other test has.
fn name() -> String {
    format!("{}@x.test", Uuid::new_v4().simple())
}

/// The body of a user with these attributes, and a name of its own unless they hold one.
fn user_with(attributes: &Value) -> Value {
    let mut body = json!({"schemas": [USER], "userName": name()});
    for (key, value) in attributes.as_object().expect("attributes") {
        body[key] = value.clone();
    }
    body
}

/// Creates a user with these attributes.
async fn create(scim: &Scim, attributes: &Value) -> Answer {
    let answer = scim.post("/Users", &user_with(attributes)).await;
    assert_eq!(answer.status, 201, "{attributes}: {answer:?}");
    answer
}

fn path(of: &Answer) -> String {
    format!("/Users/{}", of.id())
}

/// What a client gave a resource: all but what every resource has, and without `active: true`.
fn given(resource: &Value) -> Value {
    let all = resource.as_object().expect("a resource").clone();
    let own = |(key, value): &(String, Value)| match key.as_str() {
        "schemas" | "id" | "meta" | "userName" => false,
        "active" => value != true,
        _ => true,
    };
    Value::Object(all.into_iter().filter(own).collect::<Map<_, _>>())
}

/// What must come of a request.
enum Then {
    /// The user has these attributes.
    Is(Value),
    /// It succeeds, and nothing changed: not the version, not lastModified.
    Same,
    /// 400 with this scimType, and nothing changed.
    Refused(&'static str),
}

/// Checks the user of `before` after a change of it that was answered with `answer`.
async fn check(scim: &Scim, before: &Answer, answer: &Answer, then: &Then, what: &str) {
    let now = scim.get(&path(before)).await;
    match then {
        Then::Is(attributes) => {
            assert_eq!(answer.status, 200, "{what}: {answer:?}");
            assert_eq!(given(&answer.json), *attributes, "{what}");
            assert_eq!(answer.json, now.json, "{what}: the answer is the resource");
            assert_eq!(answer.header("etag"), now.header("etag"), "{what}");
        }
        Then::Same => {
            assert_eq!(answer.status, 200, "{what}: {answer:?}");
            assert_eq!((&answer.json, &now.json), (&before.json, &before.json), "{what}");
        }
        Then::Refused(scim_type) => {
            is_error(answer, &[400], scim_type, what);
            assert_eq!(now.json, before.json, "{what}");
        }
    }
}

/// Sends a body as it is.
async fn raw(scim: &Scim, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = scim.request(method, path).header(CONTENT_TYPE, SCIM_JSON);
    send(request.body(body)).await
}

/// The same request with one more header.
async fn with_header(scim: &Scim, method: Method, path: &str, header: (&str, &str), body: Option<&Value>) -> Answer {
    let request = scim.request(method, path).header(header.0, header.1);
    match body {
        Some(body) => send(request.header(CONTENT_TYPE, SCIM_JSON).body(body.to_string())).await,
        None => send(request).await,
    }
}

/// The body of a PATCH.
fn patch_body(operations: &Value) -> Value {
    json!({"schemas": [PATCH_OP], "Operations": operations})
}

/// The userNames of a list, sorted.
fn names(list: &Answer) -> Vec<String> {
    assert_eq!(list.status, 200, "{list:?}");
    let resources = list.json["Resources"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<_> = resources
        .iter()
        .map(|one| one["userName"].as_str().expect("a userName").to_owned())
        .collect();
    names.sort();
    names
}
