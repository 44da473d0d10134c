//! What an auditor is told of changes of access: of one user, of a whole tenant, and beside events.

use identity_proto::identity::v1::*;
use uuid::Uuid;

use crate::harness::*;

const DEACTIVATE: &str = "urn:ietf:params:scim:event:prov:deactivate";
const BUCKETS: i32 = 64;

fn of(provider: &Provider, user: &str) -> ListAccessChangesRequest {
    ListAccessChangesRequest {
        tenant_id: provider.tenant.to_string(),
        user_id: user.to_owned(),
        ..Default::default()
    }
}

async fn changes(core: &Core, mut request: ListAccessChangesRequest) -> Vec<AccessChangeRecord> {
    let mut all = Vec::new();
    loop {
        let page = core.access().list_access_changes(request.clone()).await.unwrap();
        let page = page.into_inner();
        assert!(request.page_size == 0 || page.changes.len() <= usize::try_from(request.page_size).unwrap());
        all.extend(page.changes);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

fn states(changes: &[AccessChangeRecord]) -> Vec<AccessState> {
    changes.iter().map(AccessChangeRecord::state).collect()
}

fn outcome(change: &AccessChangeRecord) -> &AccessOutcome {
    change.outcome.as_ref().unwrap()
}

/// The session service pruned so many sessions of a bucket.
async fn prune(core: &Core, tenant: Uuid, user: &str, epoch: i64, (bucket, pruned): (i32, i64)) {
    let request = AcknowledgePruneRequest {
        tenant_id: tenant.to_string(),
        user_id: user.to_owned(),
        epoch,
        bucket,
        pruned,
    };
    core.access().acknowledge_prune(request).await.unwrap();
}

async fn mark_applied(core: &Core) {
    let statement = "UPDATE outbox SET applied_at = clock_timestamp() WHERE access_epoch IS NOT NULL";
    sqlx::query(statement).execute(&core.database).await.unwrap();
}

#[tokio::test]
async fn each_change_of_a_users_access_is_listed_with_what_became_of_it_also_after_the_user() {
    use AccessState::{AccessActive, AccessDeleted, AccessInactive, Unspecified};
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let other = core.provider("other").await;
    let ann = acme.create(named("ann")).await.unwrap().id;
    assert_eq!(changes(&core, of(&acme, &ann)).await, [], "a creation ends nothing");
    for active in [false, true] {
        acme.patch(&ann, vec![replace("active", active)]).await.unwrap();
    }
    acme.patch(&ann, vec![replace("title", "none of access")])
        .await
        .unwrap();
    let end = EndAccessRequest {
        tenant_id: acme.tenant.to_string(),
        user_id: ann.clone(),
    };
    let ended = core.access().end_access(end).await.unwrap().into_inner();
    mark_applied(&core).await;
    acme.delete(&ann).await.unwrap();
    prune(&core, acme.tenant, &ann, ended.epoch, (7, 3)).await;

    for page_size in [0, 1, 3, 4, 5] {
        let listed = changes(
            &core,
            ListAccessChangesRequest {
                page_size,
                ..of(&acme, &ann)
            },
        )
        .await;
        assert_eq!(
            states(&listed),
            [AccessDeleted, Unspecified, AccessActive, AccessInactive],
            "by {page_size}"
        );
        assert!(
            listed
                .windows(2)
                .all(|two| outcome(&two[0]).epoch > outcome(&two[1]).epoch)
        );
    }
    let listed = changes(&core, of(&acme, &ann)).await;
    assert!(listed[3].types.iter().any(|one| one == DEACTIVATE), "{listed:?}");
    assert_eq!(listed[1].types, ["urn:portcullis:event:access:ended"]);
    let [deleted, ended, _, inactive] = [0, 1, 2, 3].map(|place| outcome(&listed[place]));
    assert!(deleted.apply_time.is_none() && inactive.apply_time.is_some());
    assert_eq!((ended.pruned, ended.prune_time.is_some()), (3, true));
    assert_eq!(
        (deleted.pruned, deleted.prune_time),
        (0, None),
        "nobody acknowledged it"
    );
    assert_eq!(
        (inactive.pruned, inactive.prune_time),
        (0, ended.prune_time),
        "its sessions were gone then too"
    );

    refused(
        core.access().list_access_changes(of(&other, &ann)).await,
        ErrorReason::NotFound,
    );
    let none = Uuid::new_v4().to_string();
    refused(
        core.access().list_access_changes(of(&acme, &none)).await,
        ErrorReason::NotFound,
    );
}

#[tokio::test]
async fn a_page_token_leads_on_in_its_own_list_alone() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let mut ids = Vec::new();
    for name in ["ann", "bob"] {
        let id = acme.create(named(name)).await.unwrap().id;
        for active in [false, true] {
            acme.patch(&id, vec![replace("active", active)]).await.unwrap();
        }
        ids.push(id);
    }
    let first = ListAccessChangesRequest {
        page_size: 1,
        ..of(&acme, &ids[0])
    };
    let page_token = core
        .access()
        .list_access_changes(first)
        .await
        .unwrap()
        .into_inner()
        .next_page_token;
    for subject in [ids[1].as_str(), ""] {
        let request = ListAccessChangesRequest {
            page_token: page_token.clone(),
            ..of(&acme, subject)
        };
        refused(
            core.access().list_access_changes(request).await,
            ErrorReason::PageTokenInvalid,
        );
    }
}

#[tokio::test]
async fn what_a_tenants_ending_pruned_is_summed_over_buckets_and_told_after_the_tenant() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    acme.create(named("ann")).await.unwrap();
    let suspend = SuspendTenantRequest { tenant: "acme".into() };
    core.tenants().suspend_tenant(suspend).await.unwrap();
    mark_applied(&core).await;
    let standing = async || {
        let request = GetAccessRequest {
            tenant_id: acme.tenant.to_string(),
            ..Default::default()
        };
        core.access().get_access(request).await.unwrap().into_inner()
    };
    let suspended = standing().await;
    assert_eq!(
        (suspended.state(), suspended.user_id.as_str()),
        (AccessState::AccessInactive, "")
    );
    assert!(suspended.apply_time.is_some());
    for bucket in 0..BUCKETS {
        let now = standing().await;
        assert_eq!(
            (now.pruned, now.prune_time.is_some()),
            (2 * i64::from(bucket), bucket > 0)
        );
        prune(&core, acme.tenant, "", suspended.epoch, (bucket, 2)).await;
    }
    let delete = DeleteTenantRequest { tenant: "acme".into() };
    core.tenants().delete_tenant(delete).await.unwrap();
    assert_eq!(standing().await.state(), AccessState::AccessDeleted);
    let listed = changes(&core, of(&acme, "")).await;
    assert_eq!(
        states(&listed),
        [AccessState::AccessDeleted, AccessState::AccessInactive]
    );
    let ended = outcome(&listed[1]);
    assert_eq!((ended.epoch, ended.pruned), (suspended.epoch, 128));
    assert!(ended.prune_time.is_some());
    let nowhere = ListAccessChangesRequest {
        tenant_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    refused(core.access().list_access_changes(nowhere).await, ErrorReason::NotFound);
}

#[tokio::test]
async fn an_acknowledgement_that_comes_late_or_twice_counts_once() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let ann = acme.create(named("ann")).await.unwrap().id;
    acme.patch(&ann, vec![replace("active", false)]).await.unwrap();
    let epoch = acme.trace(&ann).await.epoch;
    prune(&core, acme.tenant, &ann, epoch, (9, 0)).await;
    let early = changes(&core, of(&acme, &ann)).await;
    assert_eq!(
        outcome(&early[0]).prune_time,
        None,
        "its register is not known to have moved"
    );
    mark_applied(&core).await;
    for (count, expect) in [(0, 0), (5, 5), (5, 5), (3, 5), (8, 8)] {
        prune(&core, acme.tenant, &ann, epoch, (9, count)).await;
        let listed = changes(&core, of(&acme, &ann)).await;
        assert_eq!(outcome(&listed[0]).pruned, expect, "after {count}");
        assert!(
            outcome(&listed[0]).prune_time.is_some(),
            "also when there was nothing to prune"
        );
    }
}

