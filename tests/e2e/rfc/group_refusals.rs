//! What must be refused of requests on groups: bodies that are none, callers who may not, and groups of others.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::groups::{create_group, group_body, group_path, people, values};
use super::patch::op;
use super::*;

/// RFC 7644 section 3.12.
#[tokio::test]
async fn a_body_that_is_no_group_is_refused_and_changes_nothing() {
    for scim in [client().await, strict().await] {
        let [ann] = people(&scim).await;
        let before = create_group(&scim, "Team", std::slice::from_ref(&ann)).await;
        let with = |rest: &str| format!("{{\"schemas\":[\"{GROUP}\"],{rest}}}");
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        for (body, scim_type) in [
            ("{".to_owned(), "invalidSyntax"),
            (String::new(), "invalidSyntax"),
            ("[]".to_owned(), "invalidSyntax"),
            (with("\"displayName\":\"x\",\"displayName\":\"y\""), "invalidSyntax"),
            (
                with("\"displayName\":\"x\",\"members\":[],\"Members\":[]"),
                "invalidSyntax",
            ),
            (
                with(&format!("\"displayName\":\"x\",\"members\":{deep}")),
                "invalidSyntax",
            ),
            (with("\"externalId\":\"x\""), "invalidValue"),
            (with("\"displayName\":null"), "invalidValue"),
            (with("\"displayName\":7"), "invalidValue"),
            (with("\"displayName\":[\"x\"]"), "invalidValue"),
            (with("\"displayName\":\"nul\\u0000\""), "invalidValue"),
            (
                with(&format!("\"displayName\":\"{}\"", "x".repeat(1_001))),
                "invalidValue",
            ),
            (with("\"displayName\":\"x\",\"externalId\":1"), "invalidValue"),
            (with("\"displayName\":\"x\",\"members\":\"x\""), "invalidValue"),
            (with("\"displayName\":\"x\",\"members\":5"), "invalidValue"),
            (with("\"displayName\":\"x\",\"members\":[5]"), "invalidValue"),
            (with("\"displayName\":\"x\",\"members\":[null]"), "invalidValue"),
            (with("\"displayName\":\"x\",\"members\":[[]]"), "invalidValue"),
            (with("\"displayName\":\"x\",\"members\":[{}]"), "invalidValue"),
            (
                with("\"displayName\":\"x\",\"members\":[{\"display\":\"Ann\"}]"),
                "invalidValue",
            ),
            (
                with("\"displayName\":\"x\",\"members\":[{\"value\":null}]"),
                "invalidValue",
            ),
            (
                with("\"displayName\":\"x\",\"members\":[{\"value\":7}]"),
                "invalidValue",
            ),
            (
                with("\"displayName\":\"x\",\"members\":[{\"value\":\"a\",\"value\":\"b\"}]"),
                "invalidSyntax",
            ),
        ] {
            let shown: String = body.chars().take(160).collect();
            for (method, path) in [(Method::POST, "/Groups"), (Method::PUT, &group_path(&before))] {
                is_error(&raw(&scim, method, path, body.clone()).await, &[400], scim_type, &shown);
            }
            assert_eq!(scim.get(&group_path(&before)).await.json, before.json, "{shown}");
        }
        assert_eq!(scim.get("/Groups").await.json["totalResults"], 1);
    }
    let one = json!({"schemas": [GROUP], "displayName": "x", "members": {"value": "x"}});
    is_error(
        &strict().await.post("/Groups", &one).await,
        &[400],
        "invalidValue",
        "one object",
    );
    assert_eq!(
        client().await.post("/Groups", &one).await.status,
        201,
        "see single-value"
    );
}

/// What one request may name is bounded; the detail says how much.
#[tokio::test]
async fn more_than_a_hundred_thousand_members_at_once_are_refused() {
    let scim = client().await;
    let [ann] = people(&scim).await;
    let before = create_group(&scim, "Team", std::slice::from_ref(&ann)).await;
    let path = group_path(&before);
    let numbers = |count: usize| (0..count).map(|number| format!("{number:x}")).collect::<Vec<_>>();
    let too_many = numbers(100_001);
    for answer in [
        scim.patch(&path, &json!([op("add", "members", &values(&too_many))]))
            .await,
        scim.patch(&path, &json!([op("replace", "members", &values(&too_many))]))
            .await,
        scim.put(&path, &group_body("Team", &too_many)).await,
        scim.post("/Groups", &group_body("Team", &too_many)).await,
    ] {
        is_error(&answer, &[400], "tooMany", "100,001 members");
        assert!(answer.text.contains("100000"), "{answer:?}");
    }
    let ids: Vec<_> = (0..100_001).map(|_| Uuid::now_v7().to_string()).collect();
    let by_text = patch_body(&json!([op("remove", "members", &json!(ids))]));
    let removed = raw(&scim, Method::PATCH, &path, by_text.to_string()).await;
    is_error(&removed, &[400], "tooMany", "100,001 who leave");
    let large = raw(&scim, Method::PUT, &path, group_body("Team", &ids).to_string()).await;
    is_error(&large, &[413], "", "a body of more than 4 MiB");
    assert_eq!(scim.get(&path).await.json, before.json);
    assert_eq!(scim.get("/Groups").await.json["totalResults"], 1);
    let most = scim
        .patch(&path, &json!([op("add", "members", &values(&numbers(100_000)))]))
        .await;
    assert_eq!(most.status, 200, "100,000 that are nobody: {most:?}");
}

