//! Groups of more members than come with them, over real connections where it matters how an answer ends.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::fake_core::{Asked, AskedOfGroups, GROUP_ID, member_id, writer};
use super::*;
use crate::listen::{self, Limits};

const SOON: Duration = Duration::from_secs(20);

fn path() -> String {
    format!("/scim/v2/Groups/{GROUP_ID}")
}

fn pages_asked(edge: &Fixture) -> usize {
    let asked = edge.core.asked();
    let pages = asked
        .iter()
        .filter(|asked| matches!(asked, Asked::Groups(AskedOfGroups::Members(_))));
    pages.count()
}

fn check_all(resource: &Json, count: usize) {
    let members = resource["members"].as_array().unwrap();
    let ids: Vec<_> = members.iter().map(|member| member["value"].as_str().unwrap()).collect();
    let expect: Vec<_> = (0..count).map(member_id).collect();
    assert_eq!(ids, expect);
}

#[tokio::test]
async fn every_member_is_sent_once_in_order() {
    let edge = Fixture::new().await;
    // Three come with the group, then pages of 2,000.
    for (count, pages) in [(0, 0), (3, 0), (4, 1), (2_003, 1), (2_004, 2), (5_000, 3)] {
        edge.core.set_members(count);
        let answer = edge.get(&path()).await;
        assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, Some("W/\"7\"")));
        assert_eq!(answer.header("content-type"), Some("application/scim+json"));
        let resource = answer.json();
        assert_eq!(resource["displayName"], "Team");
        if count > 0 {
            check_all(&resource, count);
        }
        assert_eq!(pages_asked(&edge), pages, "{count}");
        let list = edge.get("/scim/v2/Groups").await.json();
        assert_eq!(list["Resources"], json!([resource, resource]), "{count}");
        edge.core.asked();
    }
}

#[tokio::test]
async fn a_projection_holds_on_every_page() {
    let edge = Fixture::new().await;
    edge.core.set_members(2_010);
    let answer = edge.get(&format!("{}?attributes=members.value", path())).await.json();
    check_all(&answer, 2_010);
    let members = answer["members"].as_array().unwrap();
    assert!(members.iter().all(|member| member.as_object().unwrap().len() == 1));
    let answer = edge
        .get(&format!("{}?excludedAttributes=members.value,members.$ref", path()))
        .await
        .json();
    assert_eq!(answer["members"][2_009], json!({"type": "User", "display": "m2009"}));
}

#[tokio::test]
async fn a_head_reads_no_members_beyond_the_first() {
    let edge = Fixture::new().await;
    edge.core.set_members(5_000);
    let answer = edge.send("HEAD", &path(), &[], Body::empty()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str(), answer.header("etag")),
        (200, "", Some("W/\"7\""))
    );
    assert_eq!(pages_asked(&edge), 0);
}

/// Serves the edge on a socket.
async fn listen(edge: &Fixture, limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listen::serve(
        listener,
        edge.router.clone(),
        limits,
        edge.shutdown.clone(),
    ));
    address
}

async fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        path(),
        writer()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads to the end of a chunked body, or of the connection.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut some = vec![0; 64 * 1024];
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        match timeout(SOON, stream.read(&mut some)).await.expect("in time") {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&some[..length]),
        }
    }
    String::from_utf8(answer).unwrap()
}

/// Counts what is counted under one name.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicU64>);

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "portcullis_http_answers_broken_off_total" {
            Counter::from_arc(Arc::clone(&self.0))
        } else {
            Counter::noop()
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_had_cuts_the_answer_off() {
    let counted = Counted::default();
    let _recorder = metrics::set_default_local_recorder(&counted);
    let broken_off = || counted.0.load(Ordering::Relaxed);
    let edge = Fixture::new().await;
    edge.core.set_members(9_000);
    let address = listen(&edge, Limits::default()).await;
    let whole = read_answer(&mut ask(address).await).await;
    assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("\r\n0\r\n\r\n"));
    assert!(whole.contains(&member_id(8_999)));
    assert_eq!(broken_off(), 0);
    edge.core.break_members_from(6_000);
    let mut stream = ask(address).await;
    let cut = read_answer(&mut stream).await;
    assert!(
        cut.starts_with("HTTP/1.1 200") && cut.contains(&member_id(4_002)),
        "{cut:.200}"
    );
    assert!(!cut.contains(&member_id(6_000)));
    assert!(
        !cut.contains("\r\n0\r\n") && !cut.trim_end().ends_with("]}"),
        "it passes for whole"
    );
    assert_eq!(
        timeout(SOON, stream.read(&mut [0])).await.expect("closed").unwrap_or(0),
        0
    );
    assert_eq!(broken_off(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_reading() {
    let edge = Fixture::new().await;
    edge.core.set_members(1_000_000);
    let address = listen(&edge, Limits::default()).await;
    let mut stream = ask(address).await;
    stream.read_exact(&mut [0; 1024]).await.unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = pages_asked(&edge);
    assert!(asked < 100, "{asked} pages for nobody");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(pages_asked(&edge), 0);
}

#[tokio::test]
async fn an_answer_that_is_taken_slowly_keeps_its_connection() {
    let edge = Fixture::new().await;
    edge.core.set_members(200_000);
    let idle = Duration::from_millis(300);
    let limits = Limits {
        stranger: idle,
        known: idle,
        ..Limits::default()
    };
    let mut stream = ask(listen(&edge, limits).await).await;
    // What is buffered on the way is less than the answer: it is still being made.
    tokio::time::sleep(idle * 5).await;
    let answer = read_answer(&mut stream).await;
    assert!(answer.ends_with("\r\n0\r\n\r\n") && answer.contains(&member_id(199_999)));
}
