//! RFC 7644 section 3.5.2: PATCH as a whole: its envelope, its paths, all or nothing. `add`, `remove` and `replace` have
//! their own files, and share the table runner here.

use reqwest::Method;
use serde_json::{Value, json};

use super::*;

/// One line of a table: what the user has, the operations, what must come of them.
pub struct Line(pub Value, pub Value, pub Then);

/// Runs a table against a tenant.
pub async fn run(scim: &Scim, table: &[Line]) {
    for Line(start, operations, then) in table {
        let before = create(scim, start).await;
        let patched = scim.patch(&path(&before), operations).await;
        check(scim, &before, &patched, then, &format!("{operations} on {start}")).await;
    }
}

/// Runs a table on a default tenant and on a strict one.
pub async fn run_everywhere(table: &[Line]) {
    run(&client().await, table).await;
    run(&strict().await, table).await;
}

/// An operation.
pub fn op(op: &str, path: &str, value: &Value) -> Value {
    json!({"op": op, "path": path, "value": value})
}

/// The only operation, on what `path` leads to.
pub fn one(name: &str, path: &str, value: &Value) -> Value {
    json!([op(name, path, value)])
}

/// Figure 5 and section 3.5.2.
#[tokio::test]
async fn an_envelope_that_is_none_is_refused() {
    for scim in [client().await, strict().await] {
        let before = create(&scim, &json!({})).await;
        let good = json!([{"op": "add", "path": "title", "value": "t"}]);
        for body in [
            json!({"Operations": good}),
            json!({"schemas": [], "Operations": good}),
            json!({"schemas": PATCH_OP, "Operations": good}),
            json!({"schemas": [USER], "Operations": good}),
            json!({"schemas": [PATCH_OP]}),
            json!({"schemas": [PATCH_OP], "Operations": []}),
            json!({"schemas": [PATCH_OP], "Operations": {"op": "add"}}),
            json!({"schemas": [PATCH_OP], "Operations": "x"}),
            patch_body(&json!([5])),
            patch_body(&json!([null])),
            patch_body(&json!([{"path": "title", "value": "t"}])),
            patch_body(&json!([{"op": "move", "path": "title", "value": "t"}])),
            patch_body(&json!([{"op": 5, "path": "title", "value": "t"}])),
            patch_body(&json!([{"op": "add", "path": "title", "value": "t"}, {"op": ""}])),
            user_with(&json!({"title": "t"})),
        ] {
            let answer = raw(&scim, Method::PATCH, &path(&before), body.to_string()).await;
            check(
                &scim,
                &before,
                &answer,
                &Then::Refused("invalidSyntax"),
                &body.to_string(),
            )
            .await;
        }
        let twice = format!(
            r#"{{"schemas": ["{PATCH_OP}"], "Operations": [{{"op": "add", "op": "remove", "path": "title"}}]}}"#
        );
        let answer = raw(&scim, Method::PATCH, &path(&before), twice).await;
        check(&scim, &before, &answer, &Then::Refused("invalidSyntax"), "op twice").await;
    }
}

/// Section 3.5.2 names the operations in lower case; Entra ID does not, see op-case.
#[tokio::test]
async fn an_operation_in_capitals_is_a_deviation() {
    let operations = json!([{"op": "Add", "path": "title", "value": "t"}]);
    run(
        &client().await,
        &[Line(json!({}), operations.clone(), Then::Is(json!({"title": "t"})))],
    )
    .await;
    run(
        &strict().await,
        &[Line(json!({}), operations, Then::Refused("invalidSyntax"))],
    )
    .await;
}

/// Section 3.5.2: 200 with the whole user, always, so also where `attributes` asks for it.
#[tokio::test]
async fn a_patch_answers_with_the_user_and_loses_no_operation() {
    let scim = client().await;
    let before = create(&scim, &json!({})).await;
    let roles: Vec<_> = (0..150).map(|number| json!({"value": format!("r{number}")})).collect();
    let operations: Vec<_> = roles.iter().map(|role| op("add", "roles", &json!([role]))).collect();
    let patched = scim.patch(&path(&before), &json!(operations)).await;
    check(
        &scim,
        &before,
        &patched,
        &Then::Is(json!({"roles": roles})),
        "150 operations",
    )
    .await;
    let asked = scim
        .patch(
            &format!("{}?attributes=title", path(&before)),
            &one("add", "title", &json!("t")),
        )
        .await;
    assert_eq!(
        (asked.status, given(&asked.json), asked.header("etag")),
        (200, json!({"title": "t"}), "W/\"3\"")
    );
}

