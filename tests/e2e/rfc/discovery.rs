//! RFC 7643 sections 5 to 7 and RFC 7644 section 4: what the server says of itself.

use reqwest::Method;
use serde_json::{Value, json};

use super::*;

/// RFC 7643 section 5.
#[tokio::test]
async fn the_service_provider_config_is_complete_and_true() {
    let scim = client().await;
    let config = scim.get("/ServiceProviderConfig").await.json;
    for feature in ["patch", "bulk", "filter", "changePassword", "sort", "etag"] {
        assert!(config[feature]["supported"].is_boolean(), "{feature}: {config}");
    }
    assert!(config["bulk"]["maxOperations"].is_u64() && config["bulk"]["maxPayloadSize"].is_u64());
    for scheme in config["authenticationSchemes"].as_array().expect("schemes") {
        for member in ["type", "name", "description"] {
            assert!(scheme[member].is_string(), "{member}: {scheme}");
        }
    }
    assert!(config["id"].is_null());
    assert_eq!(
        config["meta"]["location"],
        format!("{}/ServiceProviderConfig", scim.base())
    );

    let created = create(&scim, &json!({"userName": "a"})).await;
    create(&scim, &json!({"userName": "b"})).await;
    let patched = scim
        .patch(&path(&created), &json!([{"op": "add", "path": "title", "value": "t"}]))
        .await;
    assert_eq!((&config["patch"]["supported"], patched.status), (&json!(true), 200));
    assert_eq!(
        (
            &config["filter"]["supported"],
            names(&scim.find("title eq \"t\"").await)
        ),
        (&json!(true), vec!["a".to_owned()])
    );
    assert_eq!(
        (&config["etag"]["supported"], patched.header("etag")),
        (&json!(true), "W/\"2\"")
    );
    let password = scim
        .patch(
            &path(&created),
            &json!([{"op": "replace", "path": "password", "value": "correct-horse-9"}]),
        )
        .await;
    assert_eq!(
        (&config["changePassword"]["supported"], password.status),
        (&json!(true), 200)
    );
    let bulk = scim.post("/Bulk", &json!({})).await.status;
    assert_eq!(
        config["bulk"]["supported"] == true,
        ![404, 501].contains(&bulk),
        "bulk: {bulk}"
    );
    let sorted = scim.get("/Users?sortBy=userName&sortOrder=descending").await.json;
    let is_sorted = sorted["Resources"][0]["userName"] == "b";
    assert!(config["sort"]["supported"] == false || is_sorted, "{sorted}");
    let page = scim.get("/Users?count=999999").await;
    assert!(page.json["itemsPerPage"].as_u64() <= config["filter"]["maxResults"].as_u64());
}

/// RFC 7643 section 6.
#[tokio::test]
async fn what_a_resource_type_names_answers() {
    let scim = client().await;
    let types = scim.get("/ResourceTypes").await;
    let user = types.json["Resources"]
        .as_array()
        .expect("types")
        .iter()
        .find(|one| one["name"] == "User");
    let user = user.expect("User");
    assert_eq!(
        (&user["id"], &user["endpoint"], &user["schema"]),
        (&json!("User"), &json!("/Users"), &json!(USER))
    );
    assert_eq!(
        user["schemaExtensions"],
        json!([{"schema": ENTERPRISE, "required": false}])
    );
    for one in types.json["Resources"].as_array().expect("types") {
        let by_name = scim
            .get(&format!("/ResourceTypes/{}", one["name"].as_str().expect("a name")))
            .await;
        assert_eq!(by_name.json, *one);
        let endpoint = one["endpoint"].as_str().expect("an endpoint");
        assert_eq!(scim.get(endpoint).await.status, 200, "{endpoint}");
        let extensions = one["schemaExtensions"].as_array().into_iter().flatten();
        for schema in extensions.map(|one| &one["schema"]).chain([&one["schema"]]) {
            let urn = schema.as_str().expect("a URN");
            assert_eq!(scim.get(&format!("/Schemas/{urn}")).await.json["id"], urn);
        }
    }
}

