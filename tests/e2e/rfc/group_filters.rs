//! RFC 7644 section 3.4.2.2 on groups, and searches that find both types.

use std::collections::BTreeSet;

use e2e::replay::variables::percent;
use serde_json::json;
use uuid::Uuid;

use super::groups::{create_group, group_path, people};
use super::*;

/// The displayNames that a filter finds, joined.
async fn found(scim: &Scim, filter: &str) -> String {
    let list = scim.get(&format!("/Groups?filter={}", percent(filter))).await;
    assert_eq!(list.status, 200, "{filter}: {list:?}");
    let resources = list.json["Resources"].as_array().cloned().unwrap_or_default();
    assert_eq!(list.json["totalResults"], resources.len(), "{filter}");
    let names: BTreeSet<_> = resources
        .iter()
        .map(|one| one["displayName"].as_str().expect("a name").to_owned())
        .collect();
    names.into_iter().collect::<Vec<_>>().join(" ")
}

/// Every attribute that can be filtered on.
#[tokio::test]
async fn groups_are_found_by_their_attributes_and_their_members() {
    for scim in [client().await, strict().await] {
        let [ann, bob, cat] = people(&scim).await;
        let red = create_group(&scim, "Red", &[ann.clone(), bob.clone()]).await;
        let body = json!({"schemas": [GROUP], "displayName": "Grün", "externalId": "Ab",
            "members": [{"value": bob}, {"value": red.id()}]});
        let green = scim.post("/Groups", &body).await;
        create_group(&scim, "Blue", &[]).await;
        scim.patch(
            &group_path(&red),
            &json!([{"op": "add", "path": "externalId", "value": "r"}]),
        )
        .await;
        let (red, green, nobody) = (red.id(), green.id(), Uuid::now_v7());
        for (filter, expect) in [
            ("displayName eq \"Red\"", "Red"),
            ("DISPLAYNAME EQ \"rED\"", "Red"),
            ("displayName eq \"GRÜN\"", "Grün"),
            (&format!("{GROUP}:displayName eq \"red\""), "Red"),
            ("displayName sw \"B\" or displayName ew \"D\"", "Blue Red"),
            ("displayName co \"R\"", "Grün Red"),
            ("not (displayName co \"r\")", "Blue"),
            ("externalId eq \"Ab\"", "Grün"),
            ("externalId eq \"ab\"", ""),
            ("externalId pr", "Grün Red"),
            (&format!("id eq \"{red}\""), "Red"),
            (&format!("id eq \"{nobody}\""), ""),
            ("id eq \"x\"", ""),
            (&format!("members eq \"{ann}\""), "Red"),
            (&format!("members eq \"{bob}\""), "Grün Red"),
            (&format!("members eq \"{red}\""), "Grün"),
            (&format!("members eq \"{cat}\""), ""),
            ("members eq \"x\"", ""),
            (&format!("members.value eq \"{ann}\""), "Red"),
            (&format!("members[value eq \"{ann}\"]"), "Red"),
            (
                &format!("members[value eq \"{ann}\" or value eq \"{red}\"]"),
                "Grün Red",
            ),
            (&format!("members[value eq \"{bob}\" and type eq \"Group\"]"), ""),
            (&format!("members[value eq \"{bob}\" and type eq \"User\"]"), "Grün Red"),
            ("members.type eq \"group\"", "Grün"),
            ("members pr", "Grün Red"),
            ("not (members pr)", "Blue"),
            (&format!("members ne \"{ann}\""), "Blue Grün Red"),
            (&format!("not (members eq \"{ann}\")"), "Blue Grün"),
            (&format!("id eq \"{red}\" and members eq \"{ann}\""), "Red"),
            (&format!("id eq \"{green}\" and members eq \"{ann}\""), ""),
            (&format!("id eq \"{green}\" and members eq \"{bob}\""), "Grün"),
            ("meta.created lt \"2001-01-01T00:00:00Z\"", ""),
            ("meta.lastModified gt \"2001-01-01T00:00:00Z\"", "Blue Grün Red"),
            (&format!("schemas eq \"{GROUP}\""), "Blue Grün Red"),
        ] {
            assert_eq!(found(&scim, filter).await, expect, "{filter}");
        }
        let query = percent(&format!("id eq \"{red}\" and members eq \"{ann}\""));
        let entra = scim
            .get(&format!("/Groups?excludedAttributes=members&filter={query}"))
            .await;
        assert_eq!(entra.json["totalResults"], 1);
        assert_eq!(entra.json["Resources"][0].get("members"), None);
    }
}

