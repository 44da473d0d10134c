//! Requests at the same moment: none fails, and nothing is lost. Counts are asserted, never times.

use std::collections::BTreeSet;

use e2e::Tenant;
use e2e::scim::{Answer, Scim, user};
use serde_json::{Value, json};

use super::{CROWD, fill, group, id, is_exactly, members_of, op};
use crate::system;

/// PATCHes, all at once.
async fn patches(scim: &Scim, requests: Vec<(String, Value)>) -> Vec<Answer> {
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|(path, operations)| {
            let scim = scim.clone();
            tokio::spawn(async move { scim.patch(&path, &operations).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("an answer"));
    }
    answers
}

fn all_done(answers: &[Answer]) {
    let failed: Vec<_> = answers
        .iter()
        .filter(|answer| ![200, 204].contains(&answer.status))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed, such as {:?}",
        failed.len(),
        answers.len(),
        failed[0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_changes_of_a_hundred_thousand_members_lose_nobody() {
    let tenant = Tenant::create(system()).await;
    let (scim, group) = (&tenant.scim, group(&tenant.scim).await);
    fill(
        &system().description().postgres_url,
        &tenant,
        CROWD + 300,
        &group,
        CROWD,
    )
    .await;
    let (path, mut expect) = (format!("/Groups/{group}"), (0..CROWD).map(id).collect::<BTreeSet<_>>());
    is_exactly(&members_of(scim, &group).await, &expect);
    let mut requests = Vec::new();
    for number in 0..100 {
        // Members from all over the list.
        let leave = [number * 997 + 1, number * 997 + 2].map(id);
        let come = [0, 1, 2].map(|nth| id(CROWD + 3 * number + nth));
        for one in &leave {
            assert!(expect.remove(one), "{one} leaves once");
        }
        expect.extend(come.iter().cloned());
        let remove = match number % 3 {
            0 => json!([op("Remove", &leave)]),
            1 => json!([op("remove", &leave[..1]), op("remove", &leave[1..])]),
            _ => {
                json!([{"op": "remove", "path": format!("members[value eq \"{}\" or value eq \"{}\"]", leave[0], leave[1])}])
            }
        };
        requests.push((path.clone(), remove));
        requests.push((path.clone(), json!([op("Add", &come)])));
    }
    let before = scim.get(&format!("{path}?excludedAttributes=members")).await;
    let answers = patches(scim, requests).await;
    all_done(&answers);
    is_exactly(&members_of(scim, &group).await, &expect);
    let tags: BTreeSet<_> = answers.iter().map(|answer| answer.header("etag").to_owned()).collect();
    assert_eq!(tags.len(), 200, "each change has a version of its own");
    assert!(!tags.contains(before.header("etag")));
}

/// Entra ID sends one member a request, many at a time.
#[tokio::test(flavor = "multi_thread")]
async fn forty_changes_at_once_that_add_one_each_add_forty() {
    let tenant = Tenant::create(system()).await;
    let (scim, group) = (&tenant.scim, group(&tenant.scim).await);
    fill(&system().description().postgres_url, &tenant, 40, &group, 0).await;
    let add = |number| json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": id(number)}]}]);
    let requests = (0..40).map(|number| (format!("/Groups/{group}"), add(number)));
    all_done(&patches(scim, requests.collect()).await);
    is_exactly(&members_of(scim, &group).await, &(0..40).map(id).collect());
    // The same once more, and each three times at once: nobody is a member twice.
    let requests = (0..120).map(|number| (format!("/Groups/{group}"), add(number % 40)));
    all_done(&patches(scim, requests.collect()).await);
    is_exactly(&members_of(scim, &group).await, &(0..40).map(id).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_creations_of_one_name_succeeds() {
    let tenant = Tenant::create(system()).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let scim = tenant.scim.clone();
            tokio::spawn(async move { scim.post("/Users", &user("one@x.test")).await })
        })
        .collect();
    let (mut created, mut refused) = (0, 0);
    for task in tasks {
        let answer = task.await.expect("an answer");
        match (answer.status, answer.json["scimType"].as_str()) {
            (201, None) => created += 1,
            (409, Some("uniqueness")) => refused += 1,
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!((created, refused), (1, 49));
    let found = tenant.scim.find("userName eq \"one@x.test\"").await;
    assert_eq!(found.json["totalResults"], 1);
}

/// A member must be there, so either the deletion comes last and takes the membership, or the user was never added.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_deleted_while_being_added_is_no_member() {
    let tenant = Tenant::create(system()).await;
    let (scim, group) = (&tenant.scim, group(&tenant.scim).await);
    fill(&system().description().postgres_url, &tenant, 60, &group, 0).await;
    let deletions: Vec<_> = (0..30)
        .map(|number| {
            let scim = scim.clone();
            let path = format!("/Users/{}", id(number));
            tokio::spawn(async move { scim.delete(&path).await.status })
        })
        .collect();
    let add = |number| json!([op("add", &[id(number), id(number + 30)])]);
    let requests = (0..30).map(|number| (format!("/Groups/{group}"), add(number)));
    all_done(&patches(scim, requests.collect()).await);
    for deletion in deletions {
        assert_eq!(deletion.await.expect("a status"), 204);
    }
    is_exactly(&members_of(scim, &group).await, &(30..60).map(id).collect());
}

/// Groups that are put into each other, emptied and deleted at the same moment: no request waits for one that waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn groups_in_each_other_are_changed_and_deleted_at_once() {
    let tenant = Tenant::create(system()).await;
    let scim = &tenant.scim;
    let mut groups = Vec::new();
    for _ in 0..8 {
        groups.push(group(scim).await);
    }
    let mut requests = Vec::new();
    for one in &groups {
        let path = format!("/Groups/{one}");
        requests.push((path.clone(), json!([op("add", &groups)])));
        requests.push((path.clone(), json!([op("remove", &groups[2..6])])));
        requests.push((path, json!([op("replace", &groups[..4])])));
    }
    let deletions: Vec<_> = groups[..4]
        .iter()
        .map(|one| {
            let (scim, path) = (scim.clone(), format!("/Groups/{one}"));
            tokio::spawn(async move { scim.delete(&path).await.status })
        })
        .collect();
    for answer in patches(scim, requests).await {
        assert!([200, 404].contains(&answer.status), "{answer:?}");
    }
    for deletion in deletions {
        assert_eq!(deletion.await.expect("a status"), 204);
    }
    for (number, one) in groups.iter().enumerate() {
        let answer = scim.get(&format!("/Groups/{one}")).await;
        assert_eq!(answer.status, if number < 4 { 404 } else { 200 }, "{answer:?}");
        assert!(
            groups[..4].iter().all(|gone| !answer.text.contains(gone) || number < 4),
            "{answer:?}"
        );
    }
}
