//! One tenant does not exist for another: whatever it sends, no byte of the other's users and groups changes, and the other's ids
//! are answered as ids that nobody has.

use e2e::Tenant;
use e2e::fence_model::rng::Rng;
use e2e::replay::variables::percent;
use e2e::scim::{Answer, SCIM_JSON, Scim, send};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{generated, rng};
use crate::system;

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// All that SCIM shows of a tenant's users and groups, byte by byte, and their ids.
async fn dump(scim: &Scim) -> (Vec<String>, Vec<String>) {
    let (mut bytes, mut all) = (Vec::new(), Vec::new());
    for endpoint in ["/Users", "/Groups"] {
        let listed = scim.get(&format!("{endpoint}?count=1000")).await;
        let none = Vec::new();
        let resources = listed.json["Resources"].as_array().unwrap_or(&none);
        assert_eq!(listed.json["totalResults"], resources.len(), "one page holds all");
        let ids = resources.iter().filter_map(|one| one["id"].as_str().map(str::to_owned));
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        bytes.extend(resources.iter().map(Value::to_string));
        for id in &ids {
            let one = scim.get(&format!("{endpoint}/{id}")).await;
            assert_eq!(one.status, 200, "{one:?}");
            bytes.push(format!("{} {}", one.header("etag"), one.text));
        }
        all.extend(ids);
    }
    bytes.sort();
    (bytes, all)
}

/// What a tenant knows of another by accident: ids, names, a version.
struct Known {
    ids: Vec<String>,
    groups: Vec<String>,
    names: Vec<String>,
    external_ids: Vec<String>,
}

