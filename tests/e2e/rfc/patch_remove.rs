//! RFC 7644 section 3.5.2.2: `remove`.

use serde_json::json;

use super::patch::{Line, one, op, run, run_everywhere};
use super::*;

fn remove(path: &str) -> Value {
    json!([{"op": "remove", "path": path}])
}

/// Without a path there is nothing to remove, and what is required or read-only stays.
#[tokio::test]
async fn remove_needs_a_path_and_cannot_take_what_is_required_or_read_only() {
    let start = json!({"title": "t", ENTERPRISE: {"manager": {"value": "1"}}});
    let mut table = vec![
        Line(start.clone(), json!([{"op": "remove"}]), Then::Refused("noTarget")),
        Line(
            start.clone(),
            json!([{"op": "remove", "path": null}]),
            Then::Refused("noTarget"),
        ),
        Line(
            start.clone(),
            json!([{"op": "remove", "value": {"title": "t"}}]),
            Then::Refused("noTarget"),
        ),
    ];
    for path in [
        "userName",
        "USERNAME",
        &format!("{USER}:userName"),
        "schemas",
        "id",
        "meta",
        "meta.version",
        "groups",
        &format!("{ENTERPRISE}:manager.displayName"),
    ] {
        table.push(Line(start.clone(), remove(path), Then::Refused("mutability")));
    }
    run_everywhere(&table).await;
}

/// Each kind of target.
#[tokio::test]
async fn remove_takes_what_the_path_names() {
    let start = json!({"title": "t", "name": {"givenName": "g", "familyName": "f"},
        "emails": [{"value": "a@x", "type": "work", "display": "d"}, {"value": "b@x", "type": "home"}, {"value": "c@x", "type": "home"}],
        ENTERPRISE: {"department": "d", "manager": {"value": "1"}}});
    let without = |change: &dyn Fn(&mut Value)| {
        let mut expect = start.clone();
        change(&mut expect);
        Then::Is(expect)
    };
    let drop_member = |parent: &'static str, name: &'static str| {
        without(&|user: &mut Value| {
            let parent = user
                .pointer_mut(parent)
                .and_then(Value::as_object_mut)
                .expect("a parent");
            parent.remove(name).expect("a member");
        })
    };
    let emails = |values: &Value| without(&|user: &mut Value| user["emails"] = values.clone());
    run_everywhere(&[
        Line(start.clone(), remove("title"), drop_member("", "title")),
        Line(start.clone(), remove("name"), drop_member("", "name")),
        Line(
            start.clone(),
            remove("name.givenName"),
            drop_member("/name", "givenName"),
        ),
        Line(start.clone(), remove("emails"), drop_member("", "emails")),
        Line(start.clone(), remove("emails[value pr]"), drop_member("", "emails")),
        Line(
            start.clone(),
            remove("emails[type eq \"home\"]"),
            emails(&json!([{"value": "a@x", "type": "work", "display": "d"}])),
        ),
        Line(
            start.clone(),
            remove("emails[type eq \"work\"].display"),
            drop_member("/emails/0", "display"),
        ),
        Line(
            start.clone(),
            remove("emails.type"),
            emails(&json!([{"value": "a@x", "display": "d"}, {"value": "b@x"}, {"value": "c@x"}])),
        ),
        Line(
            start.clone(),
            remove(&format!("{ENTERPRISE}:department")),
            without(&|user: &mut Value| {
                user[ENTERPRISE]
                    .as_object_mut()
                    .expect("an extension")
                    .remove("department");
            }),
        ),
        Line(start.clone(), remove(ENTERPRISE), drop_member("", ENTERPRISE)),
    ])
    .await;
}

/// RFC 7643 section 2.5: what is left without a value is not there, in any answer, in `schemas` or for `pr`.
#[tokio::test]
async fn the_last_value_takes_the_attribute_with_it() {
    let start = json!({"emails": [{"value": "a@x"}], "name": {"givenName": "g"}, ENTERPRISE: {"department": "d"}});
    for scim in [client().await, strict().await] {
        let before = create(&scim, &start).await;
        let operations = json!([{"op": "remove", "path": "emails[value eq \"a@x\"]"}, {"op": "remove", "path": "name.givenName"},
            {"op": "remove", "path": format!("{ENTERPRISE}:department")}]);
        let patched = scim.patch(&path(&before), &operations).await;
        check(&scim, &before, &patched, &Then::Is(json!({})), "the last values").await;
        assert_eq!(patched.json["schemas"], json!([USER]));
        for attribute in ["emails", "name", &format!("{ENTERPRISE}:department")] {
            assert_eq!(
                scim.find(&format!("{attribute} pr")).await.json["totalResults"],
                0,
                "{attribute}"
            );
        }
    }
}

/// Section 3.5.2.2 leaves it open: removing what is not there succeeds and changes nothing.
#[tokio::test]
async fn removing_what_is_not_there_changes_nothing() {
    let paths = [
        "title",
        "name",
        "name.givenName",
        "emails",
        "emails.type",
        ENTERPRISE,
        &format!("{ENTERPRISE}:manager"),
        "password",
        "externalId",
    ];
    let table: Vec<_> = paths
        .into_iter()
        .map(|path| Line(json!({"nickName": "n"}), remove(path), Then::Same))
        .collect();
    run_everywhere(&table).await;
}

/// Section 3.5.2.2: nobody else becomes primary.
#[tokio::test]
async fn a_removed_primary_has_no_successor() {
    let start =
        json!({"emails": [{"value": "a@x", "primary": true}, {"value": "b@x", "primary": false}, {"value": "c@x"}]});
    let left = json!({"emails": [{"value": "b@x", "primary": false}, {"value": "c@x"}]});
    run_everywhere(&[Line(start, remove("emails[primary eq true]"), Then::Is(left))]).await;
}

/// The RFC has no `remove` with values; Entra ID and JumpCloud send it, see remove-by-value.
#[tokio::test]
async fn a_remove_with_values_is_a_deviation() {
    let start = json!({"roles": [{"value": "a"}, {"value": "b"}]});
    let operations = one("remove", "roles", &json!([{"value": "a"}]));
    run(
        &client().await,
        &[Line(
            start.clone(),
            operations.clone(),
            Then::Is(json!({"roles": [{"value": "b"}]})),
        )],
    )
    .await;
    run(
        &strict().await,
        &[Line(start, operations, Then::Refused("invalidValue"))],
    )
    .await;
    // A value where nothing is left to choose means nothing.
    let titled = Line(
        json!({"title": "t"}),
        json!([op("remove", "title", &json!("x"))]),
        Then::Is(json!({})),
    );
    run(&client().await, &[titled]).await;
}