/// What means nothing on a group, or cannot be looked up.
#[tokio::test]
async fn a_filter_that_groups_cannot_answer_is_refused_by_name() {
    for scim in [client().await, strict().await] {
        for filter in [
            "userName eq \"x\"",
            "nothing pr",
            "members.display eq \"x\"",
            "members.$ref pr",
            "members[display eq \"x\"]",
            "members.nothing eq \"x\"",
            "members[value eq \"x\"",
            "members eq 5",
            "displayName[value eq \"x\"]",
            "displayName eq",
            "meta.location pr",
        ] {
            let answer = scim.get(&format!("/Groups?filter={}", percent(filter))).await;
            is_error(&answer, &[400], "invalidFilter", filter);
        }
    }
}

/// RFC 7644 section 3.4.3: at the root, users come first, and pages go across both types.
#[tokio::test]
async fn a_search_finds_groups_and_at_the_root_both_types() {
    let scim = client().await;
    let [ann, bob] = people(&scim).await;
    let named = create(&scim, &json!({"displayName": "Red"})).await.id();
    let red = create_group(&scim, "Red", std::slice::from_ref(&ann)).await.id();
    let blue = create_group(&scim, "Blue", &[]).await.id();
    let search = async |at: &str, more: Value| {
        let mut body = json!({"schemas": [SEARCH]});
        body.as_object_mut()
            .expect("a body")
            .extend(more.as_object().expect("members").clone());
        let list = scim.post(at, &body).await;
        assert_eq!((list.status, &list.json["schemas"]), (200, &json!([LIST])), "{list:?}");
        list.json
    };
    let ids = |list: &Value| -> Vec<String> {
        let resources = list["Resources"].as_array().cloned().unwrap_or_default();
        resources
            .iter()
            .map(|one| one["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let by_name = search("/Groups/.search", json!({"filter": "displayName eq \"red\""})).await;
    assert_eq!(ids(&by_name), [red.as_str()]);
    let both = search("/.search", json!({"filter": "displayName eq \"red\""})).await;
    assert_eq!(ids(&both), [named.as_str(), red.as_str()], "users first");
    assert_eq!(both["Resources"][1]["members"][0]["value"], ann.as_str());
    assert_eq!(both["Resources"][1]["meta"]["resourceType"], "Group");
    let of_users = search("/.search", json!({"filter": "userName pr"})).await;
    assert_eq!(
        sorted(ids(&of_users)),
        sorted(vec![ann.clone(), bob.clone(), named.clone()])
    );
    let of_groups = search("/.search", json!({"filter": format!("members eq \"{ann}\"")})).await;
    assert_eq!(ids(&of_groups), [red.as_str()]);
    is_error(
        &scim
            .post("/.search", &json!({"schemas": [SEARCH], "filter": "nothing pr"}))
            .await,
        &[400],
        "invalidFilter",
        "neither type has it",
    );

    let whole = search("/.search", json!({})).await;
    assert_eq!(whole["totalResults"], 5);
    for size in 1..=5 {
        let mut seen = Vec::new();
        for start in (1..=5).step_by(size) {
            let page = search("/.search", json!({"startIndex": start, "count": size})).await;
            assert_eq!(page["totalResults"], 5, "{page}");
            assert_eq!(page["itemsPerPage"], ids(&page).len());
            seen.extend(ids(&page));
        }
        assert_eq!(seen, ids(&whole), "{size} a page");
    }
    assert_eq!(sorted(ids(&whole)[3..].to_vec()), sorted(vec![red, blue]));
    let brief = search("/.search", json!({"excludedAttributes": ["members"]})).await;
    assert!(!brief.to_string().contains("\"members\""), "{brief}");
}
