//! RFC 7643 section 3: schemas, ids, and the attributes that every resource has.

use reqwest::Method;
use serde_json::{Value, json};

use super::*;

/// RFC 7643 section 3.
#[tokio::test]
async fn schemas_must_name_the_user_schema_and_no_other_resources() {
    for scim in [client().await, strict().await] {
        let before = create(&scim, &json!({})).await;
        for (schemas, scim_type) in [
            (Value::Null, "invalidSyntax"),
            (json!(USER), "invalidSyntax"),
            (json!(5), "invalidSyntax"),
            (json!([]), "invalidValue"),
            (json!([5]), "invalidValue"),
            (json!([5, USER]), "invalidValue"),
            (json!(["urn:x"]), "invalidValue"),
            (json!([GROUP]), "invalidValue"),
            (json!([ENTERPRISE]), "invalidValue"),
            (json!([LIST]), "invalidValue"),
        ] {
            let body = json!({"schemas": schemas, "userName": name()});
            let what = schemas.to_string();
            is_error(&scim.post("/Users", &body).await, &[400], scim_type, &what);
            let replaced = scim.put(&path(&before), &body).await;
            check(&scim, &before, &replaced, &Then::Refused(scim_type), &what).await;
        }
        let body = json!({"userName": name()});
        is_error(&scim.post("/Users", &body).await, &[400], "invalidSyntax", "no schemas");
    }
    let unknown = json!({"schemas": [USER, "urn:x"], "userName": name()});
    is_error(
        &strict().await.post("/Users", &unknown).await,
        &[400],
        "invalidValue",
        "an unknown schema",
    );
}

/// RFC 7643 section 3: each value once, the order means nothing, and every extension that has data is listed.
#[tokio::test]
async fn schemas_list_what_the_resource_has() {
    for scim in [client().await, strict().await] {
        let department = json!({"department": "d"});
        for (schemas, extension, expect) in [
            (json!([USER, USER]), Value::Null, json!([USER])),
            (json!([ENTERPRISE, USER]), department.clone(), json!([USER, ENTERPRISE])),
            (json!([USER]), department.clone(), json!([USER, ENTERPRISE])),
            (json!([USER, ENTERPRISE]), Value::Null, json!([USER])),
            (json!([USER, ENTERPRISE]), json!({}), json!([USER])),
        ] {
            let body = json!({"schemas": schemas, "userName": name(), ENTERPRISE: extension});
            let created = scim.post("/Users", &body).await;
            assert_eq!(
                (created.status, &created.json["schemas"]),
                (201, &expect),
                "{body}: {created:?}"
            );
        }
        let before = create(&scim, &json!({ENTERPRISE: department})).await;
        let removed = scim
            .patch(
                &path(&before),
                &json!([{"op": "remove", "path": format!("{ENTERPRISE}:department")}]),
            )
            .await;
        assert_eq!(removed.json["schemas"], json!([USER]));
        let added = scim
            .patch(
                &path(&before),
                &json!([{"op": "add", "path": format!("{ENTERPRISE}:division"), "value": "v"}]),
            )
            .await;
        assert_eq!(added.json["schemas"], json!([USER, ENTERPRISE]));
        let replaced = scim.put(&path(&before), &user_with(&json!({}))).await;
        assert_eq!(replaced.json["schemas"], json!([USER]));
    }
}

/// RFC 7643 section 3.3.
#[tokio::test]
async fn extension_attributes_stand_under_the_extensions_urn() {
    let scim = client().await;
    let created = create(
        &scim,
        &json!({"department": "d", "employeeNumber": "1", "enterprise": {"division": "v"}}),
    )
    .await;
    assert_eq!(
        (given(&created.json), &created.json["schemas"]),
        (json!({}), &json!([USER]))
    );
}

/// RFC 7643 section 3.1: ids.
#[tokio::test]
async fn an_id_is_the_servers_stable_exact_and_never_used_again() {
    let scim = client().await;
    let body = user_with(&json!({"id": "bulkId:1", "externalId": "bulkId:2"}));
    let created = scim.post("/Users", &body).await;
    let id = created.id();
    assert!(!id.contains("bulkId"), "{id}");
    assert_eq!(scim.put(&path(&created), &body).await.id(), id);
    let renamed = scim
        .patch(
            &path(&created),
            &json!([{"op": "replace", "path": "userName", "value": name()}]),
        )
        .await;
    assert_eq!(renamed.id(), id);
    is_error(
        &scim.get(&format!("/Users/{}", id.to_uppercase())).await,
        &[404],
        "",
        "an id in capitals",
    );
    is_error(
        &scim.get(&format!("/Users/{}", id.replace('-', ""))).await,
        &[404],
        "",
        "an id without hyphens",
    );
    assert_eq!(scim.delete(&path(&created)).await.status, 204);
    let again = scim.post("/Users", &body).await;
    assert_eq!(again.status, 201, "{again:?}");
    assert_ne!(again.id(), id);
    is_error(&scim.get(&path(&created)).await, &[404], "", "the deleted id");
}

/// RFC 7643 section 3.1: externalId.
#[tokio::test]
async fn an_external_id_is_the_clients_exact_and_not_unique() {
    let scim = client().await;
    assert!(create(&scim, &json!({})).await.json["externalId"].is_null());
    let (first, second) = (
        json!({"externalId": "Ab", "userName": "1"}),
        json!({"externalId": "Ab", "userName": "2"}),
    );
    create(&scim, &first).await;
    create(&scim, &second).await;
    assert_eq!(create(&client().await, &first).await.status, 201, "another tenant's");
    for (filter, expect) in [
        ("externalId eq \"Ab\"", vec!["1", "2"]),
        ("externalId eq \"ab\"", vec![]),
        ("externalId sw \"a\"", vec![]),
        ("externalId pr", vec!["1", "2"]),
    ] {
        assert_eq!(names(&scim.find(filter).await), expect, "{filter}");
    }
}

