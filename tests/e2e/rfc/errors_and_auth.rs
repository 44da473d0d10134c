//! RFC 7644 sections 2, 3.12, 3.13 and 7: who may ask, what a refusal looks like, versions, tenants.

use e2e::replay::variables::percent;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::*;

/// RFC 7644 section 2 and RFC 6750 section 3.
#[tokio::test]
async fn nothing_is_answered_without_a_valid_token() {
    let scim = client().await;
    let user = path(&create(&scim, &json!({})).await);
    let token = scim.token().expect("a token").to_owned();
    let nobody = scim.as_bearer(None);
    let paths = [
        "/Users",
        &user,
        "/Users/.search",
        "/.search",
        "/ServiceProviderConfig",
        "/Schemas",
        "/ResourceTypes",
        "/Bulk",
        "/Me",
        "/Groups",
        "/nothing",
        "",
    ];
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = raw(&nobody, method.clone(), path, "{}").await;
            is_error(&answer, &[401], "", &format!("{method} {path}"));
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
        }
    }
    let wrong = format!("pcs_{}", "A".repeat(token.len() - 4));
    for header in [
        "Bearer",
        "Bearer ",
        "Bearer x",
        &format!("Bearer {wrong}"),
        &format!("Basic {token}"),
        &token,
    ] {
        let answer = with_header(&nobody, Method::GET, "/Users", ("authorization", header), None).await;
        is_error(&answer, &[401], "", header);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
    }
    let in_query = nobody.get(&format!("/Users?access_token={token}")).await;
    is_error(&in_query, &[401], "", "a token in the query");
}

/// RFC 7644 section 7.
#[tokio::test]
async fn a_stranger_cannot_tell_what_exists() {
    let scim = client().await;
    let user = path(&create(&scim, &json!({})).await);
    let nobody = scim.as_bearer(Some("x"));
    let texts: Vec<_> = [
        nobody.get(&user).await,
        nobody.get(&format!("/Users/{}", Uuid::new_v4())).await,
        nobody.get("/x").await,
    ]
    .map(|answer| (answer.status, answer.text))
    .into();
    assert_eq!((&texts[0], &texts[0]), (&texts[1], &texts[2]));
}

/// RFC 7644 section 1.3 and RFC 3986.
#[tokio::test]
async fn paths_are_read_with_a_slash_at_the_end_and_percent_encoded() {
    let scim = client().await;
    let created = create(&scim, &json!({})).await;
    let digits: Vec<_> = created.id().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let encoded = digits.concat();
    for path in [format!("{}/", path(&created)), format!("/Users/{encoded}")] {
        assert_eq!(scim.get(&path).await.json, created.json, "{path}");
    }
    let schema = scim.get(&format!("/Schemas/{}", percent(USER))).await;
    assert_eq!(schema.json["id"], USER);
    for path in ["/Users/", "/Schemas/", "/ResourceTypes/", "/ServiceProviderConfig/"] {
        assert_eq!(scim.get(path).await.status, 200, "{path}");
    }
}

/// RFC 7644 section 3.12: each scimType of table 9 that has a cause here, and its status.
#[tokio::test]
async fn each_scim_type_has_its_cause() {
    let scim = client().await;
    let user = create(&scim, &json!({"userName": "ann"})).await;
    let path = path(&user);
    let again = scim
        .post("/Users", &json!({"schemas": [USER], "userName": "ANN"}))
        .await;
    is_error(&again, &[409], "uniqueness", "uniqueness");
    is_error(&scim.find("nothing eq").await, &[400], "invalidFilter", "invalidFilter");
    let strict = strict().await;
    let strict_path = super::path(&create(&strict, &json!({})).await);
    let many = vec![json!({"op": "add", "path": "title", "value": "t"}); 1_001];
    for (scim, path, operations, scim_type) in [
        (
            &scim,
            &path,
            json!([{"op": "replace", "path": "id", "value": "x"}]),
            "mutability",
        ),
        (&scim, &path, json!([{"op": "move", "path": "title"}]), "invalidSyntax"),
        (
            &scim,
            &path,
            json!([{"op": "add", "path": "nothing", "value": "x"}]),
            "invalidPath",
        ),
        (&scim, &path, json!([{"op": "remove"}]), "noTarget"),
        (
            &strict,
            &strict_path,
            json!([{"op": "remove", "path": "emails[type eq \"x\"]"}]),
            "noTarget",
        ),
        (
            &scim,
            &path,
            json!([{"op": "add", "path": "title", "value": 5}]),
            "invalidValue",
        ),
        (&scim, &path, json!(many), "tooMany"),
    ] {
        is_error(&scim.patch(path, &operations).await, &[400], scim_type, scim_type);
    }
}

