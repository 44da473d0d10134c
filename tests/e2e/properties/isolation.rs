//! One tenant does not exist for another: whatever it sends, no byte of the other's users changes, and the other's ids
//! are answered as ids that nobody has.

use e2e::Tenant;
use e2e::fence_model::rng::Rng;
use e2e::replay::variables::percent;
use e2e::scim::{Answer, SCIM_JSON, Scim, send};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{generated, rng};
use crate::system;

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// All that SCIM shows of a tenant's users, byte by byte, and their ids.
async fn dump(scim: &Scim) -> (Vec<String>, Vec<String>) {
    let listed = scim.get("/Users?count=1000").await;
    let users = listed.json["Resources"].as_array().expect("a list of users");
    assert_eq!(listed.json["totalResults"], users.len(), "one page holds all");
    let mut ids: Vec<String> = users
        .iter()
        .filter_map(|user| user["id"].as_str().map(str::to_owned))
        .collect();
    ids.sort();
    let mut bytes: Vec<String> = users.iter().map(Value::to_string).collect();
    bytes.sort();
    for id in &ids {
        let user = scim.get(&format!("/Users/{id}")).await;
        assert_eq!(user.status, 200, "{user:?}");
        bytes.push(format!("{} {}", user.header("etag"), user.text));
    }
    (bytes, ids)
}

/// What a tenant knows of another by accident: ids, names, a version.
struct Known {
    ids: Vec<String>,
    names: Vec<String>,
    external_ids: Vec<String>,
}

/// One request: everything but the id in its path.
struct Request {
    method: Method,
    body: Option<Value>,
    if_match: Option<&'static str>,
}

impl Request {
    async fn send(&self, scim: &Scim, path: &str) -> Answer {
        let mut request = scim.request(self.method.clone(), path);
        if let Some(version) = self.if_match {
            request = request.header(IF_MATCH, version);
        }
        if let Some(body) = &self.body {
            request = request.header(CONTENT_TYPE, SCIM_JSON).body(body.to_string());
        }
        send(request).await
    }
}

/// A request on one user, with the other tenant's ids and names wherever ids and names can stand.
fn on_one_user(rng: &mut Rng, known: &Known, number: u32) -> Request {
    let theirs = rng.pick(&refs(&known.ids)).to_owned();
    let method = rng
        .pick(&[
            &Method::GET,
            &Method::PUT,
            &Method::PATCH,
            &Method::PATCH,
            &Method::DELETE,
        ])
        .clone();
    let body = match method {
        Method::PUT => {
            let mut body = any_user(rng, known, number);
            body["id"] = theirs.into();
            Some(body)
        }
        Method::PATCH => {
            let operation = match rng.below(5) {
                0 => json!({"op": "replace", "path": "active", "value": rng.chance(5_000)}),
                1 => json!({"op": "replace", "path": "userName", "value": rng.pick(&refs(&known.names))}),
                2 => json!({"op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
                            "value": {"value": theirs, "$ref": format!("../Users/{theirs}")}}),
                3 => json!({"op": "remove", "path": rng.pick(&["emails", "title", "name", "roles"])}),
                _ => json!({"op": rng.pick(&["add", "replace"]), "value": generated::changes(rng, 2_000)}),
            };
            Some(json!({"schemas": [PATCH_OP], "Operations": [operation]}))
        }
        _ => None,
    };
    let if_match = rng.chance(1_500).then(|| rng.pick(&["W/\"1\"", "*", "W/\"2\""]));
    Request { method, body, if_match }
}

