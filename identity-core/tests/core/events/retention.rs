//! What is removed when it is old, and what stays of it.

use super::*;

/// What the task does once a minute, under its role. How many events went.
async fn trim(database: &PgPool) -> i64 {
    let mut connection = database.acquire().await.unwrap();
    let as_system = "SET ROLE portcullis_system";
    sqlx::query(as_system).execute(&mut *connection).await.unwrap();
    let trimmed = sqlx::query_scalar("SELECT trim_events('30 days', '90 days', 1000)")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    sqlx::query("RESET ROLE").execute(&mut *connection).await.unwrap();
    trimmed
}

async fn mark_applied(database: &PgPool) {
    let statement = "UPDATE outbox SET applied_at = clock_timestamp() WHERE access_epoch IS NOT NULL";
    sqlx::query(statement).execute(database).await.unwrap();
}

/// Rows of `outbox` that hold what an event told.
async fn bodies(database: &PgPool) -> i64 {
    let statement = "SELECT count(*) FROM outbox WHERE body <> ''";
    sqlx::query_scalar(statement).fetch_one(database).await.unwrap()
}

/// The session service acknowledges what it pruned for the user's access as it is.
async fn prune(core: &Core, provider: &Provider, user: &str) {
    let prune = AcknowledgePruneRequest {
        tenant_id: provider.tenant.to_string(),
        user_id: user.to_owned(),
        epoch: provider.trace(user).await.epoch,
        bucket: 1,
        pruned: 3,
    };
    core.access().acknowledge_prune(prune).await.unwrap();
}

#[tokio::test]
async fn old_events_go_once_they_are_acknowledged_and_the_oldest_in_any_case() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let mut other = core.provider("other").await;
    let tenant = provider.tenant;
    for number in 1..=6 {
        provider.create(named(&format!("u{number}"))).await.unwrap();
    }
    other.create(named("eve")).await.unwrap();
    all(&core, tenant, 6).await;
    all(&core, other.tenant, 1).await;
    assert_eq!(trim(&core.database).await, 0, "all are new");
    // The third is new: what comes after it stays with it, so that nothing is missing in between.
    age(&core.database, 1..=2, 31).await;
    age(&core.database, 4..=4, 31).await;
    acknowledge(&core, tenant, "portal", 1).await.unwrap();
    assert_eq!(trim(&core.database).await, 2, "one of each tenant");
    assert_eq!(trim(&core.database).await, 0, "the second is not acknowledged");
    age(&core.database, 2..=2, 60).await;
    assert_eq!(trim(&core.database).await, 1, "91 days are too long for anyone");
    assert_eq!(count(&core.database, "outbox").await, 4);

    let gone = refused(list(&core, from(tenant, 2)).await, ErrorReason::EventsGone);
    assert_eq!(metadata(&gone, "oldest_sequence").as_deref(), Some("3"));
    assert_eq!(metadata(&gone, "last_sequence").as_deref(), Some("6"));
    refused(
        subscribe(&core, tenant, 0, "portal").await.map(|_| ()),
        ErrorReason::EventsGone,
    );
    let behind = &consumers(&core, tenant).await.unwrap()[0];
    assert_eq!(
        (behind.acknowledged_sequence, behind.waiting),
        (1, 4),
        "two to six, and the second is gone"
    );
    acknowledge(&core, tenant, "portal", 0).await.unwrap();
    refused(
        subscribe(&core, tenant, 0, "portal").await.map(|_| ()),
        ErrorReason::EventsGone,
    );
    let new = acknowledge(&core, tenant, "mails", 0).await.unwrap();
    assert_eq!((new.acknowledged_sequence, new.waiting), (2, 4));
    let mut stream = subscribe(&core, tenant, 0, "mails").await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().sequence, 3);

    let kept = list(&core, from(tenant, 0)).await.unwrap();
    assert_eq!((kept.events.len(), kept.events[0].sequence), (4, 3));
    assert_eq!(list(&core, from(other.tenant, 0)).await.unwrap().next_sequence, 2);
    provider.create(named("u7")).await.unwrap();
    let mut stream = subscribe(&core, tenant, 7, "").await.unwrap();
    let next = timeout(SOON, stream.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(next.sequence, 7, "a removed number is not given again");
}

