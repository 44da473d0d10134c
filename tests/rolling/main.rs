//! Every process is restarted under load, one after the other, and nobody notices: no request fails, nothing that was
//! answered is lost, and no access that ended comes back.

mod load;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use e2e::balancer::Balancer;
use e2e::cluster::Options;
use e2e::scim::user;
use e2e::system::Place;
use e2e::{Cluster, Tenant};
use local_stack::process::Signal;
use serde_json::json;

use load::Load;

const PLACE: Place = Place {
    binary: env!("CARGO_BIN_EXE_portcullis-under-test"),
    scratch: env!("CARGO_TARGET_TMPDIR"),
};

/// How long all of them serve between two restarts.
const BETWEEN: Duration = Duration::from_millis(300);
/// More than a lease.
const LEASES_LAPSE: Duration = Duration::from_secs(4);
/// Within which what must happen at once has happened.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn each_process_can_be_restarted_under_load() {
    let mut cluster = Cluster::start(
        PLACE,
        Options {
            cores: 2,
            sessions: 2,
            edges: 2,
            // The balancer looks ten times in this time. The others' clients know all addresses, and need none.
            edge_settings: vec![("PORTCULLIS_STOP_DELAY_MS", "500".to_owned())],
            ..Options::default()
        },
    )
    .await;
    let balancer = Balancer::start(cluster.edges.iter().map(|edge| (edge.address(), edge.admin_url()))).await;
    let scim = |token: &str| cluster.scim(&balancer.url, token);
    let tenant = Tenant::create_at(cluster.grpc(), scim).await;
    let load = Load::start(&tenant);
    tokio::time::sleep(BETWEEN).await;

    for member in cluster.members() {
        let (since, before) = (Instant::now(), load.requests());
        assert_eq!(member.stop().await, 0, "{}:\n{}", member.name, member.log());
        let stopped = since.elapsed();
        member.start();
        member.ready().await;
        tokio::time::sleep(BETWEEN).await;
        let requests = load.requests() - before;
        println!("{}: stopped in {stopped:?}, {requests} requests meanwhile", member.name);
        assert!(requests > 0, "there was no load");
    }

    let done = load.stop().await;
    println!("{done}");
    for member in cluster.members().filter(|_| !done.failures.is_empty()) {
        println!("{}:\n{}", member.name, member.log());
    }
    assert!(
        done.failures.is_empty(),
        "{} failed: {:#?}",
        done.failures.len(),
        done.failures
    );
    done.nothing_is_lost(&tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_finishes_what_is_open_and_a_second_signal_does_not() {
    let options = Options {
        cores: 1,
        sessions: 1,
        edges: 1,
        ..Options::default()
    };
    let mut cluster = Cluster::start(PLACE, options).await;
    let scim = |token: &str| cluster.scim(&cluster.edges[0].url(), token);
    let tenant = Tenant::create_at(cluster.grpc(), scim).await;
    let id = tenant.user().await;

    // The core waits for a row that somebody else has locked.
    let lock = format!("BEGIN; SELECT FROM users WHERE user_id = '{id}' FOR UPDATE; SELECT pg_sleep(1); COMMIT");
    let (postgres, database) = (&cluster.postgres, cluster.database_url.clone());
    let title = json!([{"op": "replace", "path": "title", "value": "late"}]);
    let (core, path) = (&mut cluster.cores[0], format!("/Users/{id}"));
    let patch = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tenant.scim.patch(&path, &title).await
    };
    let stop = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        core.stop().await
    };
    let locking = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let locking = scope.spawn(|| postgres.sql(&database, &lock));
            let (answer, code) = tokio::runtime::Handle::current().block_on(async { tokio::join!(patch, stop) });
            assert_eq!((answer.status, code), (200, 0), "{answer:?}");
            locking.join().expect("the lock can be held")
        })
    });
    locking.expect("the row can be locked");
    let core = &mut cluster.cores[0];
    core.start();
    core.ready().await;
    assert_eq!(tenant.scim.get(&path).await.json["title"], "late");

    // The edge waits for the rest of a body.
    let edge = &mut cluster.edges[0];
    let mut open = HalfSent::to(edge.address(), tenant.scim.token().expect("a token"));
    edge.signal(Signal::TERM);
    refuses(edge.address()).await;
    assert_eq!(edge.ended(), None, "a request is open");
    let answer = open.finish();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(edge.end().await, 0, "{}", edge.log());

    edge.start();
    edge.ready().await;
    let _open = HalfSent::to(edge.address(), tenant.scim.token().expect("a token"));
    edge.signal(Signal::TERM);
    refuses(edge.address()).await;
    assert_eq!(edge.ended(), None, "a request is open");
    edge.signal(Signal::TERM);
    let since = Instant::now();
    assert_eq!(edge.end().await, 1, "{}", edge.log());
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_service_that_is_ready_can_create_sessions() {
    let options = Options {
        cores: 1,
        sessions: 1,
        edges: 1,
        ..Options::default()
    };
    let mut cluster = Cluster::start(PLACE, options).await;
    let scim = |token: &str| cluster.scim(&cluster.edges[0].url(), token);
    let tenant = Tenant::create_at(cluster.grpc(), scim).await;
    let user = tenant.user().await;
    let redis = redis::Client::open(cluster.redis.url()).expect("it has an address");
    let mut redis = redis.get_connection().expect("it answers");

    // Nobody can renew a lease, and everybody can look.
    redis::cmd("CLIENT")
        .arg(&["PAUSE", "8000", "WRITE"])
        .exec(&mut redis)
        .expect("it pauses");
    let paused = Instant::now();
    let sessions = &mut cluster.sessions[0];
    assert_eq!(sessions.stop().await, 0, "{}", sessions.log());
    tokio::time::sleep_until((paused + LEASES_LAPSE).into()).await;
    sessions.start();
    sessions.ready().await;
    let created = tenant.log_in(&user).await;
    assert!(
        created.is_ok(),
        "it is ready after {:?}: {created:?}\n{}",
        paused.elapsed(),
        sessions.log()
    );
}

/// A request whose body is sent but for its last byte.
struct HalfSent(TcpStream);

impl HalfSent {
    fn to(address: std::net::SocketAddr, token: &str) -> Self {
        let body = user("half@example.test").to_string();
        let (most, _) = body.split_at(body.len() - 1);
        let mut stream = TcpStream::connect(address).expect("an edge can be connected to");
        write!(
            stream,
            "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{most}",
            body.len()
        )
        .expect("a request can be sent");
        // Until it is read it is not open.
        std::thread::sleep(Duration::from_millis(300));
        HalfSent(stream)
    }

    fn finish(&mut self) -> String {
        self.0.write_all(b"}").expect("the rest can be sent");
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).expect("there is an answer");
        answer
    }
}

/// Waits until nobody is let in any more.
async fn refuses(address: std::net::SocketAddr) {
    let since = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(since.elapsed() < SOON, "it still lets in");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
