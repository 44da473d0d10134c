//! What happens when a part is gone. SCIM goes on as long as PostgreSQL answers, validation as long as Redis does; what
//! cannot be known is said to be unavailable, within seconds; and nothing that ended comes back.
//!
//! Each test has PostgreSQL and Redis servers of its own beside its system, because `dev` ends with its own ones.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use e2e::scim::user;
use e2e::{System, Tenant, processes};
use local_stack::{Postgres, Redis, place};
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use crate::PLACE;

/// Within which a request must be answered, whatever is broken.
const ANSWER: Duration = Duration::from_secs(5);
/// How long registers may be believed without news.
const LEASE: Duration = Duration::from_secs(3);
/// Within which all is well again after a fault.
const RECOVERY: Duration = Duration::from_secs(10);

/// A system whose servers can be broken.
struct Bench {
    // Before the servers: dropped in this order.
    system: System,
    postgres: Postgres,
    redis: Redis,
    folder: PathBuf,
}

impl Bench {
    fn start() -> Bench {
        // Swept like a system's folder, if this process dies.
        let name = format!("dev-{}-servers-{}", std::process::id(), Uuid::new_v4().simple());
        let folder = PathBuf::from(PLACE.scratch).join(name);
        let postgres = Postgres::start(&folder.join("postgres"), &postgres_options(0)).expect("PostgreSQL starts");
        postgres.create_database("portcullis").expect("a database");
        let redis = Redis::start(&folder.join("redis"), &local_stack::redis::Options::default()).expect("Redis starts");
        let urls = vec![("DATABASE_URL", postgres.url("portcullis")), ("REDIS_URL", redis.url())];
        Bench {
            system: System::start_with(PLACE, urls),
            postgres,
            redis,
            folder,
        }
    }