/// RFC 7643 section 7.
#[tokio::test]
async fn schemas_define_every_attribute_by_allowed_values() {
    let scim = client().await;
    let schemas = scim.get("/Schemas").await;
    for schema in schemas.json["Resources"].as_array().expect("schemas") {
        let attributes = schema["attributes"].as_array().expect("attributes");
        let subs = attributes
            .iter()
            .filter_map(|one| one["subAttributes"].as_array())
            .flatten();
        for attribute in attributes.iter().chain(subs) {
            is_defined(attribute);
        }
    }
    let user = scim.get(&format!("/Schemas/{USER}")).await.json;
    let names: Vec<_> = user["attributes"]
        .as_array()
        .expect("attributes")
        .iter()
        .map(|one| &one["name"])
        .collect();
    let rfc = [
        "userName",
        "name",
        "displayName",
        "nickName",
        "profileUrl",
        "title",
        "userType",
        "preferredLanguage",
        "locale",
        "timezone",
        "active",
        "password",
        "emails",
        "phoneNumbers",
        "ims",
        "photos",
        "addresses",
        "groups",
        "entitlements",
        "roles",
        "x509Certificates",
    ];
    assert_eq!(names, rfc);
    let find = |name: &str| {
        user["attributes"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["name"] == name)
            .cloned()
    };
    for (name, member, value) in [
        ("userName", "required", json!(true)),
        ("userName", "uniqueness", json!("server")),
        ("userName", "caseExact", json!(false)),
        ("password", "mutability", json!("writeOnly")),
        ("password", "returned", json!("never")),
        ("groups", "mutability", json!("readOnly")),
        ("active", "type", json!("boolean")),
        ("profileUrl", "referenceTypes", json!(["external"])),
        ("emails", "multiValued", json!(true)),
    ] {
        assert_eq!(find(name).expect(name)[member], value, "{name}.{member}");
    }
}

fn is_defined(attribute: &Value) {
    let one_of = |member: &str, allowed: &[&str]| {
        let value = attribute[member].as_str().unwrap_or_default();
        assert!(allowed.contains(&value), "{member} of {attribute}");
    };
    assert!(
        attribute["name"].is_string() && attribute["description"].is_string(),
        "{attribute}"
    );
    assert!(
        attribute["multiValued"].is_boolean() && attribute["required"].is_boolean(),
        "{attribute}"
    );
    one_of(
        "type",
        &[
            "string",
            "boolean",
            "decimal",
            "integer",
            "dateTime",
            "reference",
            "binary",
            "complex",
        ],
    );
    one_of("mutability", &["readOnly", "readWrite", "immutable", "writeOnly"]);
    one_of("returned", &["always", "never", "default", "request"]);
    one_of("uniqueness", &["none", "server", "global"]);
    let kind = attribute["type"].as_str().unwrap_or_default();
    assert_eq!(attribute["subAttributes"].is_array(), kind == "complex", "{attribute}");
    assert_eq!(
        attribute["referenceTypes"].is_array(),
        kind == "reference",
        "{attribute}"
    );
    assert!(
        attribute["caseExact"].is_boolean() || !["string", "reference", "binary"].contains(&kind),
        "{attribute}"
    );
    assert!(
        !["reference", "binary"].contains(&kind) || attribute["caseExact"] == true,
        "{attribute}"
    );
}

/// RFC 7643 section 3.1: they need not be listed to work.
#[tokio::test]
async fn common_attributes_work_without_being_listed() {
    let scim = client().await;
    let created = create(&scim, &json!({"externalId": "e"})).await;
    for filter in [
        format!("id eq \"{}\"", created.id()),
        "externalId eq \"e\"".into(),
        "meta.created pr".into(),
        format!("schemas eq \"{USER}\""),
    ] {
        assert_eq!(scim.find(&filter).await.json["totalResults"], 1, "{filter}");
    }
    let shown = scim
        .get(&format!("{}?attributes=externalId,meta.created", path(&created)))
        .await
        .json;
    assert_eq!(
        (&shown["externalId"], &shown["meta"]),
        (&json!("e"), &json!({"created": created.json["meta"]["created"]}))
    );
}