#[tokio::test]
async fn a_change_of_access_stays_until_it_is_applied_and_the_last_one_until_the_next() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let tenant = provider.tenant;
    // There is no Redis here, so that changes of access wait.
    let ann = provider.create(named("ann")).await.unwrap();
    for active in [false, true, false] {
        provider.patch(&ann.id, vec![replace("active", active)]).await.unwrap();
        prune(&core, &provider, &ann.id).await;
    }
    all(&core, tenant, 4).await;
    age(&core.database, 1..=4, 91).await;
    assert_eq!(trim(&core.database).await, 1);
    assert_eq!(trim(&core.database).await, 0, "the first deactivation waits");
    mark_applied(&core.database).await;
    assert_eq!(trim(&core.database).await, 3);
    let gone = refused(list(&core, from(tenant, 4)).await, ErrorReason::EventsGone);
    assert_eq!(metadata(&gone, "oldest_sequence").as_deref(), Some("5"));

    let show = async || {
        let request = GetAccessRequest {
            tenant_id: tenant.to_string(),
            user_id: ann.id.clone(),
        };
        let access = core.access().get_access(request).await.unwrap().into_inner();
        (access.apply_time.is_some(), access.pruned)
    };
    let left = async || {
        (
            count(&core.database, "outbox").await,
            count(&core.database, "access_prune").await,
        )
    };
    assert_eq!(
        (left().await, show().await),
        ((1, 1), (true, 3)),
        "the last one is still told of"
    );
    assert_eq!(bodies(&core.database).await, 0, "without what it told");

    provider.delete(&ann.id).await.unwrap();
    prune(&core, &provider, &ann.id).await;
    mark_applied(&core.database).await;
    timeout(SOON, async {
        while list(&core, from(tenant, 5)).await.unwrap().events.is_empty() {}
    })
    .await
    .unwrap();
    age(&core.database, 5..=5, 91).await;
    assert_eq!(trim(&core.database).await, 1);
    assert_eq!((left().await, show().await), ((1, 1), (true, 3)), "now the deletion is");
    assert_eq!(bodies(&core.database).await, 0);
}

#[tokio::test]
async fn of_a_tenants_own_access_the_last_change_stays_with_what_became_of_it() {
    let core = Core::start().await;
    let tenant = core.tenant("acme").await;
    let id: Uuid = tenant.id.parse().unwrap();
    let suspend = SuspendTenantRequest { tenant: "acme".into() };
    let resume = ResumeTenantRequest { tenant: "acme".into() };
    let asked = ListAccessChangesRequest {
        tenant_id: tenant.id.clone(),
        ..Default::default()
    };
    let changes = async || {
        let page = core.access().list_access_changes(asked.clone()).await.unwrap();
        page.into_inner().changes
    };
    core.tenants().suspend_tenant(suspend.clone()).await.unwrap();
    core.tenants().resume_tenant(resume).await.unwrap();
    core.tenants().suspend_tenant(suspend).await.unwrap();
    let all_three = changes().await;
    for change in &all_three {
        for bucket in 0..64 {
            let prune = AcknowledgePruneRequest {
                tenant_id: tenant.id.clone(),
                epoch: change.outcome.as_ref().unwrap().epoch,
                bucket,
                pruned: 2,
                ..Default::default()
            };
            core.access().acknowledge_prune(prune).await.unwrap();
        }
    }
    mark_applied(&core.database).await;
    all(&core, id, 3).await;
    let before = changes().await;
    age(&core.database, 1..=2, 91).await;
    assert_eq!(trim(&core.database).await, 2);
    assert_eq!(changes().await, before[..1], "two are gone");
    age(&core.database, 3..=3, 91).await;
    assert_eq!(trim(&core.database).await, 1);
    let kept = changes().await;
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].state(), &kept[0].outcome),
        (AccessState::AccessInactive, &before[0].outcome)
    );
    let left = (
        count(&core.database, "outbox").await,
        count(&core.database, "access_prune").await,
    );
    assert_eq!((left, bodies(&core.database).await), ((1, 64), 0));

    let delete = DeleteTenantRequest { tenant: "acme".into() };
    core.tenants().delete_tenant(delete).await.unwrap();
    mark_applied(&core.database).await;
    timeout(SOON, async {
        while list(&core, from(id, 4)).await.unwrap().events.is_empty() {}
    })
    .await
    .unwrap();
    age(&core.database, 4..=4, 91).await;
    assert_eq!(trim(&core.database).await, 1);
    let deleted = changes().await;
    assert_eq!(
        (deleted.len(), deleted[0].state()),
        (1, AccessState::AccessDeleted),
        "it took its place"
    );
    assert_eq!(count(&core.database, "access_prune").await, 0);
}

#[tokio::test]
async fn a_core_removes_old_events_by_itself() {
    let url = database().await;
    let core = Core::on(&url).await;
    let mut provider = core.provider("acme").await;
    provider.create(named("ann")).await.unwrap();
    all(&core, provider.tenant, 1).await;
    age(&core.database, 1..=1, 31).await;
    let another = Core::on(&url).await;
    let removed = async {
        while count(&another.database, "outbox").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, removed).await.expect("it looks when it starts");
}

#[tokio::test]
async fn of_a_deleted_tenants_users_nothing_stays_that_tells_of_them() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let (ann, ben) = (
        provider.create(named("ann")).await.unwrap(),
        provider.create(named("ben")).await.unwrap(),
    );
    provider.patch(&ann.id, vec![replace("active", false)]).await.unwrap();
    provider.delete(&ben.id).await.unwrap();
    let delete = DeleteTenantRequest { tenant: "acme".into() };
    core.tenants().delete_tenant(delete).await.unwrap();
    all(&core, provider.tenant, 5).await;
    mark_applied(&core.database).await;
    age(&core.database, 1..=5, 29).await;
    assert_eq!((trim(&core.database).await, bodies(&core.database).await), (0, 5));
    age(&core.database, 1..=5, 2).await;
    assert_eq!(trim(&core.database).await, 5);
    assert_eq!(
        (count(&core.database, "outbox").await, bodies(&core.database).await),
        (3, 0),
        "the last changes of access of two users, and of the tenant"
    );
}