/// RFC 7644 section 3.12: every refusal is an Error, whatever its status.
#[tokio::test]
async fn every_refusal_is_an_error_message() {
    let scim = client().await;
    let user = create(&scim, &json!({})).await;
    let long = format!("\"{}\"", "x".repeat(5 * 1024 * 1024));
    let html = reqwest::Client::new().get(format!("{}/Users", scim.base()));
    let html = html
        .bearer_auth(scim.token().expect("a token"))
        .header("accept", "text/html");
    for (status, answer) in [
        (400, raw(&scim, Method::POST, "/Users", "{").await),
        (401, scim.as_bearer(None).get("/Users").await),
        (403, scim.get("/Schemas?filter=id%20pr").await),
        (404, scim.get("/nothing").await),
        (405, scim.delete("/Users").await),
        (406, send(html).await),
        (
            409,
            scim.post("/Users", &user_with(&json!({"userName": user.json["userName"]})))
                .await,
        ),
        (
            412,
            with_header(&scim, Method::DELETE, &path(&user), ("if-match", "W/\"9\""), None).await,
        ),
        (413, raw(&scim, Method::POST, "/Users", long).await),
        (
            415,
            with_header(
                &scim,
                Method::POST,
                "/Users",
                ("content-encoding", "gzip"),
                Some(&json!({})),
            )
            .await,
        ),
    ] {
        let scim_type = answer.json["scimType"].as_str().unwrap_or_default().to_owned();
        is_error(&answer, &[status], &scim_type, &status.to_string());
        assert!(scim_type.is_empty() || [400, 409].contains(&status), "{answer:?}");
    }
    for answer in [
        send(scim.request(Method::HEAD, "/Users/x")).await,
        with_header(
            &scim,
            Method::GET,
            &path(&user),
            ("if-none-match", user.header("etag")),
            None,
        )
        .await,
    ] {
        assert!(
            [404, 304].contains(&answer.status) && answer.text.is_empty(),
            "{answer:?}"
        );
    }
}

/// RFC 7644 section 3.13.
#[tokio::test]
async fn another_version_of_the_protocol_is_not_served() {
    let scim = client().await;
    assert!(scim.base().ends_with("/v2"));
    let root = scim.base().trim_end_matches("/v2");
    for version in ["v1", "v1.1", "v3", "v99", "v2.0", "V2"] {
        let other = Scim::new(&format!("{root}/{version}"), scim.token());
        is_error(&other.get("/Users").await, &[404], "", version);
    }
}

/// RFC 7644 section 6.
#[tokio::test]
async fn tenants_know_nothing_of_each_other() {
    let (ours, theirs) = (client().await, client().await);
    let body = json!({"schemas": [USER], "userName": "ann", "externalId": "1"});
    let (mine, foreign) = (ours.post("/Users", &body).await, theirs.post("/Users", &body).await);
    assert_eq!(
        (mine.status, foreign.status),
        (201, 201),
        "names and ids of clients are per tenant"
    );
    for filter in [
        "userName eq \"ann\"",
        "externalId eq \"1\"",
        &format!("id eq \"{}\" or userName pr", foreign.id()),
    ] {
        let found = ours.find(filter).await;
        assert_eq!(found.json["Resources"], json!([mine.json]), "{filter}");
    }
    for answer in [
        ours.get(&path(&foreign)).await,
        ours.put(&path(&foreign), &body).await,
        ours.patch(&path(&foreign), &json!([{"op": "remove", "path": "externalId"}]))
            .await,
        ours.delete(&path(&foreign)).await,
    ] {
        is_error(&answer, &[404], "", "another tenant's user");
    }
    assert_eq!(theirs.get(&path(&foreign)).await.json, foreign.json);
}

/// RFC 7644 section 3.3: of clients that create one user at once, one does.
#[tokio::test]
async fn one_of_many_creations_at_once_succeeds() {
    let scim = client().await;
    let creations = ["ann", "Ann", "ANN", "aNN", "anN", "AnN"].map(|name| {
        let (scim, body) = (scim.clone(), json!({"schemas": [USER], "userName": name}));
        tokio::spawn(async move { scim.post("/Users", &body).await.status })
    });
    let mut statuses = Vec::new();
    for creation in creations {
        statuses.push(creation.await.expect("a status"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
}

/// RFC 7644 section 7.5.2: what a query asks for is personal data.
#[tokio::test]
async fn no_log_shows_what_a_query_asked_for() {
    let (scim, name) = (client().await, name());
    create(&scim, &json!({"userName": name})).await;
    assert_eq!(
        names(&scim.find(&format!("userName eq \"{name}\"")).await),
        [name.as_str()]
    );
    is_error(
        &scim.find(&format!("nothing eq \"{name}\"")).await,
        &[400],
        "invalidFilter",
        "a refused query",
    );
    assert!(!system().log().contains(&name));
}

/// RFC 7644 sections 3.7 and 3.11.
#[tokio::test]
async fn what_is_not_offered_says_so() {
    let scim = client().await;
    let config = scim.get("/ServiceProviderConfig").await.json;
    assert_eq!(config["bulk"]["supported"], false);
    for path in ["/Bulk", "/Me"] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = raw(&scim, method.clone(), path, "{}").await;
            is_error(&answer, &[501], "", &format!("{method} {path}"));
        }
    }
}
