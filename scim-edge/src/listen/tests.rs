//! Real sockets in front of a small router.

use axum::body::Bytes;
use axum::routing::{get, post};
use axum::{Extension, http::StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::*;

const SOON: Duration = Duration::from_secs(10);
const STRANGER: Duration = Duration::from_millis(300);
const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
const LOGIN: &[u8] = b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n";

struct Fixture {
    address: std::net::SocketAddr,
    shutdown: Shutdown,
    served: JoinHandle<()>,
}

async fn listen(connections: u32) -> Fixture {
    let router = Router::new()
        .route("/hello", get(async || "hello"))
        .route("/echo", post(async |body: Bytes| body))
        .route(
            "/login",
            get(async |Extension(activity): Extension<Arc<Activity>>| {
                activity.mark_known();
                StatusCode::OK
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits {
        connections,
        stranger: STRANGER,
        known: Duration::from_mins(1),
    };
    let shutdown = Shutdown::default();
    let served = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
    Fixture {
        address,
        shutdown,
        served,
    }
}

impl Fixture {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// What comes until the connection is closed from the other side.
async fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset is an end too.
    let _ = timeout(SOON, stream.read_to_end(&mut all))
        .await
        .expect("closed in time");
    all
}

/// What comes next, which begins an answer.
async fn read_some(stream: &mut TcpStream) -> String {
    let mut some = [0; 1024];
    let length = timeout(SOON, stream.read(&mut some))
        .await
        .expect("an answer in time")
        .unwrap();
    String::from_utf8_lossy(&some[..length]).into_owned()
}

#[tokio::test]
async fn a_stranger_that_sends_no_whole_request_is_closed() {
    let edge = listen(16).await;
    let whole_then_half = [HELLO, b"GET /hello HTTP/1.1\r\nHo"].concat();
    for sent in [
        &b""[..],
        b"G",
        b"PRI * HTTP/2.0",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"GET /hello HTTP/1.1\r\nHost: x\r\n",
        HELLO,
        &whole_then_half,
    ] {
        let mut stream = edge.connect().await;
        let began = Instant::now();
        stream.write_all(sent).await.unwrap();
        read_to_close(&mut stream).await;
        assert!(began.elapsed() >= STRANGER, "{}", String::from_utf8_lossy(sent));
    }
}

#[tokio::test]
async fn a_header_that_drips_is_closed_all_the_same() {
    let edge = listen(16).await;
    let (mut from, mut to) = edge.connect().await.into_split();
    to.write_all(b"GET /hello HTTP/1.1\r\n").await.unwrap();
    let dripping = tokio::spawn(async move {
        while to.write_all(b"X: y\r\n").await.is_ok() {
            tokio::time::sleep(STRANGER / 10).await;
        }
    });
    let mut answer = Vec::new();
    let _ = timeout(SOON, from.read_to_end(&mut answer))
        .await
        .expect("closed in time");
    timeout(SOON, dripping).await.expect("closed in time").unwrap();
}

#[tokio::test]
async fn a_known_caller_may_idle() {
    let edge = listen(16).await;
    let mut stream = edge.connect().await;
    for request in [LOGIN, HELLO] {
        stream.write_all(request).await.unwrap();
        assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(STRANGER * 3).await;
    }
    stream.write_all(HELLO).await.unwrap();
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn more_connections_than_are_allowed_wait_their_turn() {
    let edge = listen(2).await;
    let mut known = edge.connect().await;
    known.write_all(LOGIN).await.unwrap();
    read_some(&mut known).await;
    let mut strangers = Vec::new();
    for _ in 0..4 {
        strangers.push(edge.connect().await);
    }
    let began = Instant::now();
    let mut last = edge.connect().await;
    last.write_all(HELLO).await.unwrap();
    assert!(read_some(&mut last).await.starts_with("HTTP/1.1 200"));
    assert!(
        began.elapsed() >= STRANGER * 3,
        "four strangers went before, one at a time"
    );
}

#[tokio::test]
async fn a_stop_closes_the_idle_and_finishes_what_is_open() {
    let edge = listen(16).await;
    let (mut idle, mut half, mut open) = (edge.connect().await, edge.connect().await, edge.connect().await);
    for stream in [&mut idle, &mut open] {
        stream.write_all(LOGIN).await.unwrap();
        read_some(stream).await;
    }
    half.write_all(b"GET /hello HT").await.unwrap();
    open.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nda")
        .await
        .unwrap();
    // Until the request is seen, it is not open.
    tokio::time::sleep(STRANGER / 3).await;
    edge.shutdown.start();
    read_to_close(&mut idle).await;
    read_to_close(&mut half).await;
    assert!(TcpStream::connect(edge.address).await.is_err(), "nobody new is let in");
    open.write_all(b"ta").await.unwrap();
    let answer = String::from_utf8(read_to_close(&mut open).await).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("data"),
        "{answer}"
    );
    timeout(SOON, edge.served).await.expect("ended in time").unwrap();
}

#[tokio::test]
async fn who_leaves_says_so_in_each_answer_and_still_lets_in() {
    let edge = listen(16).await;
    let mut old = edge.connect().await;
    old.write_all(LOGIN).await.unwrap();
    let answer = read_some(&mut old).await;
    assert!(!answer.contains("connection: close"), "{answer}");
    let leaving = edge.shutdown.clone();
    let leaving = tokio::spawn(async move { leaving.start_after(SOON).await });
    edge.shutdown.leaving().await;
    let mut new = edge.connect().await;
    for stream in [&mut old, &mut new] {
        stream.write_all(LOGIN).await.unwrap();
        let answer = String::from_utf8(read_to_close(stream).await).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"),
            "{answer}"
        );
    }
    leaving.abort();
}

#[tokio::test]
async fn a_request_that_was_under_way_when_the_stop_came_is_answered() {
    let edge = listen(16).await;
    let mut old = edge.connect().await;
    old.write_all(LOGIN).await.unwrap();
    read_some(&mut old).await;
    // Nothing runs between the two on this thread: the connection waits in the backlog when the stop comes.
    let mut waiting = std::net::TcpStream::connect(edge.address).unwrap();
    edge.shutdown.start();
    std::io::Write::write_all(&mut waiting, HELLO).unwrap();
    waiting.set_nonblocking(true).unwrap();
    let mut waiting = TcpStream::from_std(waiting).unwrap();
    tokio::time::sleep(STRANGER / 3).await;
    old.write_all(HELLO).await.unwrap();
    for stream in [&mut old, &mut waiting] {
        let answer = String::from_utf8(read_to_close(stream).await).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
            "{answer}"
        );
    }
    timeout(SOON, edge.served).await.expect("ended in time").unwrap();
}