/// Section 3.5.2: all or nothing.
#[tokio::test]
async fn a_patch_that_fails_at_the_end_changes_nothing() {
    let start = json!({"title": "t", "emails": [{"value": "a@x"}]});
    let good = [
        op("replace", "title", &json!("u")),
        op("add", "emails", &json!([{"value": "b@x"}])),
        op("replace", "active", &json!(false)),
    ];
    let ending = |bad: Value| json!([good[0], good[1], good[2], bad]);
    run_everywhere(&[
        Line(
            start.clone(),
            ending(op("add", "nothing", &json!("x"))),
            Then::Refused("invalidPath"),
        ),
        Line(
            start.clone(),
            ending(op("add", "nickName", &json!(5))),
            Then::Refused("invalidValue"),
        ),
        Line(
            start.clone(),
            ending(op("replace", "id", &json!("x"))),
            Then::Refused("mutability"),
        ),
        Line(
            start.clone(),
            ending(json!({"op": "remove", "path": "userName"})),
            Then::Refused("mutability"),
        ),
        Line(
            start.clone(),
            ending(op("replace", "userName", &json!(""))),
            Then::Refused("invalidValue"),
        ),
        Line(
            start,
            ending(json!({"op": "remove", "path": "emails[nothing eq \"x\"]"})),
            Then::Refused("invalidFilter"),
        ),
    ])
    .await;
    let scim = client().await;
    create(&scim, &json!({"userName": "taken"})).await;
    let before = create(&scim, &json!({"title": "t"})).await;
    let refused = scim
        .patch(&path(&before), &ending(op("replace", "userName", &json!("Taken"))))
        .await;
    is_error(&refused, &[409], "uniqueness", "a taken name at the end");
    assert_eq!(scim.get(&path(&before)).await.json, before.json);
}

/// Section 3.5.2: in order.
#[tokio::test]
async fn later_operations_see_what_earlier_ones_did() {
    let department = format!("{ENTERPRISE}:department");
    run_everywhere(&[
        Line(
            json!({}),
            json!([
                op("add", "emails", &json!([{"value": "a@x", "type": "work"}])),
                op("replace", "emails[type eq \"work\"].value", &json!("b@x"))
            ]),
            Then::Is(json!({"emails": [{"value": "b@x", "type": "work"}]})),
        ),
        Line(
            json!({}),
            json!([op("add", "title", &json!("t")), {"op": "remove", "path": "title"}]),
            Then::Same,
        ),
        Line(
            json!({}),
            json!([
                op("add", "schemas", &json!([ENTERPRISE])),
                op("add", &department, &json!("d"))
            ]),
            Then::Is(json!({ENTERPRISE: {"department": "d"}})),
        ),
        Line(
            json!({ENTERPRISE: {"department": "d"}}),
            json!([{"op": "remove", "path": ENTERPRISE}, op("add", &department, &json!("e"))]),
            Then::Is(json!({ENTERPRISE: {"department": "e"}})),
        ),
    ])
    .await;
}

/// Section 3.5.2, figure 7, and table 9.
#[tokio::test]
async fn a_path_that_is_none_is_refused() {
    let start = json!({"title": "t", "emails": [{"value": "a@x", "type": "work"}]});
    let mut table = Vec::new();
    for path in [
        "",
        " ",
        "nothing",
        "name.nothing",
        "title.x",
        "name.givenName.x",
        "urn:x:y:z",
        &format!("{USER}:nothing"),
        &format!("{ENTERPRISE}:nothing"),
        &format!("{ENTERPRISE}.department"),
        "title title",
        "emails[type eq \"work\"]value",
        "emails[type eq \"work\"].nothing",
        "emails.value[type eq \"x\"]",
        "name[givenName eq \"x\"]",
        "/title",
        "$.title",
        "\"title\"",
        "emails[0]",
    ] {
        let scim_type = if path == "emails[0]" {
            "invalidFilter"
        } else {
            "invalidPath"
        };
        for name in ["add", "replace"] {
            table.push(Line(
                start.clone(),
                one(name, path, &json!("x")),
                Then::Refused(scim_type),
            ));
        }
        table.push(Line(
            start.clone(),
            json!([{"op": "remove", "path": path}]),
            Then::Refused(scim_type),
        ));
    }
    for path in [
        "emails[]",
        "emails[type]",
        "emails[type eq]",
        "emails[type eq work]",
        "emails[type eq \"work\"",
        "emails[nothing eq \"x\"].value",
        "emails[emails[type pr]]",
    ] {
        table.push(Line(
            start.clone(),
            one("replace", path, &json!("x")),
            Then::Refused("invalidFilter"),
        ));
    }
    table.push(Line(
        start.clone(),
        json!([{"op": "add", "path": 5, "value": "x"}]),
        Then::Refused("invalidPath"),
    ));
    run_everywhere(&table).await;
}

