//! RFC 7643 section 4.2: who can be a member, what is shown of one, and how a membership ends.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::crowds;

use super::groups::{create_group, group_body, group_path, members_in, members_of, people, set, values};
use super::patch::op;
use super::*;

/// The ways to make somebody a member of the group at this path, or of a new one.
async fn every_way(scim: &Scim, path: &str, members: &Value) -> [Answer; 4] {
    let body = json!({"schemas": [GROUP], "displayName": "Team", "members": members});
    [
        scim.post("/Groups", &body).await,
        scim.put(path, &body).await,
        scim.patch(path, &json!([op("add", "members", members)])).await,
        scim.patch(path, &json!([{"op": "replace", "value": {"members": members}}]))
            .await,
    ]
}

/// What an answer says with an id taken out, to be compared with that about another id.
fn without(answer: &Answer, id: &str) -> (u16, Vec<String>, String) {
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"));
    let mut headers: Vec<_> = headers.map(|header| format!("{header:?}")).collect();
    headers.sort();
    (answer.status, headers, answer.text.replace(id, "ID"))
}

/// Section 4.2 is silent on ids that are nobody's. Strictly they are refused by name.
#[tokio::test]
async fn a_member_that_is_nobody_is_refused_by_its_name() {
    let (scim, other) = (strict().await, strict().await);
    let [ann] = people(&scim).await;
    let theirs = [
        people::<1>(&other).await[0].clone(),
        create_group(&other, "x", &[]).await.id(),
    ];
    let group = create_group(&scim, "Team", std::slice::from_ref(&ann)).await;
    let never = Uuid::now_v7().to_string();
    let deleted = create(&scim, &json!({})).await;
    scim.delete(&path(&deleted)).await;
    let expect = every_way(&scim, &group_path(&group), &values(&[ann.clone(), never.clone()])).await;
    for id in [theirs[0].clone(), theirs[1].clone(), deleted.id(), never.clone()] {
        let answers = every_way(&scim, &group_path(&group), &values(&[ann.clone(), id.clone()])).await;
        for (answer, expect) in answers.iter().zip(&expect) {
            is_error(answer, &[400], "invalidValue", &id);
            assert!(
                answer.json["detail"].as_str().expect("a detail").contains(&id),
                "{answer:?}"
            );
            assert_eq!(
                without(answer, &id),
                without(expect, &never),
                "nothing tells whose it is"
            );
        }
    }
    let answers = every_way(
        &scim,
        &group_path(&group),
        &json!([{"value": "no uuid"}, {"value": ""}]),
    )
    .await;
    for answer in &answers {
        is_error(answer, &[400], "invalidValue", "no uuid");
        assert!(answer.text.contains("no uuid"), "{answer:?}");
    }
    assert_eq!(scim.get(&group_path(&group)).await.json, group.json);
    assert_eq!(scim.get("/Groups").await.json["totalResults"], 1, "no group was made");
}

/// One stale id must not sink the push of a whole group: see unknown-members.
#[tokio::test]
async fn a_member_that_is_nobody_is_left_out_by_interop() {
    let (scim, other) = (client().await, client().await);
    let [ann, bob] = people(&scim).await;
    let theirs = people::<1>(&other).await[0].clone();
    let their_group = create_group(&other, "x", &[]).await.id();
    for nobody in [
        theirs.clone(),
        their_group,
        Uuid::now_v7().to_string(),
        "no uuid".to_owned(),
        String::new(),
    ] {
        let before = create_group(&scim, "Team", std::slice::from_ref(&ann)).await;
        let path = group_path(&before);
        let only = scim
            .patch(
                &path,
                &json!([op("add", "members", &values(std::slice::from_ref(&nobody)))]),
            )
            .await;
        assert_eq!(
            (only.status, only.header("etag")),
            (200, before.header("etag")),
            "{nobody}: {only:?}"
        );
        let expect = [set([&bob]), set([&bob]), set([&bob]), set([&bob])];
        let answers = every_way(&scim, &path, &values(&[nobody.clone(), bob.clone()])).await;
        assert_eq!(answers[0].status, 201, "{nobody}: {:?}", answers[0]);
        assert_eq!(members_in(&answers[0].json), expect[0], "{nobody}");
        for answer in &answers[1..] {
            assert!([200, 204].contains(&answer.status), "{nobody}: {answer:?}");
        }
        assert_eq!(members_of(&scim, &path).await, set([&bob]), "{nobody}");
    }
    assert_eq!(other.get(&format!("/Users/{theirs}")).await.json.get("groups"), None);
}

