//! One connection that is kept alive, with one request at a time. A client library would do more for a request than
//! the edge does, on the processors that the edge needs.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);
const MAX_HEADERS: usize = 32;

pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer with its body.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a str,
}

/// Where an answer's body begins, how long it is, and the status.
#[derive(Clone, Copy)]
struct Head {
    status: u16,
    body: usize,
    length: usize,
}

impl Connection {
    pub async fn open(host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            received: Vec::with_capacity(1 << 17),
        })
    }

    /// Sends a whole request and waits for the whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        let asked = tokio::time::timeout(LIMIT, self.exchange(request)).await;
        let head = asked.map_err(io::Error::from)??;
        let body = &self.received[head.body..head.body + head.length];
        Ok(Answer {
            status: head.status,
            body: std::str::from_utf8(body).map_err(io::Error::other)?,
        })
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Head> {
        self.received.clear();
        self.stream.write_all(request).await?;
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if head.is_none() {
                head = read_head(&self.received)?;
            }
            match head {
                Some(head) if self.received.len() >= head.body + head.length => return Ok(head),
                _ => {}
            }
        }
    }
}

fn read_head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body) = response.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    Ok(Some(Head {
        status: response.code.unwrap_or_default(),
        body,
        // The edge frames its answers in no other way.
        length: length.ok_or_else(|| io::Error::other("an answer without a length"))?,
    }))
}
