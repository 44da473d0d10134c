//! The example of a service that keeps a table of users of its own: killed in the middle of its work again and again, it
//! loses nothing and does nothing twice.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::{Tenant, scim};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::system;

const SOON: Duration = Duration::from_secs(30);

/// The service, at work for one tenant.
struct Service(Child);

impl Service {
    fn start(tenant: &Tenant) -> Self {
        let description = system().description();
        let child = Command::new(env!("CARGO_BIN_EXE_user-table-under-test"))
            .env("IDENTITY_GRPC", &description.identity_grpc)
            .env("SERVICE_KEY", &description.service_key)
            .env("TENANT_ID", &tenant.id)
            .env("DATABASE_URL", &description.postgres_url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the service starts");
        Service(child)
    }

    /// As the kernel does when memory runs out.
    fn kill(mut self) {
        self.0.kill().expect("it runs until it is killed");
        self.0.wait().expect("it can be waited for");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

type Users = BTreeMap<String, (String, Option<String>, bool)>;

async fn of_table(database: &PgPool, tenant: &Tenant) -> Users {
    let statement =
        "SELECT user_id::text, user_name, display_name, active FROM user_table.users WHERE tenant_id = $1::uuid";
    let rows: Vec<(String, String, Option<String>, bool)> = sqlx::query_as(statement)
        .bind(&tenant.id)
        .fetch_all(database)
        .await
        .unwrap_or_default();
    rows.into_iter()
        .map(|(id, name, display, active)| (id, (name, display, active)))
        .collect()
}

async fn of_scim(tenant: &Tenant) -> Users {
    let list = tenant.scim.get("/Users?count=1000").await;
    let users = list.json["Resources"].as_array().expect("a list").iter();
    users
        .map(|user| {
            let text = |name: &str| user[name].as_str().map(str::to_owned);
            let name = text("userName").expect("a name");
            let active = user["active"].as_bool() == Some(true);
            (text("id").expect("an id"), (name, text("displayName"), active))
        })
        .collect()
}

/// Waits until the table is what SCIM says.
async fn in_step(database: &PgPool, tenant: &Tenant) {
    let (expect, deadline) = (of_scim(tenant).await, Instant::now() + SOON);
    loop {
        let table = of_table(database, tenant).await;
        if table == expect {
            return;
        }
        assert!(Instant::now() < deadline, "{table:#?} is not {expect:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn patch(tenant: &Tenant, id: &str, path: &str, value: Value) {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": path, "value": value}],
    });
    let request = tenant.scim.request(Method::PATCH, &format!("/Users/{id}")).json(&body);
    assert_eq!(scim::send(request).await.status, 200);
}

/// What an identity provider does in a busy hour.
async fn provision(tenant: &Tenant, kept: &str) {
    for round in 0..60 {
        let id = tenant.user().await;
        patch(tenant, &id, "displayName", format!("Ann {round}").into()).await;
        match round % 4 {
            0 => patch(tenant, &id, "active", false.into()).await,
            1 => assert_eq!(tenant.scim.delete(&format!("/Users/{id}")).await.status, 204),
            _ => {}
        }
        patch(tenant, kept, "active", (round % 2 == 0).into()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_in_step_however_often_its_service_is_killed() {
    let tenant = Tenant::create(system()).await;
    let database = PgPool::connect(&system().description().postgres_url)
        .await
        .expect("PostgreSQL");
    let kept = tenant.user().await;
    let provider = tenant.clone();
    let writing = tokio::spawn(async move { provision(&provider, &kept).await });
    let (mut kills, mut noted) = (0, 0);
    while !writing.is_finished() {
        let service = Service::start(&tenant);
        let random = u64::from(Uuid::new_v4().as_bytes()[0]);
        tokio::time::sleep(Duration::from_millis(100 + random)).await;
        service.kill();
        kills += 1;
        let now: Option<i64> =
            sqlx::query_scalar("SELECT sequence FROM user_table.progress WHERE tenant_id = $1::uuid")
                .bind(&tenant.id)
                .fetch_optional(&database)
                .await
                .expect("the table is made");
        let now = now.unwrap_or_default();
        assert!(now >= noted, "it never goes back");
        noted = now;
    }
    writing.await.expect("everything was provisioned");
    assert!(kills > 2 && noted > 0, "killed {kills} times, came to {noted}");

    let service = Service::start(&tenant);
    in_step(&database, &tenant).await;
    service.kill();

    // It is away for too long: what it missed is no longer kept.
    let id = tenant.user().await;
    patch(&tenant, &id, "active", false.into()).await;
    let deadline = Instant::now() + SOON;
    loop {
        let aged = "UPDATE outbox SET created_at = created_at - interval '91 days' WHERE tenant_id = $1::uuid
            AND created_at > clock_timestamp() - interval '1 day'";
        sqlx::query(aged)
            .bind(&tenant.id)
            .execute(&database)
            .await
            .expect("they age");
        let trimmed = "SELECT trim_events('30 days', '90 days', 1000)";
        let _: i64 = sqlx::query_scalar(trimmed).fetch_one(&database).await.expect("they go");
        let left = "SELECT count(*) FROM event_sequence WHERE tenant_id = $1::uuid";
        let left: i64 = sqlx::query_scalar(left)
            .bind(&tenant.id)
            .fetch_one(&database)
            .await
            .expect("a count");
        if left == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "{left} are left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let _service = Service::start(&tenant);
    in_step(&database, &tenant).await;
    patch(&tenant, &id, "displayName", "back".into()).await;
    in_step(&database, &tenant).await;
}