/// RFC 7643 section 3.1: meta is the service provider's.
#[tokio::test]
async fn meta_from_the_client_is_ignored_in_a_resource_and_refused_in_a_path() {
    let forged = json!({"created": "1999-01-01T00:00:00Z", "lastModified": "1999-01-01T00:00:00Z", "resourceType": "Group",
        "location": "https://forged.test", "version": "W/\"99\""});
    for scim in [client().await, strict().await] {
        let body = user_with(&json!({"meta": forged}));
        let created = scim.post("/Users", &body).await;
        assert_eq!(
            (created.status, &created.json["meta"]["resourceType"]),
            (201, &json!("User"))
        );
        assert!(
            !created.text.contains("1999") && !created.text.contains("forged"),
            "{created:?}"
        );
        let replaced = scim.put(&path(&created), &body).await;
        check(&scim, &created, &replaced, &Then::Same, "PUT").await;
        for sub in [
            "",
            ".created",
            ".lastModified",
            ".resourceType",
            ".location",
            ".version",
        ] {
            for op in ["add", "replace"] {
                let value = if sub.is_empty() {
                    forged.clone()
                } else {
                    forged[&sub[1..]].clone()
                };
                let operations = json!([{"op": op, "path": format!("meta{sub}"), "value": value}]);
                let patched = scim.patch(&path(&created), &operations).await;
                check(&scim, &created, &patched, &Then::Refused("mutability"), sub).await;
            }
            let patched = scim
                .patch(
                    &path(&created),
                    &json!([{"op": "remove", "path": format!("meta{sub}")}]),
                )
                .await;
            check(&scim, &created, &patched, &Then::Refused("mutability"), sub).await;
        }
    }
    // RFC 7644 section 3.5.2.1 refuses read-only attributes in values too; Okta sends them, see read-only-in-value.
    for (scim, then) in [
        (client().await, Then::Same),
        (strict().await, Then::Refused("mutability")),
    ] {
        let created = create(&scim, &json!({})).await;
        let patched = scim
            .patch(&path(&created), &json!([{"op": "replace", "value": {"meta": forged}}]))
            .await;
        check(&scim, &created, &patched, &then, "meta in a value").await;
    }
}

/// RFC 7643 section 3.1.
#[tokio::test]
async fn last_modified_moves_with_every_change_and_created_never() {
    let scim = client().await;
    let created = create(&scim, &json!({"title": "a"})).await;
    let meta = |answer: &Answer, name: &str| answer.json["meta"][name].as_str().expect("a time").to_owned();
    assert_eq!(meta(&created, "created"), meta(&created, "lastModified"));
    let same = scim
        .patch(&path(&created), &json!([{"op": "add", "path": "title", "value": "a"}]))
        .await;
    check(&scim, &created, &same, &Then::Same, "the same title").await;
    let mut last = meta(&created, "lastModified");
    let mut body = user_with(&json!({"title": "b"}));
    body["userName"] = created.json["userName"].clone();
    for answer in [
        scim.put(&path(&created), &body).await,
        scim.patch(&path(&created), &json!([{"op": "remove", "path": "title"}]))
            .await,
        scim.patch(
            &path(&created),
            &json!([{"op": "replace", "path": "active", "value": false}]),
        )
        .await,
    ] {
        assert_eq!(meta(&answer, "created"), meta(&created, "created"));
        assert!(meta(&answer, "lastModified") > last, "{answer:?}");
        last = meta(&answer, "lastModified");
    }
    for (filter, total) in [
        ("meta.resourceType eq \"User\"", 1),
        ("meta.resourceType eq \"user\"", 0),
    ] {
        assert_eq!(scim.find(filter).await.json["totalResults"], total, "{filter}");
    }
}

/// RFC 7643 section 3.1 and RFC 7644 section 3.3.
#[tokio::test]
async fn the_location_is_the_same_absolute_uri_everywhere() {
    let scim = client().await;
    let body = user_with(&json!({}));
    let created = scim.post("/Users", &body).await;
    let location = format!("{}{}", scim.base(), path(&created));
    assert_eq!(created.header("location"), location);
    let search = json!({"schemas": [SEARCH]});
    let lists = [
        scim.get("/Users").await,
        scim.post("/Users/.search", &search).await,
        scim.post("/.search", &search).await,
    ];
    for list in &lists {
        assert_eq!(list.json["Resources"][0]["meta"]["location"], location, "{list:?}");
    }
    for answer in [
        created.clone(),
        scim.get(&path(&created)).await,
        scim.put(&path(&created), &body).await,
        scim.patch(&path(&created), &json!([{"op": "add", "path": "title", "value": "t"}]))
            .await,
    ] {
        assert_eq!(answer.json["meta"]["location"], location);
        assert!(
            ["", &location].contains(&answer.header("content-location")),
            "{answer:?}"
        );
    }
}

/// RFC 7643 section 7: what is read-only is never asked of the client.
#[tokio::test]
async fn the_smallest_user_is_a_schema_and_a_name() {
    for scim in [client().await, strict().await] {
        let created = raw(
            &scim,
            Method::POST,
            "/Users",
            json!({"schemas": [USER], "userName": "a"}).to_string(),
        )
        .await;
        assert_eq!((created.status, given(&created.json)), (201, json!({})), "{created:?}");
    }
}
