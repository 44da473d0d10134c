//! RFC 7643 section 4: the User and its enterprise extension.

use serde_json::{Value, json};

use super::*;

/// RFC 7643 section 4.1.1 and RFC 7644 section 5 (the userName is compared as PRECIS' UsernameCaseMapped does).
#[tokio::test]
async fn a_user_name_is_unique_without_regard_to_case_width_or_composition() {
    let scim = client().await;
    let taken = create(&scim, &json!({"userName": "Ann.É"})).await;
    let other = create(&scim, &json!({"userName": "bob"})).await;
    for name in ["Ann.É", "ann.é", "ANN.É", "ann.e\u{301}", "\u{ff21}nn.é"] {
        let body = json!({"schemas": [USER], "userName": name});
        is_error(&scim.post("/Users", &body).await, &[409], "uniqueness", name);
        is_error(&scim.put(&path(&other), &body).await, &[409], "uniqueness", name);
        let operations = json!([{"op": "replace", "path": "userName", "value": name}]);
        is_error(
            &scim.patch(&path(&other), &operations).await,
            &[409],
            "uniqueness",
            name,
        );
        let found = scim.find(&format!("userName eq \"{name}\"")).await;
        assert_eq!(names(&found), ["Ann.É"], "equal names are found: {name}");
    }
    assert_eq!(scim.get(&path(&other)).await.json, other.json);
    let own = scim
        .put(&path(&taken), &json!({"schemas": [USER], "userName": "ANN.é"}))
        .await;
    assert_eq!(
        (own.status, &own.json["userName"]),
        (200, &json!("ANN.é")),
        "its own name in another case"
    );
}

/// RFC 7643 sections 4.1.1 and 7: `returned: never`, `mutability: writeOnly`.
#[tokio::test]
async fn a_password_is_taken_by_every_way_and_shown_by_none() {
    let scim = client().await;
    let secret = |number: u8| format!("correct-horse-{number}");
    let body = user_with(&json!({"password": secret(1)}));
    let created = scim.post("/Users", &body).await;
    let path = path(&created);
    let search = json!({"schemas": [SEARCH], "attributes": ["password", "userName"]});
    let with_path = json!([{"op": "add", "path": "password", "value": secret(2)}]);
    let without_path = json!([{"op": "replace", "value": {"password": secret(3)}}]);
    let wrong = json!([{"op": "replace", "path": "password", "value": [secret(4)]}]);
    let answers = [
        scim.patch(&path, &with_path).await,
        scim.patch(&format!("{path}?attributes=password"), &without_path).await,
        scim.patch(&path, &wrong).await,
        scim.put(&path, &body).await,
        scim.get(&format!("{path}?attributes=password")).await,
        scim.get("/Users?attributes=password").await,
        scim.post("/Users/.search", &search).await,
        scim.post("/Users", &body).await,
    ];
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 400, 200, 200, 200, 200, 409]);
    for answer in answers.iter().chain([&created]) {
        assert!(
            !answer.text.contains("correct-horse") && !answer.text.contains("\"password\""),
            "{answer:?}"
        );
    }
    for filter in [
        "password eq \"correct-horse-3\"",
        "password pr",
        "password ne null",
        "not (password pr)",
        "password sw \"c\"",
    ] {
        is_error(&scim.find(filter).await, &[400], "invalidFilter", filter);
    }
    let sorted = scim.get("/Users?sortBy=password").await;
    assert_eq!(
        sorted.json,
        scim.get("/Users").await.json,
        "sorting by it tells nothing"
    );
}

/// RFC 7643 section 4.1.2: groups is readOnly.
#[tokio::test]
async fn groups_are_not_the_clients_to_write() {
    let groups = json!([{"value": "admins"}]);
    for scim in [client().await, strict().await] {
        let body = user_with(&json!({"groups": groups}));
        let created = scim.post("/Users", &body).await;
        assert_eq!((created.status, given(&created.json)), (201, json!({})));
        check(
            &scim,
            &created,
            &scim.put(&path(&created), &body).await,
            &Then::Same,
            "PUT",
        )
        .await;
        for operations in [
            json!([{"op": "add", "path": "groups", "value": groups}]),
            json!([{"op": "replace", "path": "groups", "value": groups}]),
            json!([{"op": "replace", "path": "groups[value eq \"a\"].display", "value": "x"}]),
            json!([{"op": "remove", "path": "groups"}]),
        ] {
            let patched = scim.patch(&path(&created), &operations).await;
            check(
                &scim,
                &created,
                &patched,
                &Then::Refused("mutability"),
                &operations.to_string(),
            )
            .await;
        }
    }
}

