//! RFC 7644 section 3.9: where answers hold the members of a group, and where they do not.

use serde_json::json;

use super::groups::{create_group, group_body, group_path, members_in, people, set};
use super::*;

/// A tenant of this preset that answers changes with members, or does not.
async fn with_brief_groups(preset: &str, state: &str) -> Scim {
    let tenant = Tenant::create(system()).await;
    let setting = format!("brief-groups={state}");
    let arguments = ["tenant", "profile", &tenant.name, "--preset", preset, "--set", &setting];
    system().cli(&arguments).await.done();
    tenant.scim
}

/// Section 3.5.1 and 3.5.2 answer with the resource; with 100,000 members nobody wants it. See brief-groups.
#[tokio::test]
async fn a_change_of_a_group_is_answered_without_members_unless_they_are_asked_for() {
    for (scim, brief) in [
        (client().await, true),
        (strict().await, false),
        (with_brief_groups("interop", "off").await, false),
        (with_brief_groups("strict", "on").await, true),
    ] {
        let [ann, bob] = people(&scim).await;
        let created = create_group(&scim, "Team", &[ann.clone(), bob.clone()]).await;
        assert_eq!(
            members_in(&created.json),
            set([&ann, &bob]),
            "POST answers with members"
        );
        let path = group_path(&created);
        let body = group_body("Team", &[ann.clone(), bob.clone()]);
        for (query, shown) in [
            ("", !brief),
            ("?excludedAttributes=members", false),
            ("?attributes=displayName", false),
            ("?excludedAttributes=displayName", !brief),
            ("?attributes=members", true),
            ("?attributes=displayName,members.value", true),
        ] {
            let operations = json!([{"op": "replace", "path": "displayName", "value": format!("Team{query}")}]);
            let at = format!("{path}{query}");
            let (put, patched) = (scim.put(&at, &body).await, scim.patch(&at, &operations).await);
            assert_eq!((put.status, patched.status), (200, 200), "{query}: {put:?} {patched:?}");
            for answer in [put, patched] {
                let expect = if shown { set([&ann, &bob]) } else { set([]) };
                assert_eq!(members_in(&answer.json), expect, "brief {brief}, {query}: {answer:?}");
                assert_eq!(answer.json.get("members").is_some(), shown, "{query}");
            }
        }
        let now = scim.get(&path).await;
        assert_eq!(members_in(&now.json), set([&ann, &bob]));
    }
}

/// Section 3.9 on one group and on lists.
#[tokio::test]
async fn members_are_read_unless_they_are_left_out() {
    let scim = client().await;
    let [ann, bob] = people(&scim).await;
    let created = create_group(&scim, "Team", &[ann.clone(), bob.clone()]).await;
    let search = |attributes: Value| json!({"schemas": [SEARCH], "attributes": attributes});
    for (query, shown) in [
        ("", true),
        ("?attributes=members", true),
        ("?attributes=MEMBERS", true),
        (&format!("?attributes={GROUP}:members"), true),
        ("?attributes=members.value", true),
        ("?excludedAttributes=displayName", true),
        ("?excludedAttributes=members.display", true),
        ("?attributes=displayName", false),
        ("?excludedAttributes=members", false),
        ("?excludedAttributes=Members", false),
    ] {
        let one = scim.get(&format!("{}{query}", group_path(&created))).await;
        let list = scim.get(&format!("/Groups{query}")).await;
        for group in [&one.json, &list.json["Resources"][0]] {
            assert_eq!(group["id"], created.id().as_str(), "{query}");
            let expect = if shown { set([&ann, &bob]) } else { set([]) };
            assert_eq!(members_in(group), expect, "{query}: {group}");
        }
    }
    let values = scim
        .get(&format!("{}?attributes=members.value", group_path(&created)))
        .await;
    for member in values.json["members"].as_array().expect("members") {
        assert_eq!(
            member.as_object().expect("a member").len(),
            1,
            "only the value: {member}"
        );
    }
    let found = scim.post("/Groups/.search", &search(json!(["members.type"]))).await;
    assert_eq!(
        found.json["Resources"][0]["members"],
        json!([{"type": "User"}, {"type": "User"}]),
        "{found:?}"
    );
    let both = format!(
        "{}?attributes=members&excludedAttributes=displayName",
        group_path(&created)
    );
    is_error(&scim.get(&both).await, &[400], "invalidValue", "both");
}

/// Section 3.4.2.4: pages of groups, whose members may be many.
#[tokio::test]
async fn pages_of_groups_hold_each_group_once() {
    let scim = client().await;
    let [ann] = people(&scim).await;
    let mut expect = std::collections::BTreeSet::new();
    for number in 0..7 {
        expect.insert(
            create_group(&scim, &format!("g{number}"), std::slice::from_ref(&ann))
                .await
                .id(),
        );
    }
    for query in ["", "&excludedAttributes=members", "&filter=displayName+sw+%22G%22"] {
        let mut seen = Vec::new();
        for start in [1, 4, 7] {
            let page = scim.get(&format!("/Groups?startIndex={start}&count=3{query}")).await;
            assert_eq!(page.json["totalResults"], 7, "{page:?}");
            let groups = page.json["Resources"].as_array().expect("groups").clone();
            assert_eq!(page.json["itemsPerPage"], groups.len());
            seen.extend(
                groups
                    .iter()
                    .map(|group| group["id"].as_str().expect("an id").to_owned()),
            );
        }
        assert_eq!(seen.len(), 7, "{query}");
        assert_eq!(set(&seen), expect, "{query}");
    }
    let none = scim.get("/Groups?count=0").await;
    assert_eq!((none.status, &none.json["totalResults"]), (200, &json!(7)));
}
