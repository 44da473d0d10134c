//! `portcullis health`: one request for a status line, where neither curl nor a shell is at hand.

use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::failure::Failure;
use crate::output::Output;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much of it is read.
const LONGEST: u64 = 1024 * 1024;

#[derive(Serialize)]
struct Healthy<'a> {
    healthy: bool,
    says: &'a str,
}

/// Done when the URL answers 200; refused when it answers anything else.
pub(crate) async fn run(url: &str, output: Output) -> Result<(), Failure> {
    let (status, body) = get(url).await?;
    let says = body.trim();
    if status == 200 {
        return output.answer(&Healthy { healthy: true, says }, says);
    }
    Err(Failure::refused(format!("{url} answers {status}: {says}")))
}

/// Status and body of one GET, by hand: an HTTP client would be much to compile for a status line.
pub(crate) async fn get(url: &str) -> Result<(u16, String), Failure> {
    let wrong = || Failure::usage(format!("{url:?} is no URL such as http://127.0.0.1:9090/readyz"));
    let (host, path) = match url.strip_prefix("http://").ok_or_else(wrong)?.split_once('/') {
        Some((host, path)) => (host, format!("/{path}")),
        None => return Err(wrong()),
    };
    let host = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let ask = async {
        let mut stream = TcpStream::connect(&host).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = match tokio::time::timeout(PATIENCE, ask).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::unreachable(format!("{url} cannot be reached: {error}"))),
        Err(_) => {
            return Err(Failure::unreachable(format!(
                "{url} did not answer in {} s",
                PATIENCE.as_secs()
            )));
        }
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| Failure::refused(format!("{url} does not speak HTTP")))?;
    Ok((status, body.to_owned()))
}
