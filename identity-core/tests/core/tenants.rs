//! Tenants and their access.

use identity_proto::identity::v1::tenant::State;
use identity_proto::identity::v1::*;

use crate::harness::*;

async fn trace(core: &Core, tenant: &Tenant) -> (i64, String, Vec<(String, Option<i16>, bool)>) {
    let id: uuid::Uuid = tenant.id.parse().unwrap();
    let (epoch, state) = sqlx::query_as("SELECT epoch, state FROM tenant_access WHERE tenant_id = $1")
        .bind(id)
        .fetch_one(&core.database)
        .await
        .unwrap();
    let events = sqlx::query_as(
        "SELECT kind, bucket, access_epoch IS NOT NULL FROM outbox WHERE tenant_id = $1 AND user_id IS NULL ORDER BY outbox_id",
    )
    .bind(id)
    .fetch_all(&core.database)
    .await
    .unwrap();
    (epoch, state, events)
}

#[tokio::test]
async fn a_tenant_is_found_by_id_and_by_name() {
    let core = Core::start().await;
    let tenant = core.tenant("acme").await;
    assert_eq!((tenant.state(), tenant.scim_enabled), (State::Active, true));
    assert_eq!(tenant.profile(), tenant::Profile::Interop);
    for reference in [&tenant.id, "acme"] {
        let request = GetTenantRequest {
            tenant: reference.to_owned(),
        };
        assert_eq!(core.tenants().get_tenant(request).await.unwrap().into_inner(), tenant);
    }
    for unknown in ["other", "", "ACME", "00000000-0000-0000-0000-000000000000"] {
        let request = GetTenantRequest {
            tenant: unknown.to_owned(),
        };
        refused(core.tenants().get_tenant(request).await, ErrorReason::NotFound);
    }
}

#[tokio::test]
async fn a_name_is_taken_once_and_must_be_a_name() {
    let core = Core::start().await;
    core.tenant("acme").await;
    for (name, expect) in [
        ("acme", ErrorReason::Uniqueness),
        ("Acme", ErrorReason::InvalidValue),
        ("", ErrorReason::InvalidValue),
    ] {
        let request = CreateTenantRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        refused(core.tenants().create_tenant(request).await, expect);
    }
}

#[tokio::test]
async fn tenants_are_listed_by_name_in_pages() {
    let core = Core::start().await;
    for name in ["b", "c", "a"] {
        core.tenant(name).await;
    }
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListTenantsRequest {
            page_size: 2,
            page_token,
        };
        let page = core.tenants().list_tenants(request).await.unwrap().into_inner();
        names.extend(page.tenants.into_iter().map(|tenant| tenant.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn suspending_and_resuming_move_one_epoch_each_and_only_once() {
    let core = Core::start().await;
    let tenant = core.tenant("acme").await;
    let mut provider = core.users(As::scim(&core.token("acme").await.secret));
    let suspend = || SuspendTenantRequest { tenant: "acme".into() };
    let resume = || ResumeTenantRequest { tenant: "acme".into() };
    let created = trace(&core, &tenant).await;
    assert_eq!((created.1.as_str(), created.2.len()), ("active", 0));

    let first = core.tenants().suspend_tenant(suspend()).await.unwrap().into_inner();
    assert_eq!(first.state(), State::Suspended);
    let suspended = trace(&core, &tenant).await;
    assert!(suspended.0 > created.0);
    assert_eq!(suspended.1, "inactive");
    assert_eq!(suspended.2, [("tenant:access".to_owned(), None, true)]);
    assert_eq!(
        core.tenants().suspend_tenant(suspend()).await.unwrap().into_inner(),
        first
    );
    assert_eq!(trace(&core, &tenant).await, suspended, "suspending twice moves nothing");
    refused(
        provider.list_users(ListUsersRequest::default()).await,
        ErrorReason::TenantSuspended,
    );

    let resumed = core.tenants().resume_tenant(resume()).await.unwrap().into_inner();
    assert_eq!(resumed.state(), State::Active);
    let active = trace(&core, &tenant).await;
    assert!(active.0 > suspended.0);
    assert_eq!((active.1.as_str(), active.2.len()), ("active", 2));
    provider.list_users(ListUsersRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_deleted_tenant_takes_its_users_and_tokens_along() {
    let core = Core::start().await;
    let tenant = core.tenant("acme").await;
    let secret = core.token("acme").await.secret;
    let mut provider = core.provider("other").await;
    let kept = provider.create(named("kept")).await.unwrap();
    let mut users = core.users(As::scim(&secret));
    let request = CreateUserRequest {
        user: Some(User {
            display_name: Some("with a searchable value".into()),
            ..named("ann")
        }),
        ..Default::default()
    };
    users.create_user(request.clone()).await.unwrap();
    let before = trace(&core, &tenant).await;
    let delete = || DeleteTenantRequest { tenant: "acme".into() };
    assert_eq!(
        core.tenants()
            .delete_tenant(delete())
            .await
            .unwrap()
            .into_inner()
            .state(),
        State::Deleted
    );
    let after = trace(&core, &tenant).await;
    assert!(after.0 > before.0);
    assert_eq!((after.1.as_str(), after.2.len()), ("deleted", 1));
    refused(core.tenants().delete_tenant(delete()).await, ErrorReason::NotFound);

    let left: Vec<(uuid::Uuid,)> = sqlx::query_as("SELECT user_id FROM users")
        .fetch_all(&core.database)
        .await
        .unwrap();
    assert_eq!(left, [(kept.id.parse().unwrap(),)]);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    refused(users.create_user(request.clone()).await, ErrorReason::CredentialInvalid);
    let mut admin = core.users(As::service(ADMIN));
    let request = CreateUserRequest {
        tenant_id: tenant.id.clone(),
        ..request
    };
    refused(admin.create_user(request).await, ErrorReason::NotFound);
    assert_ne!(
        core.tenant("acme").await.id,
        tenant.id,
        "the name is free for a new tenant"
    );
}

#[tokio::test]
async fn scim_can_be_switched_off_and_on() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let set = |enabled| SetScimRequest {
        tenant: "acme".into(),
        enabled,
    };
    assert!(
        !core
            .tenants()
            .set_scim(set(false))
            .await
            .unwrap()
            .into_inner()
            .scim_enabled
    );
    refused(provider.create(named("ann")).await, ErrorReason::ScimDisabled);
    assert!(
        core.tenants()
            .set_scim(set(true))
            .await
            .unwrap()
            .into_inner()
            .scim_enabled
    );
    provider.create(named("ann")).await.unwrap();
}
