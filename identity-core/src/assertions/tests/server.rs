//! An HTTP server on loopback that answers everybody alike.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Server {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answer: Mutex<String>,
    connections: AtomicUsize,
    /// Sends a byte now and then instead of all.
    drips: AtomicBool,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::<State>::default();
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, serving.clone()));
            }
        });
        Server { port, state }
    }

    /// As the setting has it.
    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/keys", self.host())
    }

    /// How many connections there were.
    pub(super) fn asked(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Answers this set from now on.
    pub(super) fn publish(&self, keys: &[Value]) {
        self.body(&json!({"keys": keys}).to_string());
    }

    pub(super) fn body(&self, body: &str) {
        self.answers(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
    }

    /// Answers this text from now on, and says what it answered before.
    pub(super) fn answers(&self, text: impl Into<String>) -> String {
        let mut answer = self.state.answer.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut answer, text.into())
    }

    /// Sends its answers byte by byte from now on, ten in a second.
    pub(super) fn drip(&self) {
        self.state.drips.store(true, Ordering::Relaxed);
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut request = Vec::new();
    // TLS is answered as soon as it is heard.
    while !request.ends_with(b"\r\n\r\n") && !request.starts_with(&[22, 3]) {
        if stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
            continue;
        }
        return;
    }
    let answer = state.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // Who asked may hang up before it has all.
    if state.drips.load(Ordering::Relaxed) {
        for byte in answer.as_bytes() {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