/// Sections 3.5.2 and 3.10: every form of a path leads where it says.
#[tokio::test]
async fn every_form_of_a_path_is_read() {
    let start = json!({"name": {"givenName": "g"}, "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home"}],
        ENTERPRISE: {"department": "d", "manager": {"value": "1"}}});
    let with = |pointer: &str, value: &str| {
        let mut expect = start.clone();
        *expect.pointer_mut(pointer).expect("a place") = json!(value);
        Then::Is(expect)
    };
    let (department, manager) = (
        format!("/{ENTERPRISE}/department"),
        format!("/{ENTERPRISE}/manager/value"),
    );
    let mut table = Vec::new();
    for (path, pointer) in [
        ("name.givenName".to_owned(), "/name/givenName"),
        ("NAME.GIVENNAME".into(), "/name/givenName"),
        (format!("{USER}:name.givenName"), "/name/givenName"),
        ("emails[type eq \"work\"].value".into(), "/emails/0/value"),
        ("Emails[Type EQ \"WORK\"].Value".into(), "/emails/0/value"),
        (
            "emails[not (type eq \"work\") and (value co \"b\" or primary eq true)].value".into(),
            "/emails/1/value",
        ),
        ("emails[value sw \"b\"].type".into(), "/emails/1/type"),
        (format!("{USER}:emails[type eq \"home\"].value"), "/emails/1/value"),
        (format!("{ENTERPRISE}:department"), &*department),
        (format!("{}:DEPARTMENT", ENTERPRISE.to_uppercase()), &*department),
        (format!("{ENTERPRISE}:manager.value"), &*manager),
    ] {
        table.push(Line(
            start.clone(),
            one("replace", &path, &json!("new")),
            with(pointer, "new"),
        ));
    }
    run_everywhere(&table).await;
}

/// Section 3.5.2: a value filter that selects nothing is noTarget; Entra ID needs it to make the value, see
/// create-on-no-match.
#[tokio::test]
async fn a_value_filter_that_selects_nothing_is_no_target() {
    let start = json!({"emails": [{"value": "a@x", "type": "work"}]});
    let path = "emails[type eq \"home\"]";
    let strictly: Vec<_> = [
        one("add", &format!("{path}.value"), &json!("b@x")),
        one("replace", &format!("{path}.value"), &json!("b@x")),
        one("replace", path, &json!({"value": "b@x"})),
        json!([{"op": "remove", "path": path}]),
        json!([{"op": "remove", "path": format!("{path}.value")}]),
    ]
    .into_iter()
    .map(|operations| Line(start.clone(), operations, Then::Refused("noTarget")))
    .collect();
    run(&strict().await, &strictly).await;
    let made = json!({"emails": [{"value": "a@x", "type": "work"}, {"type": "home", "value": "b@x"}]});
    run(
        &client().await,
        &[
            Line(
                start.clone(),
                one("add", &format!("{path}.value"), &json!("b@x")),
                Then::Is(made.clone()),
            ),
            Line(
                start.clone(),
                one("replace", &format!("{path}.value"), &json!("b@x")),
                Then::Is(made),
            ),
            Line(start.clone(), json!([{"op": "remove", "path": path}]), Then::Same),
            // What no value could be made of is still no target.
            Line(
                start,
                one("replace", "emails[value co \"z\"].type", &json!("x")),
                Then::Refused("noTarget"),
            ),
        ],
    )
    .await;
}

/// Section 3.14.
#[tokio::test]
async fn a_patch_of_another_version_is_refused() {
    let scim = client().await;
    let before = create(&scim, &json!({})).await;
    let body = patch_body(&one("add", "title", &json!("t")));
    let refused = with_header(
        &scim,
        Method::PATCH,
        &path(&before),
        ("if-match", "W/\"2\""),
        Some(&body),
    )
    .await;
    is_error(&refused, &[412], "", "another version");
    assert_eq!(scim.get(&path(&before)).await.json, before.json);
}