#[tokio::test]
async fn an_event_that_changed_access_says_what_became_of_it_when_it_is_read() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let ann = acme.create(named("ann")).await.unwrap().id;
    acme.patch(&ann, vec![replace("active", false)]).await.unwrap();
    let epoch = acme.trace(&ann).await.epoch;
    let read = async || loop {
        let request = ListEventsRequest {
            tenant_id: acme.tenant.to_string(),
            ..Default::default()
        };
        let events = core
            .events(PLATFORM)
            .list_events(request)
            .await
            .unwrap()
            .into_inner()
            .events;
        if let [created, patched] = events.as_slice() {
            assert_eq!(created.access_outcome, None, "no access changed");
            return patched.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let before = read().await;
    let waits = AccessOutcome {
        epoch,
        ..Default::default()
    };
    assert_eq!(before.access_outcome, Some(waits));
    mark_applied(&core).await;
    prune(&core, acme.tenant, &ann, epoch, (9, 4)).await;
    let after = read().await;
    let told = after.access_outcome.as_ref().unwrap();
    assert_eq!((told.epoch, told.pruned), (epoch, 4));
    assert!(told.apply_time.is_some() && told.prune_time.is_some());
    let access_outcome = None;
    assert_eq!(
        Event {
            access_outcome,
            ..after
        },
        Event {
            access_outcome,
            ..before
        },
        "all else is the same in every delivery"
    );
}
