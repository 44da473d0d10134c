//! A database that a later version has migrated already: after a crash or a rollback this version must start on it.

use identity_proto::identity::v1::GetUserRequest;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::*;

#[tokio::test]
async fn a_database_of_a_later_version_is_served() {
    let migrate = async |url: &str| identity_core::migrate(&runtime::Secret::new(url)).await;
    let url = local_stack::test::Postgres::shared().database("core", migrate).await;
    for statement in [
        "ALTER TABLE users ADD COLUMN later text NOT NULL DEFAULT 'x'",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', true, '\\x00', 1)",
    ] {
        local_stack::test::Postgres::shared().sql(&url, statement).unwrap();
    }
    let core = Core::on(&url).await;
    let serves = async || {
        let answer = HealthClient::new(core.channel.clone())
            .check(HealthCheckRequest::default())
            .await;
        answer.unwrap().into_inner().status() == ServingStatus::Serving
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !serves().await {
        assert!(std::time::Instant::now() < deadline, "it does not serve");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("ann")).await.unwrap();
    let get = GetUserRequest {
        tenant_id: provider.tenant.to_string(),
        id: ann.id.clone(),
        ..GetUserRequest::default()
    };
    let mut users = core.users(As::service(PLATFORM));
    assert_eq!(users.get_user(get).await.unwrap().into_inner(), ann);
}