/// RFC 7643 section 4.1.2: values are kept as they came, compared without regard to case, and types are open.
#[tokio::test]
async fn values_are_not_rewritten_and_types_are_not_a_closed_list() {
    let scim = client().await;
    let attributes = json!({
        "emails": [{"value": "Ann@EXAMPLE.test", "type": "custom"}],
        "phoneNumbers": [{"value": "+1 (555) 010", "type": "satellite"}],
        "ims": [{"value": " ann ", "type": "matrix"}],
        "addresses": [{"country": "Norway", "type": "cabin"}],
    });
    let created = create(&scim, &attributes).await;
    assert_eq!(given(&created.json), attributes);
    for filter in [
        "emails eq \"ann@example.test\"",
        "emails[type eq \"CUSTOM\"]",
        "phoneNumbers eq \"+1 (555) 010\"",
        "ims eq \" ANN \"",
        "addresses.country eq \"norway\"",
    ] {
        assert_eq!(scim.find(filter).await.json["totalResults"], 1, "{filter}");
    }
}

/// RFC 7643 section 4.3: manager.displayName is readOnly.
#[tokio::test]
async fn a_managers_name_is_not_the_clients_to_write() {
    for scim in [client().await, strict().await] {
        let boss = create(&scim, &json!({"displayName": "Boss"})).await;
        let manager = json!({"value": boss.id(), "displayName": "forged"});
        let body = user_with(&json!({ENTERPRISE: {"manager": manager}}));
        let created = scim.post("/Users", &body).await;
        assert_eq!(created.json[ENTERPRISE]["manager"]["value"], boss.id(), "{created:?}");
        assert!(!created.text.contains("forged"), "{created:?}");
        check(
            &scim,
            &created,
            &scim.put(&path(&created), &body).await,
            &Then::Same,
            "PUT",
        )
        .await;
        let operations = json!([{"op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": manager}]);
        check(
            &scim,
            &created,
            &scim.patch(&path(&created), &operations).await,
            &Then::Same,
            "PATCH",
        )
        .await;
        let operations = json!([{"op": "add", "path": format!("{ENTERPRISE}:manager.displayName"), "value": "forged"}]);
        let patched = scim.patch(&path(&created), &operations).await;
        check(&scim, &created, &patched, &Then::Refused("mutability"), "a path to it").await;
    }
}

/// RFC 7643 section 4.1.1: a user without `active` is answered with what holds.
#[tokio::test]
async fn a_defaulted_attribute_is_found_by_the_value_that_is_returned() {
    let scim = client().await;
    let created = create(&scim, &json!({"userName": "ann"})).await;
    assert_eq!(created.json["active"], Value::Bool(true));
    assert_eq!(names(&scim.find("active eq true").await), ["ann"]);
    assert_eq!(names(&scim.find("active pr and not (active eq false)").await), ["ann"]);
}

/// RFC 7644 section 3.5.2.2 lets a client remove `active`; nobody is active whose `active` is not there.
#[tokio::test]
async fn a_user_whose_active_is_taken_away_is_not_active() {
    for scim in [client().await, strict().await] {
        let created = create(&scim, &json!({"userName": "ann"})).await;
        let removed = scim
            .patch(&path(&created), &json!([{"op": "remove", "path": "active"}]))
            .await;
        assert_eq!(
            (removed.status, &removed.json["active"]),
            (200, &Value::Null),
            "{removed:?}"
        );
        for (filter, expect) in [
            ("active eq true", &[][..]),
            ("active pr", &[]),
            ("not (active pr)", &["ann"]),
            ("active ne true", &["ann"]),
        ] {
            assert_eq!(names(&scim.find(filter).await), expect, "{filter}");
        }
        let silent = scim
            .put(&path(&created), &json!({"schemas": [USER], "userName": "ann"}))
            .await;
        check(&scim, &removed, &silent, &Then::Same, "PUT without active").await;
        let set = scim
            .patch(
                &path(&created),
                &json!([{"op": "add", "path": "active", "value": true}]),
            )
            .await;
        assert_eq!(set.json["active"], true);
    }
}