/// Section 4.2: `$ref`, `type` and `display` follow from the id, and are what they are now.
#[tokio::test]
async fn a_member_shows_where_it_is_what_it_is_and_its_name_now() {
    for scim in [client().await, strict().await] {
        let ann = create(&scim, &json!({"userName": "ann", "displayName": "Ann"})).await;
        let bob = create(&scim, &json!({"userName": "bob"})).await;
        let inner = create_group(&scim, "Inner", &[]).await;
        let group = create_group(&scim, "Team", &[ann.id(), bob.id(), inner.id()]).await;
        let base = scim.base();
        let expect = |id: &str, name: &str| {
            let kind = if id == inner.id() { "Group" } else { "User" };
            json!({"value": id, "$ref": format!("{base}/{kind}s/{id}"), "type": kind, "display": name})
        };
        let named = async |names: [&str; 3]| {
            let shown = scim.get(&group_path(&group)).await.json["members"]
                .as_array()
                .expect("members")
                .clone();
            assert_eq!(shown.len(), 3);
            for (one, name) in [&ann, &bob, &inner].into_iter().zip(names) {
                assert!(shown.contains(&expect(&one.id(), name)), "{name}: {shown:?}");
            }
            shown
        };
        for member in named(["Ann", "bob", "Inner"]).await {
            let uri = member["$ref"]
                .as_str()
                .expect("a reference")
                .strip_prefix(base)
                .expect("below the base");
            let found = scim.get(uri).await;
            assert_eq!(
                (found.status, found.id().as_str()),
                (200, member["value"].as_str().expect("an id"))
            );
            assert_eq!(found.json["meta"]["resourceType"], member["type"]);
        }
        scim.patch(&path(&ann), &json!([op("replace", "displayName", &json!("Anna"))]))
            .await;
        scim.patch(&path(&bob), &json!([op("add", "displayName", &json!("Bob"))]))
            .await;
        scim.patch(
            &group_path(&inner),
            &json!([op("replace", "displayName", &json!("Core"))]),
        )
        .await;
        named(["Anna", "Bob", "Core"]).await;
    }
}

/// Nobody is a member who is not there: `$ref` always resolves.
#[tokio::test]
async fn a_membership_ends_with_the_member() {
    for scim in [client().await, strict().await] {
        let [ann, bob] = people(&scim).await;
        let inner = create_group(&scim, "Inner", std::slice::from_ref(&bob)).await;
        let group = create_group(&scim, "Team", &[ann.clone(), bob.clone(), inner.id()]).await;
        let path = group_path(&group);
        assert_eq!(scim.delete(&format!("/Users/{ann}")).await.status, 204);
        assert_eq!(members_of(&scim, &path).await, set([&bob, &inner.id()]));
        assert_eq!(scim.delete(&group_path(&inner)).await.status, 204);
        assert_eq!(members_of(&scim, &path).await, set([&bob]));
        let inactive = json!([op("replace", "active", &json!(false))]);
        assert_eq!(scim.patch(&format!("/Users/{bob}"), &inactive).await.status, 200);
        assert_eq!(
            members_of(&scim, &path).await,
            set([&bob]),
            "who is inactive is still a member"
        );
        assert_eq!(scim.delete(&path).await.status, 204);
        assert_eq!(scim.get(&format!("/Users/{bob}")).await.json.get("groups"), None);
    }
}

