//! RFC 7643 section 4.1.2, `groups`: what a user shows of the groups that it is in, and what nobody may write there.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::groups::{create_group, group_body, group_path, people, values};
use super::patch::op;
use super::*;

/// The groups that a user shows: name and type, sorted.
fn shown(user: &Value) -> Vec<(String, String)> {
    let list = user["groups"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut groups: Vec<_> = list
        .iter()
        .map(|one| (text(&one["display"]), text(&one["type"])))
        .collect();
    groups.sort();
    groups
}

async fn groups_of(scim: &Scim, user: &str) -> Vec<(String, String)> {
    let answer = scim.get(&format!("/Users/{user}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    shown(&answer.json)
}

fn expect(groups: &[(&str, &str)]) -> Vec<(String, String)> {
    groups
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()))
        .collect()
}

/// Direct ones, and those that these are in, wherever the chain changes.
#[tokio::test]
async fn a_user_shows_its_groups_direct_and_indirect() {
    for scim in [client().await, strict().await] {
        let [ann, bob] = people(&scim).await;
        let staff = create_group(&scim, "Staff", &[]).await;
        let crew = create_group(&scim, "Crew", &[]).await;
        let team = create_group(&scim, "Team", std::slice::from_ref(&ann)).await;
        assert_eq!(groups_of(&scim, &ann).await, expect(&[("Team", "direct")]));
        let add = |id: String| json!([op("add", "members", &values(&[id]))]);
        scim.patch(&group_path(&crew), &add(team.id())).await;
        scim.patch(&group_path(&staff), &add(crew.id())).await;
        let all = [("Crew", "indirect"), ("Staff", "indirect"), ("Team", "direct")];
        assert_eq!(groups_of(&scim, &ann).await, expect(&all));
        assert_eq!(groups_of(&scim, &bob).await, expect(&[]));
        scim.patch(&group_path(&staff), &add(ann.clone())).await;
        let all = [("Crew", "indirect"), ("Staff", "direct"), ("Team", "direct")];
        assert_eq!(groups_of(&scim, &ann).await, expect(&all), "what is both is direct");

        let user = scim.get(&format!("/Users/{ann}")).await;
        for group in user.json["groups"].as_array().expect("groups") {
            let uri = group["$ref"]
                .as_str()
                .expect("a reference")
                .strip_prefix(scim.base())
                .expect("below the base");
            let found = scim.get(uri).await;
            assert_eq!((found.status, &found.json["id"]), (200, &group["value"]), "{group}");
            assert_eq!(found.json["displayName"], group["display"]);
        }

        let renamed = json!([op("replace", "displayName", &json!("Squad"))]);
        scim.patch(&group_path(&team), &renamed).await;
        scim.patch(&group_path(&crew), &json!([{"op": "remove", "path": "members"}]))
            .await;
        let all = [("Squad", "direct"), ("Staff", "direct")];
        assert_eq!(groups_of(&scim, &ann).await, expect(&all));
        scim.put(&group_path(&staff), &group_body("Staff", &[])).await;
        scim.delete(&group_path(&team)).await;
        let user = scim.get(&format!("/Users/{ann}")).await;
        assert_eq!(user.json.get("groups"), None, "no groups, no attribute: {user:?}");
    }
}

/// Section 4.1.2: readOnly. Okta and Entra ID send it back all the same, see read-only-in-value.
#[tokio::test]
async fn a_users_groups_are_changed_through_groups_only() {
    for (scim, is_strict) in [(client().await, false), (strict().await, true)] {
        let [ann] = people(&scim).await;
        let mine = create_group(&scim, "Mine", std::slice::from_ref(&ann)).await;
        let other = create_group(&scim, "Other", &[]).await;
        let forged = json!([{"value": other.id(), "display": "Forged", "type": "direct"}]);
        let created = scim.post("/Users", &user_with(&json!({"groups": forged}))).await;
        assert_eq!((created.status, created.json.get("groups")), (201, None), "{created:?}");
        assert_eq!(groups_of(&scim, &created.id()).await, expect(&[]));

        let path = format!("/Users/{ann}");
        let before = scim.get(&path).await;
        let mut body = before.json.clone();
        body["groups"] = forged.clone();
        let replaced = scim.put(&path, &body).await;
        assert_eq!((replaced.status, replaced.header("etag")), (200, before.header("etag")));
        for operations in [
            json!([op("add", "groups", &forged)]),
            json!([op("replace", "groups", &forged)]),
            json!([op("replace", "groups", &json!([]))]),
            json!([{"op": "remove", "path": "groups"}]),
            json!([{"op": "remove", "path": format!("groups[value eq \"{}\"]", mine.id())}]),
            json!([op("replace", "groups.display", &json!("x"))]),
        ] {
            is_error(
                &scim.patch(&path, &operations).await,
                &[400],
                "mutability",
                &operations.to_string(),
            );
        }
        let pathless = json!([{"op": "replace", "value": {"groups": forged}}]);
        let patched = scim.patch(&path, &pathless).await;
        if is_strict {
            is_error(&patched, &[400], "mutability", "without a path");
        } else {
            assert_eq!((patched.status, patched.header("etag")), (200, before.header("etag")));
        }
        assert_eq!(scim.get(&path).await.json, before.json);
        assert_eq!(shown(&before.json), expect(&[("Mine", "direct")]));
    }
}

/// RFC 7644 section 3.9: one user is read with its groups; lists and changes show them where they are asked for.
#[tokio::test]
async fn lists_and_changes_show_groups_where_attributes_names_them() {
    let scim = client().await;
    let [ann] = people(&scim).await;
    create_group(&scim, "Team", std::slice::from_ref(&ann)).await;
    let path = format!("/Users/{ann}");
    let whole = scim.get(&path).await.json;
    let title = json!([op("replace", "title", &json!("t"))]);
    for (query, of_one, of_list, of_change) in [
        ("", true, false, false),
        ("attributes=groups", true, true, true),
        ("attributes=groups.value,groups.display,groups.type", true, true, true),
        ("attributes=userName", false, false, false),
        ("excludedAttributes=groups", false, false, false),
        ("excludedAttributes=title", true, false, false),
    ] {
        let body = patch_body(&title);
        let found = [
            (scim.get(&format!("{path}?{query}")).await.json, of_one),
            (
                scim.get(&format!("/Users?{query}")).await.json["Resources"][0].clone(),
                of_list,
            ),
            (scim.put(&format!("{path}?{query}"), &whole).await.json, of_change),
            (
                raw(&scim, Method::PATCH, &format!("{path}?{query}"), body.to_string())
                    .await
                    .json,
                of_change,
            ),
        ];
        for (number, (user, shows)) in found.iter().enumerate() {
            assert_eq!(user["id"], ann.as_str(), "{query}, {number}: {user}");
            let groups = if *shows {
                expect(&[("Team", "direct")])
            } else {
                expect(&[])
            };
            assert_eq!(shown(user), groups, "{query}, {number}: {user}");
        }
    }
    let search = json!({"schemas": [SEARCH], "attributes": ["groups"]});
    let found = scim.post("/Users/.search", &search).await;
    assert_eq!(shown(&found.json["Resources"][0]), expect(&[("Team", "direct")]));
}

/// A membership is no attribute of the user's own: it moves the group's version, and not the user's.
#[tokio::test]
async fn a_membership_leaves_the_users_version_alone() {
    let scim = client().await;
    let [ann] = people(&scim).await;
    let before = scim.get(&format!("/Users/{ann}")).await;
    create_group(&scim, "Team", std::slice::from_ref(&ann)).await;
    let after = scim.get(&format!("/Users/{ann}")).await;
    assert_eq!(
        (after.header("etag"), &after.json["meta"]),
        (before.header("etag"), &before.json["meta"])
    );
    assert_eq!(shown(&after.json), expect(&[("Team", "direct")]));
    let by_groups = scim.find(&format!("groups eq \"{}\"", Uuid::now_v7())).await;
    is_error(&by_groups, &[400], "invalidFilter", "a filter on groups");
}
