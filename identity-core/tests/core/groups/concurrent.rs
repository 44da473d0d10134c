//! Changes of one group at once: each is done on what the one before it left.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinSet;

use super::*;
use crate::harness::Core;

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
