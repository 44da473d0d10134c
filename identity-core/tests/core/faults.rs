//! A database that is cut off, slow or the wrong one, and streams that stay open.

use std::time::{Duration, Instant};

use identity_proto::identity::v1::*;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::*;

async fn database() -> String {
    let migrate = async |url: &str| identity_core::migrate(&runtime::Secret::new(url)).await;
    local_stack::test::Postgres::shared().database("core", migrate).await
}

/// Passes on what PostgreSQL and the core say to each other, until it is cut: then everything that was connected stays
/// silent for ever, and nobody is told.
struct Wire {
    url: String,
    cut: watch::Sender<bool>,
}

impl Wire {
    async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (before, rest) = url.split_once('@').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let wire = Wire {
            url: format!("{before}@{}/{name}", listener.local_addr().unwrap()),
            cut: watch::Sender::new(false),
        };
        let (server, cut) = (server.to_owned(), wire.cut.subscribe());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, mut cut) = (server.clone(), cut.clone());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        biased;
                        () = async { drop(cut.wait_for(|cut| *cut).await) } => {}
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
                    }
                    // Both ends stay open.
                    std::future::pending::<()>().await;
                });
            }
        });
        wire
    }
}

/// How long until `attempt` succeeds.
async fn until_it_works(attempt: impl AsyncFn() -> bool) -> Duration {
    let since = Instant::now();
    while !attempt().await {
        assert!(since.elapsed() < Duration::from_secs(30), "it never works again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    since.elapsed()
}

async fn health(core: &Core) -> ServingStatus {
    let mut health = HealthClient::new(core.channel.clone());
    health
        .check(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner()
        .status()
}

#[tokio::test]
async fn after_a_silent_cut_everything_serves_again_by_itself() {
    let wire = Wire::to(&database().await).await;
    let core = Core::on(&wire.url).await;
    until_it_works(async || health(&core).await == ServingStatus::Serving).await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("ann")).await.unwrap();
    let get = GetUserRequest {
        tenant_id: provider.tenant.to_string(),
        id: ann.id.clone(),
        ..GetUserRequest::default()
    };
    let standing = GetAccessRequest {
        tenant_id: provider.tenant.to_string(),
        user_id: ann.id.clone(),
    };
    let read = async || core.users(As::service(PLATFORM)).get_user(get.clone()).await.is_ok();
    let validate = async || core.access().get_access(standing.clone()).await.is_ok();
    assert!(read().await && validate().await);

    let burst = async || {
        let calls: Vec<_> = (0..40)
            .map(|number| {
                let (mut users, mut access, mut admin) =
                    (core.users(As::service(PLATFORM)), core.access(), core.tenants());
                let (get, standing) = (get.clone(), standing.clone());
                tokio::spawn(async move {
                    match number % 3 {
                        0 => users.get_user(get).await.err(),
                        1 => access.get_access(standing).await.err(),
                        _ => admin.list_tenants(ListTenantsRequest::default()).await.err(),
                    }
                })
            })
            .collect();
        let mut failures = Vec::new();
        for call in calls {
            failures.extend(call.await.unwrap());
        }
        failures
    };
    // As many connections as one tenant may hold are open and in use until the very moment, so that all are lost.
    until_it_works(async || burst().await.is_empty()).await;
    wire.cut.send_replace(true);
    let failures = burst().await;
    assert_eq!(failures.len(), 40, "nothing is answered");
    for status in failures {
        refused(Err::<(), _>(status), ErrorReason::Unavailable);
    }
    until_it_works(async || health(&core).await == ServingStatus::NotServing).await;

    wire.cut.send_replace(false);
    let ten_seconds = Duration::from_secs(10);
    let (validates, reads) = tokio::join!(until_it_works(validate), until_it_works(read));
    assert!(
        validates < ten_seconds && reads < ten_seconds,
        "{validates:?} {reads:?}"
    );
    assert_eq!(provider.get(&ann.id).await.unwrap(), ann);
    let serves = until_it_works(async || health(&core).await == ServingStatus::Serving).await;
    assert!(serves < ten_seconds, "{serves:?}");
}

#[tokio::test]
async fn a_standby_is_not_believed() {
    let url = database().await;
    let core = Core::on(&url).await;
    until_it_works(async || health(&core).await == ServingStatus::Serving).await;
    let tenant = core.tenant("acme").await.id;
    // What a server that restarted as a standby says, said to every connection from now on.
    let name = url.rsplit('/').next().unwrap();
    for statement in [
        "CREATE FUNCTION public.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        &format!("ALTER DATABASE {name} SET search_path = public, pg_catalog"),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'portcullis identity-core' AND datname = current_database()",
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&core.database)
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let resolve = ResolveAccessRequest {
        tenant_id: tenant,
        user_id: uuid::Uuid::nil().to_string(),
    };
    refused(core.access().resolve_access(resolve).await, ErrorReason::Unavailable);
    until_it_works(async || health(&core).await == ServingStatus::NotServing).await;
}

/// A row lock that somebody holds: whoever changes the user waits for it, and keeps a connection.
#[tokio::test]
async fn one_tenant_that_waits_holds_up_neither_others_nor_ends_of_access() {
    let core = Core::start().await;
    let mut slow = core.provider("slow").await;
    let mut other = core.provider("other").await;
    let (ann, bob) = (
        slow.create(named("ann")).await.unwrap(),
        slow.create(named("bob")).await.unwrap(),
    );
    let eve = other.create(named("eve")).await.unwrap();
    let mut lock = core.database.begin().await.unwrap();
    sqlx::query("SELECT FROM users WHERE user_id = $1 FOR UPDATE")
        .bind(ann.id.parse::<uuid::Uuid>().unwrap())
        .execute(&mut *lock)
        .await
        .unwrap();
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (mut slow, ann) = (slow.clone(), ann.id.clone());
            tokio::spawn(async move { slow.patch(&ann, vec![replace("title", "x")]).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;

    let since = Instant::now();
    other.get(&eve.id).await.unwrap();
    other.patch(&eve.id, vec![replace("title", "x")]).await.unwrap();
    slow.patch(&bob.id, vec![replace("active", false)]).await.unwrap();
    slow.delete(&bob.id).await.unwrap();
    let standing = GetAccessRequest {
        tenant_id: slow.tenant.to_string(),
        user_id: bob.id,
    };
    core.access().get_access(standing).await.unwrap();
    // Waiting for the slow tenant's lock would have taken the statement time-out, four seconds.
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());

    let refused_first = slow.get(&ann.id).await;
    refused(refused_first, ErrorReason::Unavailable);
    lock.rollback().await.unwrap();
    for call in waiting {
        if let Err(status) = call.await.unwrap() {
            refused(Err::<(), _>(status), ErrorReason::Unavailable);
        }
    }
    slow.get(&ann.id).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_watches_the_health_does_not_keep_the_process_alive() {
    let mut core = Core::start().await;
    until_it_works(async || health(&core).await == ServingStatus::Serving).await;
    let mut client = HealthClient::new(core.channel.clone());
    let mut watching = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let first = watching.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    core.shutdown.start();
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut core.serving).await;
    ended.expect("it ends soon").unwrap().unwrap();
}

#[tokio::test]
async fn a_list_is_cut_where_its_answer_would_grow_too_large() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    for number in 0..6 {
        provider.create(named(&format!("u{number}"))).await.unwrap();
    }
    sqlx::query("UPDATE users SET attributes = jsonb_set(attributes, '{title}', to_jsonb(repeat('x', 900000)))")
        .execute(&core.database)
        .await
        .unwrap();
    let mut request = ListUsersRequest::default();
    let mut sizes = Vec::new();
    loop {
        let page = provider.users.list_users(request.clone()).await.unwrap().into_inner();
        assert_eq!(page.total_size, 6);
        sizes.push(page.users.len());
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(sizes, [3, 3]);
}

/// A caller that goes away in the middle of a write leaves no transaction behind on a connection that others use: their
/// writes would be acknowledged and lost with it.
#[tokio::test]
async fn callers_that_hang_up_leave_no_transaction_open() {
    let core = Core::on(&database().await).await;
    until_it_works(async || health(&core).await == ServingStatus::Serving).await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("ann")).await.unwrap();
    let hang_ups: Vec<_> = (0_u64..600)
        .map(|number| {
            let mut users = provider.users.clone();
            let request = PatchUserRequest {
                id: ann.id.clone(),
                operations: vec![replace("title", format!("{number}"))],
                ..PatchUserRequest::default()
            };
            tokio::spawn(async move {
                let patience = Duration::from_micros(number % 40 * 100);
                drop(tokio::time::timeout(patience, users.patch_user(request)).await);
            })
        })
        .collect();
    for hang_up in hang_ups {
        hang_up.await.unwrap();
    }
    for number in 0..40 {
        let user = provider.create(named(&format!("user{number}"))).await.unwrap();
        provider.patch(&user.id, vec![replace("active", false)]).await.unwrap();
        assert_eq!(
            provider.trace(&user.id).await.state,
            "inactive",
            "acknowledged, so committed"
        );
    }
    let orphans = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let none_left = async || {
        sqlx::query_scalar::<_, i64>(orphans)
            .fetch_one(&core.database)
            .await
            .unwrap()
            == 0
    };
    until_it_works(none_left).await;
}