    /// The same server on the same port and data, after it was killed.
    fn postgres_returns(&mut self) {
        let options = postgres_options(self.postgres.port());
        self.postgres = Postgres::start(&self.folder.join("postgres"), &options).expect("PostgreSQL starts again");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.system.stop();
        let _ = self.postgres.process().kill();
        let _ = self.redis.process().kill();
        for server in ["postgres", "redis"] {
            let _ = place::remove(&self.folder.join(server));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn postgres_options(port: u16) -> local_stack::postgres::Options {
    local_stack::postgres::Options {
        port,
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_scim_is_unavailable_and_says_when_to_return() {
    let mut bench = Bench::start();
    let tenant = Tenant::create(&bench.system).await;
    let id = tenant.user().await;
    let session = tenant.log_in(&id).await.expect("a session");

    let pid = bench.postgres.process().pid();
    processes::freeze(pid);
    unavailable(&tenant, &id, "PostgreSQL frozen").await;
    // Nobody can renew a lease, so the registers may not be believed for ever: refused or unavailable, soon.
    let asked = Instant::now();
    while tenant.validate(&session).await.is_ok_and(|answer| answer.valid) {
        assert!(asked.elapsed() < Duration::from_secs(8), "valid without a lease");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    processes::thaw(pid);
    recovered(&tenant, &id).await;
    assert!(
        valid_again(&tenant, &session).await,
        "a session of an active user ended"
    );

    bench.postgres.process().kill().expect("PostgreSQL can be killed");
    unavailable(&tenant, &id, "PostgreSQL killed").await;
    let admin = bench.system.description().admin.clone();
    readiness_becomes(&admin.identity_core, 503).await;
    readiness_becomes(&admin.scim_edge, 503).await;
    bench.postgres_returns();
    recovered(&tenant, &id).await;
    assert!(
        valid_again(&tenant, &session).await,
        "a session of an active user ended"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_access_still_ends() {
    let mut bench = Bench::start();
    let tenant = Tenant::create(&bench.system).await;
    let (id, other) = (tenant.user().await, tenant.user().await);
    let session = tenant.log_in(&id).await.expect("a session");
    let others = tenant.log_in(&other).await.expect("a session");
    // What Redis has on disk is what it comes back with: written once a second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;

    bench.redis.process().kill().expect("Redis can be killed");
    let since = Instant::now();
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let answer = tenant.scim.patch(&format!("/Users/{id}"), &off).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    for token in [&session, &others] {
        let since = Instant::now();
        let status = tenant.validate(token).await.expect_err("sessions live in Redis");
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(since.elapsed() < ANSWER, "{:?}", since.elapsed());
    }

    let admin = bench.system.description().admin.clone();
    readiness_becomes(&admin.session_service, 503).await;
    readiness_becomes(&admin.scim_edge, 200).await;
    // Longer than a lease, which Redis may find on its disk. Then it is refused from the first answer on.
    tokio::time::sleep(LEASE).await;
    bench.redis.start_again().expect("Redis starts again");
    let deadline = Instant::now() + RECOVERY;
    loop {
        match tenant.validate(&session).await {
            Ok(answer) => break assert!(!answer.valid, "the session came back with Redis"),
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
        assert!(Instant::now() < deadline, "validation did not recover");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(valid_again(&tenant, &others).await, "another user's session ended");
    assert!(!tenant.validate(&session).await.expect("an answer").valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_killed_starts_again_and_has_lost_nothing() {
    let mut system = System::start(PLACE);
    let tenant = Tenant::create(&system).await;
    let id = tenant.user().await;
    let session = tenant.log_in(&id).await.expect("a session");
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    assert_eq!(tenant.scim.patch(&format!("/Users/{id}"), &off).await.status, 200);
    // The core dies right after the commit, perhaps before the register moved; with it, `dev` and everything else.
    let pids = system.description().pids.clone();
    processes::kill(pids.identity_core);
    system.crash_and_start_again();

    for pid in [pids.scim_edge, pids.identity_core, pids.session_service]
        .into_iter()
        .chain(pids.postgres)
        .chain(pids.redis)
    {
        assert!(!processes::runs(pid), "process {pid} outlived its system");
    }
    let tenant = Tenant {
        scim: system.scim_with(tenant.scim.token().expect("a token")),
        grpc: system.grpc(),
        ..tenant
    };
    let answer = tenant.scim.get(&format!("/Users/{id}")).await;
    assert_eq!(
        (answer.status, &answer.json["active"]),
        (200, &json!(false)),
        "{answer:?}"
    );
    let deadline = Instant::now() + RECOVERY;
    while let Err(status) = tenant
        .validate(&session)
        .await
        .map(|answer| assert!(!answer.valid, "it came back"))
    {
        assert!(
            status.code() == Code::Unavailable && Instant::now() < deadline,
            "{status:?}"
        );
    }
    assert_eq!(system.stop(), Some(0), "an orderly stop:\n{}", system.log());
}

/// Every request is answered in time with 503, and with when to try again.
async fn unavailable(tenant: &Tenant, id: &str, what: &str) {
    let path = format!("/Users/{id}");
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    for round in 0..3 {
        let since = Instant::now();
        let answer = match round {
            0 => tenant.scim.get(&path).await,
            1 => {
                tenant
                    .scim
                    .post("/Users", &user(&format!("{}@x.test", Uuid::new_v4().simple())))
                    .await
            }
            _ => tenant.scim.patch(&path, &off).await,
        };
        assert!(
            since.elapsed() < ANSWER,
            "{what}: an answer after {:?}",
            since.elapsed()
        );
        assert_eq!(answer.status, 503, "{what}: {answer:?}");
        let wait: u64 = answer.header("retry-after").parse().expect("Retry-After in seconds");
        assert!((1..=60).contains(&wait), "{what}: {answer:?}");
        assert_eq!(answer.json["status"], "503", "{what}: {answer:?}");
    }
}

/// `/readyz` comes to tell the truth.
async fn readiness_becomes(admin: &str, expect: u16) {
    let deadline = Instant::now() + RECOVERY;
    loop {
        let answer = reqwest::get(format!("{admin}/readyz")).await.expect("it answers");
        if answer.status() == expect {
            return;
        }
        assert!(Instant::now() < deadline, "{admin} says {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// SCIM works again, and the user is as before: what was answered with 503 was not done behind the client's back.
async fn recovered(tenant: &Tenant, id: &str) {
    let deadline = Instant::now() + RECOVERY;
    loop {
        let answer = tenant.scim.get(&format!("/Users/{id}")).await;
        if answer.status == 200 {
            return assert_eq!(answer.json["active"], true, "{answer:?}");
        }
        assert!(answer.status == 503 && Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn valid_again(tenant: &Tenant, session: &str) -> bool {
    let deadline = Instant::now() + RECOVERY;
    loop {
        match tenant.validate(session).await {
            Ok(answer) => return answer.valid,
            Err(status) => assert!(
                status.code() == Code::Unavailable && Instant::now() < deadline,
                "{status:?}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