/// A token of the scope scim.read.
#[tokio::test]
async fn who_may_only_read_changes_no_group() {
    let tenant = Tenant::create(system()).await;
    let scim = &tenant.scim;
    let [ann] = people(scim).await;
    let before = create_group(scim, "Team", std::slice::from_ref(&ann)).await;
    let arguments = ["token", "create", "--tenant", &tenant.name, "--scope", "scim.read"];
    let token = system().cli(&arguments).await.done();
    let reader = scim.as_bearer(token["token"].as_str());
    let path = group_path(&before);
    assert_eq!(reader.get(&path).await.json, before.json);
    for (at, search) in [("/Groups/.search", GROUP), ("/.search", USER)] {
        let body = json!({"schemas": [SEARCH], "filter": format!("schemas eq \"{search}\"")});
        assert_eq!(reader.post(at, &body).await.json["totalResults"], 1, "{at}");
    }
    let patch = patch_body(&json!([{"op": "remove", "path": "members"}]));
    for (method, path, body) in [
        (Method::POST, "/Groups", group_body("x", &[])),
        (Method::PUT, path.as_str(), group_body("x", &[])),
        (Method::PATCH, path.as_str(), patch),
        (Method::DELETE, path.as_str(), json!({})),
    ] {
        let answer = raw(&reader, method.clone(), path, body.to_string()).await;
        is_error(&answer, &[403], "", &format!("{method} {path}"));
    }
    assert_eq!(scim.get(&path).await.json, before.json);
    assert_eq!(scim.get("/Groups").await.json["totalResults"], 1);
}

/// RFC 7644 section 6: another tenant's group is a group that never was.
#[tokio::test]
async fn another_tenants_group_is_not_there_for_any_method() {
    let (ours, theirs) = (client().await, client().await);
    let [ann] = people(&ours).await;
    let [bob] = people(&theirs).await;
    let group = create_group(&theirs, "Theirs", std::slice::from_ref(&bob)).await;
    let before = theirs.get(&group_path(&group)).await;
    let ask = async |id: &str| {
        let path = format!("/Groups/{id}");
        let patch = patch_body(&json!([op("add", "members", &values(std::slice::from_ref(&ann)))]));
        let mut answers = Vec::new();
        for (method, query, body) in [
            (Method::GET, "", None),
            (Method::GET, "?excludedAttributes=members", None),
            (Method::PUT, "", Some(group_body("Ours", &[]))),
            (Method::PATCH, "", Some(patch.clone())),
            (Method::PATCH, "?attributes=members", Some(patch)),
            (Method::DELETE, "", None),
        ] {
            for header in [
                ("if-match", "W/\"1\""),
                ("if-match", "W/\"99\""),
                ("if-none-match", "*"),
                ("x-nothing", ""),
            ] {
                let answer = with_header(&ours, method.clone(), &format!("{path}{query}"), header, body.as_ref()).await;
                is_error(&answer, &[404], "", &format!("{method} {header:?}"));
                answers.push(answer.text.replace(id, "ID"));
            }
        }
        answers
    };
    assert_eq!(ask(&group.id()).await, ask(&Uuid::now_v7().to_string()).await);
    for filter in [
        format!("id eq \"{}\"", group.id()),
        format!("members eq \"{bob}\""),
        format!("not (members eq \"{bob}\")"),
        "displayName pr or not (displayName pr)".to_owned(),
    ] {
        let body = json!({"schemas": [SEARCH], "filter": filter});
        let list = ours.post("/Groups/.search", &body).await;
        assert_eq!(
            (list.status, &list.json["totalResults"]),
            (200, &json!(0)),
            "{filter}: {list:?}"
        );
    }
    let now = theirs.get(&group_path(&group)).await;
    assert_eq!((&now.json, now.header("etag")), (&before.json, before.header("etag")));
}
