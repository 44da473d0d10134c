//! A request exactly as it is written: HTTP clients clean up paths and headers before they send them, attackers do not.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    /// Headers, an empty line, and the body as it was framed.
    pub text: String,
}

/// Sends a request without a body to the server of `base`.
pub async fn send(base: &str, method: &str, target: &str, headers: &[(&str, &str)]) -> RawAnswer {
    let host = base
        .strip_prefix("http://")
        .and_then(|rest| rest.split('/').next())
        .expect("an http URL");
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &[name, ": ", value, "\r\n"].concat();
    }
    request += "\r\n";
    tokio::time::timeout(LIMIT, exchange(host, &request))
        .await
        .expect("an answer in time")
}

async fn exchange(host: &str, request: &str) -> RawAnswer {
    let mut stream = TcpStream::connect(host).await.expect("the server accepts");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut bytes = Vec::new();
    // A server that refuses early may reset the connection after its answer.
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    RawAnswer { status, text }
}
