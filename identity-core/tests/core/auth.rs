//! Who may call what.

use identity_proto::identity::v1::*;
use identity_proto::status::metadata;
use runtime::grpc::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::*;

fn ask(tenant: &str) -> ListUsersRequest {
    ListUsersRequest {
        tenant_id: tenant.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn nothing_but_health_is_answered_without_a_key() {
    let core = Core::start().await;
    let mut stranger: user_service_client::UserServiceClient<Channel> =
        user_service_client::UserServiceClient::new(core.channel.clone());
    refused(stranger.list_users(ask("")).await, ErrorReason::ServiceKeyInvalid);
    let mut guess = core.users(As::service("admin-key-0123456788"));
    refused(guess.list_users(ask("")).await, ErrorReason::ServiceKeyInvalid);
    let health = HealthClient::new(core.channel.clone())
        .check(HealthCheckRequest::default())
        .await;
    health.unwrap();
}

#[tokio::test]
async fn a_service_names_the_tenant_and_reads_it() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("ann")).await.unwrap();
    let mut platform = core.users(As::service(PLATFORM));
    let tenant = provider.tenant.to_string();
    let page = platform.list_users(ask(&tenant)).await.unwrap().into_inner();
    assert_eq!(page.users, std::slice::from_ref(&ann));
    refused(platform.list_users(ask("")).await, ErrorReason::NotFound);
    let delete = DeleteUserRequest {
        tenant_id: tenant,
        id: ann.id,
        ..Default::default()
    };
    refused(platform.delete_user(delete).await, ErrorReason::MethodNotAllowed);
}

#[tokio::test]
async fn a_scim_callers_tenant_comes_from_its_credential_alone() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let other = core.tenant("other").await;
    refused(
        provider.users.list_users(ask(&other.id)).await,
        ErrorReason::InvalidValue,
    );
    let mut edge = core.users(As::service(EDGE));
    refused(edge.list_users(ask(&other.id)).await, ErrorReason::CredentialInvalid);
    let secret = core.token("acme").await.secret;
    let mut platform = core.users(As::service(PLATFORM).with(&secret));
    refused(platform.list_users(ask("")).await, ErrorReason::MethodNotAllowed);
    let mut other_edge = core.users(As::service(OTHER_EDGE).with(&secret));
    refused(other_edge.list_users(ask("")).await, ErrorReason::CredentialInvalid);
    core.users(As::scim(&secret)).list_users(ask("")).await.unwrap();
    let mut unknown = core.users(As::scim("pcs_unknown"));
    refused(unknown.list_users(ask("")).await, ErrorReason::CredentialInvalid);
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say() {
    let core = Core::start().await;
    core.tenant("acme").await;
    let request = CreateTokenRequest {
        tenant: "acme".into(),
        scopes: vec!["scim.read".into()],
        ..Default::default()
    };
    let mut admin = core.credentials(As::service(ADMIN));
    let secret = admin.create_token(request).await.unwrap().into_inner().secret;
    let mut reader = core.users(As::scim(&secret));
    reader.list_users(ask("")).await.unwrap();
    let create = CreateUserRequest {
        user: Some(named("ann")),
        ..Default::default()
    };
    let status = refused(reader.create_user(create).await, ErrorReason::ScopeMissing);
    assert_eq!(metadata(&status, "scope").as_deref(), Some("scim.write"));
}

#[tokio::test]
async fn a_database_that_is_gone_is_unavailable_and_no_hang() {
    let core = Core::on("postgres://nobody@127.0.0.1:1/none").await;
    let since = std::time::Instant::now();
    let mut platform = core.users(As::service(PLATFORM));
    let status = refused(
        platform.list_users(ask(&uuid::Uuid::nil().to_string())).await,
        ErrorReason::Unavailable,
    );
    assert!(identity_proto::status::retry_after(&status).is_some());
    assert!(since.elapsed() < std::time::Duration::from_secs(5));
    let mut edge = core.users(As::scim("pcs_any"));
    refused(edge.list_users(ask("")).await, ErrorReason::Unavailable);
}

#[tokio::test]
async fn a_frozen_database_is_unavailable_and_no_hang_and_then_serves_again() {
    let mut server = local_stack::test::Postgres::start_fresh();
    let migrate = async |url: &str| identity_core::migrate(&runtime::Secret::new(url)).await;
    let core = Core::on(&server.database("core", migrate).await).await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("ann")).await.unwrap();

    let frozen = Frozen::freeze(server.process().pid(), &core).await;
    let since = std::time::Instant::now();
    for operations in [vec![replace("active", false)], vec![replace("title", "x")]] {
        refused(provider.patch(&ann.id, operations).await, ErrorReason::Unavailable);
    }
    assert!(
        since.elapsed() < std::time::Duration::from_secs(10),
        "five seconds each"
    );
    drop(frozen);
    assert_eq!(provider.get(&ann.id).await.unwrap().user_name, "ann");
    provider.patch(&ann.id, vec![replace("title", "y")]).await.unwrap();
}

/// Processes of a PostgreSQL server that stand still until this is dropped.
struct Frozen(Vec<String>);

impl Frozen {
    async fn freeze(postmaster: u32, core: &Core) -> Self {
        let backends = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'portcullis identity-core'";
        let mut pids: Vec<String> = sqlx::query_scalar(backends).fetch_all(&core.database).await.unwrap();
        pids.push(postmaster.to_string());
        signal("-STOP", &pids);
        Frozen(pids)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

fn signal(signal: &str, pids: &[String]) {
    let sent = std::process::Command::new("kill")
        .arg(signal)
        .args(pids)
        .status()
        .unwrap();
    assert!(sent.success());
}
