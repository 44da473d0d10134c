//! The process: sockets, stops, and a core that is not there.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::fake_core::{GROUP_ID, USER_ID, writer};
use super::*;

#[tokio::test]
async fn a_core_that_is_down_is_503_at_once() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let edge = Fixture::with(|config| config.core_url = url).await;
    let answer = edge.get("/scim/v2/Users").await;
    answer.check_error(503, None, "down");
    assert_eq!(answer.header("retry-after"), Some("2"));
    edge.readiness_becomes(503).await.check_error(503, None, "not ready");
    assert_eq!(edge.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_core_that_does_not_answer_is_503_and_no_hang() {
    let edge = Fixture::new().await;
    edge.core.take(Duration::from_mins(1));
    let path = format!("/scim/v2/Users/{USER_ID}");
    let answer = tokio::time::timeout(Duration::from_secs(20), edge.get(&path))
        .await
        .unwrap();
    answer.check_error(503, None, "hanging");
    assert!(answer.header("retry-after").is_some());
}

/// The longest wait for anything else, also below the edge, is five seconds.
#[tokio::test]
async fn a_change_of_a_group_may_take_longer_than_other_calls() {
    let edge = Fixture::new().await;
    edge.core.take(Duration::from_millis(5_500));
    let path = format!("/scim/v2/Groups/{GROUP_ID}");
    let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Team"}"#;
    let (changed, read) = tokio::join!(edge.send("PUT", &path, &[], body), edge.get(&path));
    assert_eq!(changed.status, 200, "{changed:?}");
    read.check_error(503, None, "a read that takes as long");
}

#[tokio::test]
async fn a_status_without_a_reason_is_503() {
    let edge = Fixture::new().await;
    edge.core.fail_with(tonic::Status::internal("h2 protocol error"));
    edge.get("/scim/v2/Users").await.check_error(503, None, "no ErrorInfo");
}

async fn exchange(address: std::net::SocketAddr, request: Vec<u8>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.split();
    let send = async {
        to.write_all(&request).await.unwrap();
    };
    let mut answer = Vec::new();
    let ((), read) = tokio::join!(send, from.read_to_end(&mut answer));
    read.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn first_line(address: std::net::SocketAddr, request: String) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

#[tokio::test]
async fn serves_until_it_is_asked_to_stop() {
    let core = FakeCore::default();
    let core_url = core.start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::default();
    let served = tokio::spawn(crate::serve(
        config(core_url).settings().unwrap(),
        listener,
        Health::new(&shutdown),
        shutdown.clone(),
    ));

    let health = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(exchange(address, health.to_vec()).await.starts_with("HTTP/1.1 200"));

    let length = 10 * 1024 * 1024;
    let head = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {length}\r\n\r\n",
        writer()
    );
    let mut request = head.clone().into_bytes();
    request.resize(request.len() + length, b' ');
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.to_lowercase().contains("x-request-id: "), "{answer}");
    // Looking at the core's health asks about no credential, from nowhere.
    let addresses = core.addresses().into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(addresses, ["127.0.0.1"], "the peer's address");

    let head = head.replace(&length.to_string(), "100000000");
    let answer = tokio::time::timeout(Duration::from_secs(4), first_line(address, format!("{head}x"))).await;
    assert_eq!(answer.unwrap(), "HTTP/1.1 413 Payload Too Large");

    shutdown.start();
    served.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
