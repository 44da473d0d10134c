//! Changes of one group at once: each is done on what the one before it left.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinSet;

use super::*;
use crate::harness::{Core, refused, replace};

const MEMBERS: usize = 6;
const CHANGES: usize = 120;

#[derive(Clone, Debug)]
enum Change {
    Patch(Vec<usize>, Vec<usize>),
    Exactly(Vec<usize>),
}

impl Change {
    /// One of many, by its number.
    fn of(number: usize) -> Self {
        let ids = |factor: usize| {
            (0..MEMBERS)
                .filter(|id| (number * factor + id * 7) % 5 < 2)
                .collect::<Vec<_>>()
        };
        match number % 4 {
            0 => Change::Exactly(ids(3)),
            _ => Change::Patch(ids(11), ids(13)),
        }
    }

    fn operations(&self, ids: &[String]) -> Vec<PatchOperation> {
        let named = |list: &[usize]| list.iter().map(|id| ids[*id].as_str()).collect::<Vec<_>>();
        match self {
            Change::Exactly(list) => vec![exactly(&named(list))],
            Change::Patch(out, list) => vec![without(&named(out)), add(&named(list))],
        }
    }

    fn apply(&self, members: &mut BTreeSet<usize>) {
        match self {
            Change::Exactly(list) => *members = list.iter().copied().collect(),
            Change::Patch(out, list) => {
                members.retain(|id| !out.contains(id));
                members.extend(list);
            }
        }
    }
}

/// The answers' versions say the order; a change that answers the version of another changed nothing after it.
#[tokio::test]
async fn changes_at_once_are_changes_in_the_order_of_their_versions() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let mut ids = Vec::new();
    for number in 0..MEMBERS {
        ids.push(acme.user(&format!("user{number}")).await);
    }
    let group = acme.group("Sales", &[]).await;
    let mut tasks = JoinSet::new();
    for number in 0..CHANGES {
        let (mut acme, ids, group) = (acme.clone(), ids.clone(), group.clone());
        tasks.spawn(async move {
            let change = Change::of(number);
            let answer = acme.patch_group(&group, change.operations(&ids)).await.unwrap();
            (version(&answer), change)
        });
    }
    let mut by_version: BTreeMap<i64, Vec<Change>> = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        let (version, change) = done.unwrap();
        by_version.entry(version).or_default().push(change);
    }
    let mut members = BTreeSet::new();
    for (version, changes) in &by_version {
        let results: Vec<BTreeSet<usize>> = changes
            .iter()
            .map(|change| {
                let mut next = members.clone();
                change.apply(&mut next);
                next
            })
            .collect();
        let writers: Vec<_> = results.iter().filter(|next| **next != members).collect();
        if *version > 1 {
            assert!(!writers.is_empty(), "nobody made version {version}");
            let after = writers[0].clone();
            for change in changes {
                let mut same = after.clone();
                change.apply(&mut same);
                assert_eq!(
                    same, after,
                    "{change:?} answered version {version}, which it is not done in"
                );
            }
            members = after;
        }
    }
    let expect: Vec<_> = members.iter().map(|id| ids[*id].as_str()).collect();
    assert_eq!(acme.members(&group).await, sorted(&expect));
    let last = acme.get_group(&group, GroupView::Basic).await.unwrap();
    assert_eq!(Some(&version(&last)), by_version.keys().next_back());
    assert_eq!(
        i64::try_from(acme.group_events(&group).await.len()).unwrap(),
        version(&last)
    );
}

#[tokio::test]
async fn a_user_that_is_deleted_while_it_joins_is_no_member_and_fails_nobody() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let group = acme.group("Sales", &[]).await;
    for round in 0..20 {
        let ann = acme.user(&format!("ann{round}")).await;
        let (mut joining, mut deleting) = (acme.clone(), acme.clone());
        let operations = vec![add(&[&ann])];
        let (joined, deleted) = tokio::join!(
            joining.patch_group_with(&group, operations, UnknownMembers::LeaveOut),
            deleting.delete(&ann)
        );
        joined.unwrap();
        deleted.unwrap();
        assert!(acme.members(&group).await.is_empty());
    }
}

/// Another tenant's writers of an id are turned away without a turn of its group.
#[tokio::test]
async fn no_tenant_keeps_another_from_its_group() {
    let core = Core::start().await;
    let (mut acme, other) = (core.provider("acme").await, core.provider("other").await);
    let group = acme.group("Sales", &[]).await;
    let mut busy = acme.database.begin().await.unwrap();
    let hold = sqlx::query("SELECT FROM groups WHERE tenant_id = $1 FOR UPDATE").bind(acme.tenant);
    hold.execute(&mut *busy).await.unwrap();
    let waiting = {
        let (mut acme, group) = (acme.clone(), group.clone());
        tokio::spawn(async move { acme.patch_group(&group, vec![replace("displayName", "EU")]).await })
    };
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    for _ in 0..3 {
        let mut other = other.clone();
        let answer = other.patch_group(&group, vec![replace("displayName", "x")]);
        let answer = tokio::time::timeout(std::time::Duration::from_secs(3), answer).await;
        refused(
            answer.expect("nobody waits for another tenant's group"),
            ErrorReason::NotFound,
        );
    }
    assert!(!waiting.is_finished(), "the group is held");
    busy.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().display_name, "EU");
}

/// Deleting a user waits for a push that adds it, and holds no other end of access up meanwhile.
#[tokio::test]
async fn a_push_that_holds_a_user_holds_no_other_end_of_access() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let (ann, bob) = (acme.user("ann").await, acme.user("bob").await);
    let mut push = acme.database.begin().await.unwrap();
    let hold = sqlx::query("SELECT FROM users WHERE tenant_id = $1 AND user_id = $2::uuid FOR KEY SHARE");
    hold.bind(acme.tenant).bind(&ann).execute(&mut *push).await.unwrap();
    let deletions: Vec<_> = (0..4)
        .map(|_| {
            let (mut acme, ann) = (acme.clone(), ann.clone());
            tokio::spawn(async move { acme.delete(&ann).await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    let ended = acme.patch(&bob, vec![replace("active", false)]);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(2), ended).await;
    ended.expect("connections of the lane of access are free").unwrap();
    acme.patch(&ann, vec![replace("active", false)]).await.unwrap();
    push.rollback().await.unwrap();
    let mut deleted = 0;
    for deletion in deletions {
        deleted += usize::from(deletion.await.unwrap().is_ok());
    }
    assert_eq!(deleted, 1, "one of them deletes, the others find nobody");
}

#[tokio::test]
async fn groups_that_hold_each_other_can_be_deleted_at_once() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    for round in 0..15 {
        let a = acme.group(&format!("A{round}"), &[]).await;
        let b = acme.group(&format!("B{round}"), &[&a]).await;
        acme.patch_group(&a, vec![add(&[&b])]).await.unwrap();
        let (mut one, mut other) = (acme.clone(), acme.clone());
        let (first, second) = tokio::join!(one.delete_group(&a), other.delete_group(&b));
        first.unwrap();
        second.unwrap();
    }
}
