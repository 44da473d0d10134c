//! One connection that is kept alive, with one request at a time. A client library would do more for a request than
//! the edge does, on the processors that the edge needs.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);
const MAX_HEADERS: usize = 32;

pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// What came in chunks, together, and where the next chunk begins.
    chunks: (Vec<u8>, usize),
}

/// An answer with its body.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a str,
    /// When its head was there.
    pub first: Instant,
}

/// Where an answer's body begins, how long it is unless it comes in chunks, and the status.
#[derive(Clone, Copy)]
struct Head {
    status: u16,
    body: usize,
    length: Option<usize>,
    first: Instant,
}

impl Connection {
    pub async fn open(host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            received: Vec::with_capacity(1 << 17),
            chunks: (Vec::new(), 0),
        })
    }

    /// Sends a whole request and waits for the whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        let asked = tokio::time::timeout(LIMIT, self.exchange(request)).await;
        let head = asked.map_err(io::Error::from)??;
        let body = match head.length {
            Some(length) => &self.received[head.body..head.body + length],
            None => &self.chunks.0,
        };
        Ok(Answer {
            status: head.status,
            body: std::str::from_utf8(body).map_err(io::Error::other)?,
            first: head.first,
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
                self.chunks.0.clear();
                self.chunks.1 = head.map_or(0, |head| head.body);
            }
            if let Some(head) = head {
                let is_whole = match head.length {
                    Some(length) => self.received.len() >= head.body + length,
                    None => self.take_chunks()?,
                };
                if is_whole {
                    return Ok(head);
                }
            }
        }
    }

    /// Takes the chunks that are there; whether the last one is.
    fn take_chunks(&mut self) -> io::Result<bool> {
        let (body, next) = &mut self.chunks;
        loop {
            let size = httparse::parse_chunk_size(&self.received[*next..]);
            let size = size.map_err(|_| io::Error::other("a chunk without a size"))?;
            let httparse::Status::Complete((head, size)) = size else {
                return Ok(false);
            };
            let begin = *next + head;
            let end = begin + usize::try_from(size).map_err(io::Error::other)?;
            if self.received.len() < end + 2 {
                return Ok(false);
            }
            body.extend_from_slice(&self.received[begin..end]);
            *next = end + 2;
            if size == 0 {
                return Ok(true);
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
    let value = |name: &str| {
        let header = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let length = match response.code {
        Some(204) => Some(0),
        _ => value("content-length").and_then(|length| length.parse().ok()),
    };
    if length.is_none() && value("transfer-encoding") != Some("chunked") {
        return Err(io::Error::other("an answer without a length"));
    }
    Ok(Some(Head {
        status: response.code.unwrap_or_default(),
        body,
        length,
        first: Instant::now(),
    }))
}
