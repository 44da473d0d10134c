//! Logins, judged by PostgreSQL's transactions.

use identity_proto::identity::v1::check_login_request::Begun;
use identity_proto::identity::v1::*;

use crate::harness::*;

async fn begin(core: &Core, tenant: uuid::Uuid) -> String {
    let request = BeginLoginRequest {
        tenant_id: tenant.to_string(),
    };
    core.access()
        .begin_login(request)
        .await
        .unwrap()
        .into_inner()
        .login_token
}

async fn check(core: &Core, token: String, user: &User) -> Result<CheckLoginResponse, tonic::Status> {
    let request = CheckLoginRequest {
        user_id: user.id.clone(),
        begun: Some(Begun::LoginToken(token)),
        ..Default::default()
    };
    core.access()
        .check_login(request)
        .await
        .map(tonic::Response::into_inner)
}

/// A dump that is restored into a new cluster has transaction ids that the new one has not come to.
#[tokio::test]
async fn users_of_a_restored_dump_can_log_in_until_their_access_changes() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let user = provider.create(named("ann")).await.unwrap();
    for table in ["user_access", "tenant_access"] {
        let restored = format!("UPDATE {table} SET changed_xid = '9000000000'::xid8");
        sqlx::query(sqlx::AssertSqlSafe(restored))
            .execute(&core.database)
            .await
            .unwrap();
    }
    let token = begin(&core, provider.tenant).await;
    check(&core, token.clone(), &user).await.unwrap();
    provider.patch(&user.id, vec![replace("active", false)]).await.unwrap();
    provider.patch(&user.id, vec![replace("active", true)]).await.unwrap();
    refused(check(&core, token, &user).await, ErrorReason::LoginStale);
    let token = begin(&core, provider.tenant).await;
    check(&core, token, &user).await.unwrap();
}
