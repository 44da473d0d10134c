//! A list of members whose rest cannot be read is broken off: taken for the whole, it would end memberships at the other side.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::cluster::Options;
use e2e::{Cluster, Tenant};
use local_stack::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{CROWD, LONG, fill, group};
use crate::PLACE;

/// What is read before the core is killed.
const BEGINNING: usize = 256 * 1024;

/// Asks for a group as a client that takes little at a time.
async fn ask(edge: SocketAddr, token: &str, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(32 * 1024).expect("a small buffer");
    let mut stream = socket.connect(edge).await.expect("the edge accepts");
    let request = format!(
        "GET /scim/v2{path} HTTP/1.1\r\nHost: {edge}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("the edge reads");
    stream
}

/// Reads until there is so much.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>, size: usize) {
    let mut piece = vec![0; 16 * 1024];
    while bytes.len() < size {
        let count = timeout(LONG, stream.read(&mut piece))
            .await
            .expect("in time")
            .expect("the edge writes");
        assert!(count > 0, "it ended after {} bytes", bytes.len());
        bytes.extend_from_slice(&piece[..count]);
    }
}

/// Reads until the connection ends, in whatever way.
async fn read_on(stream: &mut TcpStream, bytes: &mut Vec<u8>) {
    let _ = timeout(LONG, stream.read_to_end(bytes)).await.expect("it ends");
}

/// Whether the body says that it is complete (RFC 9112 section 7.1), and how many members are in it.
fn told(bytes: &[u8]) -> (bool, usize) {
    let text = String::from_utf8_lossy(bytes);
    assert!(text.starts_with("HTTP/1.1 200 "), "{}", &text[..200]);
    assert!(
        text.to_ascii_lowercase().contains("transfer-encoding: chunked"),
        "{}",
        &text[..600]
    );
    (
        text.ends_with("\r\n0\r\n\r\n"),
        text.matches("\"type\":\"User\"").count(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_core_dies_is_broken_off_and_never_looks_whole() {
    let options = Options {
        cores: 1,
        sessions: 1,
        edges: 1,
        ..Options::default()
    };
    let mut cluster = Cluster::start(PLACE, options).await;
    let edge = cluster.edges[0].address();
    let scim = |token: &str| cluster.scim(&cluster.edges[0].url(), token);
    let tenant = Tenant::create_at(cluster.grpc(), scim).await;
    let group = group(&tenant.scim).await;
    fill(&cluster.database_url, &tenant, CROWD, &group, CROWD).await;
    let token = tenant.scim.token().expect("a token").to_owned();

    // In a list the members are followed by more.
    for path in [format!("/Groups/{group}"), "/Groups".to_owned()] {
        let (mut stream, mut bytes) = (ask(edge, &token, &path).await, Vec::new());
        read(&mut stream, &mut bytes, BEGINNING).await;
        cluster.cores[0].signal(Signal::KILL);
        cluster.cores[0].end().await;
        read_on(&mut stream, &mut bytes).await;
        let (is_whole, members) = told(&bytes);
        assert!(!is_whole, "{path}: {members} members look like all");
        assert!(members > 0 && members < CROWD, "{path}: {members}");

        // And an HTTP client says so.
        cluster.cores[0].start();
        cluster.cores[0].ready().await;
        let mut answer = tenant
            .scim
            .request(reqwest::Method::GET, &path)
            .timeout(LONG)
            .send()
            .await
            .expect("the head of an answer");
        assert_eq!(answer.status().as_u16(), 200);
        answer.chunk().await.expect("a beginning").expect("a piece");
        cluster.cores[0].signal(Signal::KILL);
        cluster.cores[0].end().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let rest = loop {
            match answer.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(broken) => break Err(broken),
            }
        };
        assert!(rest.is_err(), "{path}: the body ends as if it were whole");
        cluster.cores[0].start();
        cluster.cores[0].ready().await;
    }

    // The same way of asking gets all while nothing breaks.
    let (mut stream, mut bytes) = (ask(edge, &token, &format!("/Groups/{group}")).await, Vec::new());
    read(&mut stream, &mut bytes, BEGINNING).await;
    read_on(&mut stream, &mut bytes).await;
    let (is_whole, members) = told(&bytes);
    assert!(is_whole && members == CROWD, "{members} members, whole: {is_whole}");
}