fn any_user(rng: &mut Rng, known: &Known, number: u32) -> Value {
    let name = if rng.chance(4_000) {
        rng.pick(&refs(&known.names)).to_owned()
    } else {
        format!("a{number}")
    };
    let mut body = generated::user(rng, &name);
    if rng.chance(4_000) {
        body["externalId"] = rng.pick(&refs(&known.external_ids)).into();
    }
    body
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// A search that would find the other tenant's users if they were there.
async fn search(rng: &mut Rng, scim: &Scim, known: &Known) -> Answer {
    let filter = match rng.below(5) {
        0 => format!("id eq \"{}\"", rng.pick(&refs(&known.ids))),
        1 => format!("not (id ne \"{}\")", rng.pick(&refs(&known.ids))),
        2 => format!("userName sw {}", json!(rng.pick(&refs(&known.names)))),
        3 => "userName pr or not (userName pr)".to_owned(),
        _ => format!(
            "externalId eq {} or emails pr",
            json!(rng.pick(&refs(&known.external_ids)))
        ),
    };
    scim.get(&format!("/Users?count=1000&filter={}", percent(&filter)))
        .await
}

/// Nothing that is answered to a tenant is of another.
fn is_of_others(answer: &Answer, known: &Known) -> bool {
    let resources = answer.json["Resources"].as_array();
    let ids = resources.into_iter().flatten().chain([&answer.json]);
    ids.filter_map(|resource| resource["id"].as_str())
        .any(|id| known.ids.iter().any(|theirs| theirs == id))
}

/// The same request on another tenant's user and on nobody's must get the same answer.
async fn is_answered_as_unknown(scim: &Scim, theirs: &str, request: &Request) {
    let nobody = Uuid::now_v7().to_string();
    let [theirs, nobodys] = [theirs, nobody.as_str()].map(|id| async move {
        let answer = request.send(scim, &format!("/Users/{id}")).await;
        let headers = answer.headers.iter();
        let headers = headers.filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"));
        let mut headers: Vec<_> = headers.map(|header| format!("{header:?}")).collect();
        headers.sort();
        (answer.status, headers, answer.text.replace(id, "ID"))
    });
    let (theirs, nobodys) = (theirs.await, nobodys.await);
    assert_eq!(
        theirs, nobodys,
        "{} {:?} {:?}",
        request.method, request.body, request.if_match
    );
    assert_eq!(
        theirs.0, 404,
        "{} {:?} {:?}: {}",
        request.method, request.body, request.if_match, theirs.2
    );
}

#[tokio::test]
async fn nothing_that_one_tenant_sends_changes_a_byte_of_another() {
    let (ours, theirs, mut rng) = (Tenant::create(system()).await, Tenant::create(system()).await, rng());
    let mut known = Known {
        ids: vec![],
        names: vec![],
        external_ids: vec![],
    };
    for number in 0..12 {
        let (name, external_id) = (format!("b{number}@example.test"), format!("x{number}"));
        let mut body = generated::user(&mut rng, &name);
        body["externalId"] = external_id.as_str().into();
        known.ids.push(theirs.scim.post("/Users", &body).await.id());
        known.names.push(name);
        known.external_ids.push(external_id);
    }
    let (before, _) = dump(&theirs.scim).await;
    let (mut own, mut done, mut probes) = (Vec::new(), 0, 0);
    for number in 0..260 {
        let answer = match rng.below(10) {
            0..3 => {
                let created = ours.scim.post("/Users", &any_user(&mut rng, &known, number)).await;
                own.extend(created.json["id"].as_str().map(str::to_owned));
                created
            }
            3 => search(&mut rng, &ours.scim, &known).await,
            4..7 if !own.is_empty() => {
                let id = rng.pick(&refs(&own)).to_owned();
                let request = on_one_user(&mut rng, &known, number);
                request.send(&ours.scim, &format!("/Users/{id}")).await
            }
            _ => {
                let request = on_one_user(&mut rng, &known, number);
                let id = rng.pick(&refs(&known.ids)).to_owned();
                is_answered_as_unknown(&ours.scim, &id, &request).await;
                probes += 1;
                continue;
            }
        };
        assert!(answer.status < 500, "{answer:?}");
        assert!(!is_of_others(&answer, &known), "{answer:?}");
        done += u32::from(answer.status < 300);
    }
    assert!(
        done > 60 && probes > 40,
        "too little was tried: {done} requests done, {probes} probes"
    );
    assert_eq!(dump(&theirs.scim).await.0, before);
    let (_, ids) = dump(&ours.scim).await;
    assert!(
        ids.iter().all(|id| own.contains(id)),
        "a tenant has users that it did not create"
    );
}