/// Groups in groups may lead back: nothing hangs, nothing fails.
#[tokio::test]
async fn groups_may_be_in_each_other_and_in_themselves() {
    for scim in [client().await, strict().await] {
        let [ann] = people(&scim).await;
        let (first, second) = (
            create_group(&scim, "First", std::slice::from_ref(&ann)).await,
            create_group(&scim, "Second", &[]).await,
        );
        let add = |id: String| json!([op("add", "members", &values(&[id]))]);
        for (group, member) in [(&first, &second), (&second, &first), (&first, &first)] {
            let added = scim.patch(&group_path(group), &add(member.id())).await;
            assert!([200, 204].contains(&added.status), "{added:?}");
        }
        assert_eq!(
            members_of(&scim, &group_path(&first)).await,
            set([&ann, &first.id(), &second.id()])
        );
        let shown = scim.get(&format!("/Users/{ann}")).await.json["groups"].clone();
        let shown: Vec<_> = shown
            .as_array()
            .expect("groups")
            .iter()
            .map(|one| (one["value"].clone(), one["type"].clone()))
            .collect();
        assert_eq!(
            shown,
            [
                (json!(first.id()), json!("direct")),
                (json!(second.id()), json!("indirect"))
            ]
        );
        assert_eq!(scim.delete(&group_path(&first)).await.status, 204);
        assert!(members_of(&scim, &group_path(&second)).await.is_empty());
        assert_eq!(scim.get(&format!("/Users/{ann}")).await.json.get("groups"), None);
    }
}

/// A group that comes into itself in the same request as anything else.
#[tokio::test]
async fn a_group_comes_into_itself_whatever_else_changes() {
    let scim = client().await;
    let [ann, bob] = people(&scim).await;
    let new = async || {
        let group = create_group(&scim, "Team", std::slice::from_ref(&ann)).await;
        (group_path(&group), group.id())
    };
    let (path, id) = new().await;
    let body = group_body("Crew", &[id.clone(), bob.clone()]);
    assert_eq!(scim.put(&path, &body).await.status, 200);
    assert_eq!(members_of(&scim, &path).await, set([&id, &bob]), "PUT");
    let leaves = json!({"op": "remove", "path": format!("members[value eq \"{ann}\"]")});
    for (other, kept) in [
        (op("replace", "displayName", &json!("Crew")), vec![&ann]),
        (leaves, vec![]),
        (
            op("add", "members", &values(std::slice::from_ref(&bob))),
            vec![&ann, &bob],
        ),
        (
            op("replace", "members", &values(std::slice::from_ref(&bob))),
            vec![&bob],
        ),
    ] {
        let (path, id) = new().await;
        let operations = json!([other, op("add", "members", &values(std::slice::from_ref(&id)))]);
        let status = scim.patch(&path, &operations).await.status;
        assert!([200, 204].contains(&status), "{operations}: {status}");
        let expect = set(kept.into_iter().chain([&id]));
        assert_eq!(members_of(&scim, &path).await, expect, "{operations}");
    }
}

/// More than one page of the core, in one answer that is made as it is sent.
#[tokio::test]
async fn a_group_of_thousands_is_created_and_read_whole() {
    let tenant = Tenant::create(system()).await;
    let scim = &tenant.scim;
    let ids = crowds::people(&system().description().postgres_url, &tenant, 5_100).await;
    let created = scim.post("/Groups", &group_body("Crowd", &ids)).await;
    assert_eq!(created.status, 201, "{}", created.text.len());
    assert_eq!(members_in(&created.json), set(&ids));
    let read = scim.get(&group_path(&created)).await;
    assert_eq!(read.json, created.json);
    let brief = scim
        .get(&format!("{}?attributes=members.value", group_path(&created)))
        .await;
    assert_eq!(members_in(&brief.json), set(&ids));
    let list = scim.get("/Groups").await;
    assert_eq!(members_in(&list.json["Resources"][0]), set(&ids));
    let half: BTreeSet<_> = ids.iter().take(2_000).cloned().collect();
    let replaced = scim
        .put(
            &format!("{}?attributes=members", group_path(&created)),
            &group_body("Crowd", &half.iter().cloned().collect::<Vec<_>>()),
        )
        .await;
    assert_eq!((replaced.status, members_in(&replaced.json)), (200, half));
}