impl Known {
    /// The id of a user or a group.
    fn any(&self, rng: &mut Rng) -> String {
        let of = if rng.chance(3_000) { &self.groups } else { &self.ids };
        rng.pick(&refs(of)).to_owned()
    }
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

/// A request on one group, with the other tenant's ids among the members.
fn on_one_group(rng: &mut Rng, known: &Known) -> Request {
    let methods = [
        &Method::GET,
        &Method::PUT,
        &Method::PATCH,
        &Method::PATCH,
        &Method::DELETE,
    ];
    let method = rng.pick(&methods).clone();
    let members = json!([{"value": known.any(rng)}, {"value": known.any(rng)}]);
    let body = match method {
        Method::PUT => Some(group_of(rng, &members)),
        Method::PATCH => {
            let operation = match rng.below(3) {
                0 => json!({"op": "remove", "path": format!("members[value eq \"{}\"]", known.any(rng))}),
                1 => json!({"op": "replace", "value": {"displayName": "x", "members": members}}),
                _ => json!({"op": rng.pick(&["add", "replace", "remove"]), "path": "members", "value": members}),
            };
            Some(json!({"schemas": [PATCH_OP], "Operations": [operation]}))
        }
        _ => None,
    };
    let if_match = rng.chance(1_500).then(|| rng.pick(&["W/\"1\"", "*", "W/\"2\""]));
    Request { method, body, if_match }
}

fn group_of(rng: &mut Rng, members: &Value) -> Value {
    let name = format!("g{}", rng.below(5));
    json!({"schemas": [GROUP], "displayName": name, "members": members})
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
    if rng.chance(4_000) {
        let theirs = known.any(rng);
        let negated = rng.pick(&["", "not "]);
        let filter = format!("{negated}(members eq \"{theirs}\" or id eq \"{theirs}\")");
        return scim
            .get(&format!("/Groups?count=1000&filter={}", percent(&filter)))
            .await;
    }
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
    let is_theirs = |id: &str| known.ids.iter().chain(&known.groups).any(|theirs| theirs == id);
    let list = |of: &Value, name: &str| of[name].as_array().cloned().unwrap_or_default();
    let mut resources = list(&answer.json, "Resources");
    resources.push(answer.json.clone());
    resources.iter().any(|one| {
        let linked = [list(one, "members"), list(one, "groups")].concat();
        let linked = linked.iter().filter_map(|one| one["value"].as_str());
        linked.chain(one["id"].as_str()).any(is_theirs)
    })
}

/// The same request on another tenant's resource and on nobody's must get the same answer.
async fn is_answered_as_unknown(scim: &Scim, endpoint: &str, theirs: &str, request: &Request) {
    let nobody = Uuid::now_v7().to_string();
    let [theirs, nobodys] = [theirs, nobody.as_str()].map(|id| async move {
        let answer = request.send(scim, &format!("{endpoint}/{id}")).await;
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
        groups: vec![],
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
    for number in 0..4 {
        let members = known.ids[number..].iter().map(|id| json!({"value": id})).collect();
        let body = group_of(&mut rng, &members);
        known.groups.push(theirs.scim.post("/Groups", &body).await.id());
    }
    let (before, _) = dump(&theirs.scim).await;
    let (mut own, mut own_groups, mut done, mut probes) = (Vec::new(), Vec::new(), 0, 0);
    for number in 0..400 {
        let answer = match rng.below(14) {
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
            10 => {
                let members = json!([{"value": known.any(&mut rng)}, {"value": known.any(&mut rng)}]);
                let created = ours.scim.post("/Groups", &group_of(&mut rng, &members)).await;
                assert_eq!(
                    (created.status, created.json.get("members")),
                    (201, None),
                    "{created:?}"
                );
                own_groups.push(created.id());
                created
            }
            11 if !own_groups.is_empty() => {
                let id = rng.pick(&refs(&own_groups)).to_owned();
                let request = on_one_group(&mut rng, &known);
                request.send(&ours.scim, &format!("/Groups/{id}")).await
            }
            12.. => {
                let request = on_one_group(&mut rng, &known);
                let id = rng.pick(&refs(&known.groups)).to_owned();
                is_answered_as_unknown(&ours.scim, "/Groups", &id, &request).await;
                probes += 1;
                continue;
            }
            _ => {
                let request = on_one_user(&mut rng, &known, number);
                let id = rng.pick(&refs(&known.ids)).to_owned();
                is_answered_as_unknown(&ours.scim, "/Users", &id, &request).await;
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
        ids.iter().all(|id| own.contains(id) || own_groups.contains(id)),
        "a tenant has users or groups that it did not create"
    );
}

/// The second fence: what a statement of another tenant would see of groups and members, and what it could write.
#[tokio::test]
async fn row_level_security_hides_groups_and_members_of_others() {
    let (ours, theirs) = (Tenant::create(system()).await, Tenant::create(system()).await);
    let mut groups = Vec::new();
    for tenant in [&ours, &theirs] {
        let members = json!([{"value": tenant.user().await}]);
        let body = json!({"schemas": [GROUP], "displayName": "Team", "members": members});
        groups.push(tenant.scim.post("/Groups", &body).await.id());
    }
    let mut database = PgConnection::connect(&system().description().postgres_url)
        .await
        .expect("PostgreSQL");
    let become_ours = format!(
        "SET ROLE portcullis_tenant; SELECT set_config('portcullis.tenant_id', '{}', false)",
        ours.id
    );
    let mut run = async |statement: String| {
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut database)
            .await;
        done.map(|done| done.rows_affected())
    };
    run(become_ours).await.expect("the role");
    for table in ["groups", "member"] {
        for (tenant, rows) in [(&ours, 1), (&theirs, 0)] {
            let of = format!("FROM {table} WHERE tenant_id = '{}'", tenant.id);
            assert_eq!(
                run(format!("SELECT tenant_id {of}")).await.expect("an answer"),
                rows,
                "{table}"
            );
        }
        let of_theirs = format!("DELETE FROM {table} WHERE tenant_id = '{}'", theirs.id);
        assert_eq!(run(of_theirs).await.expect("an answer"), 0, "{table}");
    }
    let intrusion = format!(
        "INSERT INTO member (tenant_id, group_id, member_id, is_group) VALUES ('{}', '{}', '{}', true)",
        theirs.id, groups[1], groups[1]
    );
    let refused = run(intrusion).await.expect_err("a row of another tenant").to_string();
    assert!(refused.contains("row-level security"), "{refused}");
}
