//! RFC 7643 section 4.2 and the requests of RFC 7644 section 3 on groups as resources. Who is in them has files of its own,
//! which share the helpers here.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

/// The body of a group with these members.
pub fn group_body(display_name: &str, members: &[String]) -> Value {
    json!({"schemas": [GROUP], "displayName": display_name, "members": values(members)})
}

/// Members as a client sends them.
pub fn values(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({"value": id})).collect()
}

/// Creates a group with these members.
pub async fn create_group(scim: &Scim, display_name: &str, members: &[String]) -> Answer {
    let answer = scim.post("/Groups", &group_body(display_name, members)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

/// Where a group is.
pub fn group_path(of: &Answer) -> String {
    format!("/Groups/{}", of.id())
}

/// Creates users; their ids.
pub async fn people<const N: usize>(scim: &Scim) -> [String; N] {
    let mut ids = [const { String::new() }; N];
    for id in &mut ids {
        *id = create(scim, &json!({})).await.id();
    }
    ids
}

/// The ids of the members that a resource shows, each once.
pub fn members_in(resource: &Value) -> BTreeSet<String> {
    let list = resource["members"].as_array().cloned().unwrap_or_default();
    let ids: Vec<_> = list
        .iter()
        .map(|one| one["value"].as_str().expect("a value").to_owned())
        .collect();
    let set: BTreeSet<_> = ids.iter().cloned().collect();
    assert_eq!(set.len(), ids.len(), "somebody is a member twice: {resource}");
    set
}

/// Who is in the group now.
pub async fn members_of(scim: &Scim, path: &str) -> BTreeSet<String> {
    let answer = scim.get(path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    members_in(&answer.json)
}

/// As a set, to be compared.
pub fn set<'a>(ids: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    ids.into_iter().cloned().collect()
}

/// RFC 7644 sections 3.3 to 3.6.
#[tokio::test]
async fn a_group_is_created_read_replaced_and_deleted() {
    for scim in [client().await, strict().await] {
        let [ann, bob] = people(&scim).await;
        let mut body = group_body("Team", std::slice::from_ref(&ann));
        body["externalId"] = json!("Ext 1");
        let created = scim.post("/Groups", &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        let path = group_path(&created);
        assert_eq!(created.header("location"), format!("{}{path}", scim.base()));
        assert_eq!(created.json["meta"]["location"], created.header("location"));
        assert_eq!(created.json["meta"]["resourceType"], "Group");
        assert_eq!(created.json["schemas"], json!([GROUP]));
        assert_eq!(
            (&created.json["displayName"], &created.json["externalId"]),
            (&json!("Team"), &json!("Ext 1"))
        );
        assert_eq!(members_in(&created.json), set([&ann]));
        let read = scim.get(&path).await;
        assert_eq!((read.status, &read.json), (200, &created.json));

        let replaced = scim.put(&path, &group_body("Crew", std::slice::from_ref(&bob))).await;
        assert_eq!(replaced.status, 200, "{replaced:?}");
        let read = scim.get(&path).await;
        assert_eq!(
            (&read.json["displayName"], &read.json["externalId"]),
            (&json!("Crew"), &Value::Null)
        );
        assert_eq!(members_in(&read.json), set([&bob]));
        let silent = scim
            .put(&path, &json!({"schemas": [GROUP], "displayName": "Crew"}))
            .await;
        assert_eq!(silent.status, 200);
        assert!(
            members_of(&scim, &path).await.is_empty(),
            "a PUT without members takes all out"
        );

        let deleted = scim.delete(&path).await;
        assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            let body = match method {
                Method::PATCH => Some(patch_body(
                    &json!([{"op": "replace", "path": "displayName", "value": "x"}]),
                )),
                Method::PUT => Some(group_body("x", &[])),
                _ => None,
            };
            let answer = with_header(&scim, method.clone(), &path, ("x-nothing", ""), body.as_ref()).await;
            is_error(&answer, &[404], "", &format!("{method} of a deleted group"));
        }
        assert_eq!(scim.get("/Groups").await.json["totalResults"], 0);
        assert_eq!(scim.get(&format!("/Users/{bob}")).await.status, 200, "members live on");
    }
}

/// RFC 7643 section 4.2 does not make names unique, and identity providers push equal ones.
#[tokio::test]
async fn two_groups_may_have_one_name() {
    for scim in [client().await, strict().await] {
        let (first, second) = (
            create_group(&scim, "Same", &[]).await,
            create_group(&scim, "Same", &[]).await,
        );
        assert_ne!(first.id(), second.id());
        let found = scim.get("/Groups?filter=displayName+eq+%22same%22").await;
        assert_eq!(found.json["totalResults"], 2, "{found:?}");
    }
}

/// RFC 7643 sections 3 and 7: what a client sends of read-only attributes is not taken, and a path to them is refused.
#[tokio::test]
async fn what_the_server_owns_of_a_group_cannot_be_written() {
    for scim in [client().await, strict().await] {
        let [ann] = people(&scim).await;
        let mut body = group_body("Team", &[]);
        body["id"] = json!("mine");
        body["meta"] = json!({"created": "2001-01-01T00:00:00Z", "version": "W/\"77\"", "location": "http://x.test/"});
        body["members"] =
            json!([{"value": ann, "display": "Ann of the team", "type": "Group", "$ref": "http://x.test/forged"}]);
        let created = scim.post("/Groups", &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_eq!(created.json["members"][0]["display"], "Ann of the team");
        for forged in ["forged", "2001-01-01", "W/\\\"77\\\"", "x.test/forged", "\"mine\""] {
            assert!(!created.text.contains(forged), "{forged}: {created:?}");
        }
        let path = group_path(&created);
        let replaced = scim.put(&path, &body).await;
        assert_eq!(
            (replaced.status, replaced.header("etag")),
            (200, created.header("etag")),
            "nothing differs"
        );
        for attribute in ["id", "meta", "meta.created", "meta.version"] {
            let operations = json!([{"op": "replace", "path": attribute, "value": "x"}]);
            is_error(&scim.patch(&path, &operations).await, &[400], "mutability", attribute);
        }
        is_error(
            &scim
                .patch(&path, &json!([{"op": "remove", "path": "displayName"}]))
                .await,
            &[400],
            "mutability",
            "a group has a name",
        );
        assert_eq!(scim.get(&path).await.json, created.json);
    }
}

/// RFC 7643 section 3.
#[tokio::test]
async fn a_group_names_its_schema() {
    for scim in [client().await, strict().await] {
        let before = create_group(&scim, "Team", &[]).await;
        for (schemas, scim_type) in [
            (Value::Null, "invalidSyntax"),
            (json!(GROUP), "invalidSyntax"),
            (json!([]), "invalidValue"),
            (json!([5]), "invalidValue"),
            (json!([USER]), "invalidValue"),
            (json!(["urn:x"]), "invalidValue"),
        ] {
            let body = json!({"schemas": schemas, "displayName": "x"});
            let what = schemas.to_string();
            is_error(&scim.post("/Groups", &body).await, &[400], scim_type, &what);
            is_error(&scim.put(&group_path(&before), &body).await, &[400], scim_type, &what);
        }
        assert_eq!(scim.get(&group_path(&before)).await.json, before.json);
    }
    // Entra ID sends one of its own.
    let entra = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
    let body = json!({"schemas": [GROUP, entra], "displayName": "Team"});
    let created = client().await.post("/Groups", &body).await;
    assert_eq!((created.status, &created.json["schemas"]), (201, &json!([GROUP])));
    is_error(
        &strict().await.post("/Groups", &body).await,
        &[400],
        "invalidValue",
        "a foreign schema",
    );
}

/// RFC 7644 section 3.14.
#[tokio::test]
async fn a_group_has_versions_that_its_members_move() {
    let scim = client().await;
    let [ann] = people(&scim).await;
    let created = create_group(&scim, "Team", &[]).await;
    let (path, first) = (group_path(&created), created.header("etag").to_owned());
    let add = json!([{"op": "add", "path": "members", "value": [{"value": ann}]}]);
    let added = scim.patch(&path, &add).await;
    let second = added.header("etag").to_owned();
    assert_ne!(first, second, "a new member is a new version");
    let read = scim.get(&path).await;
    assert_eq!(read.json["meta"]["version"], second.as_str());
    assert_ne!(read.json["meta"]["lastModified"], created.json["meta"]["lastModified"]);
    assert_eq!(read.json["meta"]["created"], created.json["meta"]["created"]);
    let again = scim.patch(&path, &add).await;
    assert_eq!(
        (again.status, again.header("etag")),
        (200, second.as_str()),
        "no news, no version"
    );
    assert_eq!(scim.get(&path).await.json["meta"], read.json["meta"]);

    let known = with_header(&scim, Method::GET, &path, ("if-none-match", &second), None).await;
    assert_eq!(
        (known.status, known.text.as_str(), known.header("etag")),
        (304, "", second.as_str())
    );
    let stale = with_header(&scim, Method::GET, &path, ("if-none-match", &first), None).await;
    assert_eq!((stale.status, members_in(&stale.json)), (200, set([&ann])));
    let remove = patch_body(&json!([{"op": "remove", "path": "members"}]));
    let put = group_body("Crew", &[]);
    for (method, body) in [
        (Method::PUT, Some(&put)),
        (Method::PATCH, Some(&remove)),
        (Method::DELETE, None),
    ] {
        for header in [
            ("if-match", first.as_str()),
            ("if-match", "W/\"99\""),
            ("if-none-match", "*"),
        ] {
            let answer = with_header(&scim, method.clone(), &path, header, body).await;
            is_error(&answer, &[412], "", &format!("{method} {header:?}"));
        }
        assert_eq!(members_of(&scim, &path).await, set([&ann]), "{method}");
    }
    let removed = with_header(&scim, Method::PATCH, &path, ("if-match", &second), Some(&remove)).await;
    assert_eq!(removed.status, 200, "{removed:?}");
    let gone = with_header(&scim, Method::DELETE, &path, ("if-match", "*"), None).await;
    assert_eq!(gone.status, 204);
}

/// RFC 7644 sections 3.4.1 and 3.8; section 3.3 of RFC 9110.
#[tokio::test]
async fn groups_answer_to_what_is_served_and_to_nothing_else() {
    let scim = client().await;
    let [ann] = people(&scim).await;
    let created = create_group(&scim, "Team", std::slice::from_ref(&ann)).await;
    let path = group_path(&created);
    for path in [path.clone(), "/Groups".to_owned()] {
        let (slashed, plain) = (scim.get(&format!("{path}/")).await, scim.get(&path).await);
        assert_eq!((slashed.status, slashed.text), (200, plain.text.clone()), "{path}/");
        let head = send(scim.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""), "HEAD {path}");
        assert_eq!(head.header("etag"), plain.header("etag"));
        assert_eq!(head.header("content-type"), SCIM_JSON);
    }
    for (method, path, allowed) in [
        (Method::PUT, "/Groups", "POST"),
        (Method::PATCH, "/Groups", "POST"),
        (Method::DELETE, "/Groups", "POST"),
        (Method::POST, path.as_str(), "PATCH"),
        (Method::DELETE, "/Groups/.search", "POST"),
    ] {
        let answer = raw(&scim, method.clone(), path, "{}").await;
        is_error(&answer, &[405], "", &format!("{method} {path}"));
        assert!(answer.header("allow").contains(allowed), "{method} {path}: {answer:?}");
    }
    let nobody = Uuid::now_v7();
    for path in [
        format!("/Groups/{nobody}"),
        "/Groups/x".to_owned(),
        format!("/Groups/{ann}"),
        format!("/Users/{}", created.id()),
        format!("{path}/members"),
        format!("/Groups/{}", created.id().to_uppercase()),
        "/groups".to_owned(),
    ] {
        is_error(&scim.get(&path).await, &[404], "", &path);
    }
}