/// RFC 7643 section 7 and RFC 7644 section 4.
#[tokio::test]
async fn unknown_schemas_and_types_are_not_found() {
    let scim = client().await;
    for path in [
        format!("/Schemas/{SEARCH}"),
        "/Schemas/urn:ietf:params:scim:api:messages:2.0:Error".into(),
        "/Schemas/User".into(),
        "/Schemas/urn:x".into(),
        "/ResourceTypes/user".into(),
        "/ResourceTypes/Schema".into(),
        "/ServiceProviderConfig/x".into(),
        "/ServiceProviderConfigs".into(),
    ] {
        is_error(&scim.get(&path).await, &[404], "", &path);
    }
    let any_case = scim.get(&format!("/Schemas/{}", USER.to_uppercase())).await;
    assert_eq!(any_case.json["id"], USER);
}

/// RFC 7644 section 4.
#[tokio::test]
async fn discovery_takes_no_filter_and_ignores_other_parameters() {
    let scim = client().await;
    for path in [
        "/ServiceProviderConfig",
        "/Schemas",
        "/ResourceTypes",
        &format!("/Schemas/{USER}"),
        "/ResourceTypes/User",
    ] {
        is_error(&scim.get(&format!("{path}?filter=id%20pr")).await, &[403], "", path);
        let plain = scim.get(path).await;
        let query = "count=1&startIndex=2&sortBy=id&sortOrder=descending&attributes=id&x=y";
        assert_eq!(scim.get(&format!("{path}?{query}")).await.json, plain.json, "{path}");
    }
    for path in ["/Schemas", "/ResourceTypes"] {
        let list = scim.get(path).await.json;
        let number = list["Resources"].as_array().map(Vec::len);
        assert_eq!(
            (list["totalResults"].as_u64(), &list["schemas"]),
            (number.map(|one| one as u64), &json!([LIST]))
        );
    }
}

/// RFC 7644 section 4.
#[tokio::test]
async fn discovery_is_only_read() {
    let scim = client().await;
    for path in [
        "/ServiceProviderConfig",
        "/Schemas",
        "/ResourceTypes",
        &format!("/Schemas/{USER}"),
        "/ResourceTypes/User",
    ] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = raw(&scim, method.clone(), path, "{}").await;
            is_error(&answer, &[405], "", &format!("{method} {path}"));
            assert!(answer.header("allow").contains("GET"), "{answer:?}");
        }
    }
}

/// RFC 7643 sections 6 and 8.7.1: groups are announced as they are served.
#[tokio::test]
async fn groups_are_announced() {
    for scim in [client().await, strict().await] {
        let types = scim.get("/ResourceTypes").await.json;
        let names: Vec<_> = types["Resources"]
            .as_array()
            .expect("types")
            .iter()
            .map(|one| &one["name"])
            .collect();
        assert_eq!(names, [&json!("User"), &json!("Group")]);
        let one = scim.get("/ResourceTypes/Group").await;
        assert_eq!(one.json, types["Resources"][1]);
        assert_eq!(
            (&one.json["endpoint"], &one.json["schema"]),
            (&json!("/Groups"), &json!(GROUP))
        );
        let schema = scim.get(&format!("/Schemas/{GROUP}")).await;
        assert_eq!((schema.status, &schema.json["id"]), (200, &json!(GROUP)));
        let told = |attributes: &Value| -> Vec<String> {
            let list = attributes.as_array().expect("attributes").iter();
            list.map(|one| {
                format!(
                    "{} {} {} {}",
                    one["name"], one["type"], one["mutability"], one["required"]
                )
            })
            .collect()
        };
        assert_eq!(
            told(&schema.json["attributes"]),
            [
                r#""displayName" "string" "readWrite" true"#,
                r#""members" "complex" "readWrite" false"#,
            ]
        );
        assert_eq!(
            told(&schema.json["attributes"][1]["subAttributes"]),
            [
                r#""value" "string" "immutable" false"#,
                r#""$ref" "reference" "immutable" false"#,
                r#""type" "string" "immutable" false"#,
                r#""display" "string" "immutable" false"#,
            ]
        );
        assert_eq!(schema.json["attributes"][1]["multiValued"], true);
        assert_eq!(
            schema.json["attributes"][1]["subAttributes"][1]["referenceTypes"],
            json!(["User", "Group"])
        );
    }
}
