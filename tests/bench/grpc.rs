//! One gRPC connection, with one call of one method at a time: HTTP/2 (RFC 9113) as far as that needs it. A client library
//! would do more for a call than the service does, on the processors that the service needs.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Of a frame.
const HEAD: usize = 9;
/// Before a message: not compressed, and its length.
const PREFIX: usize = 5;

/// Kinds of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// Flags of frames.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// What both sides may send before the other allows more.
const WINDOW: i64 = 65_535;
const LARGEST: i64 = (1 << 31) - 1;

pub struct Connection {
    stream: TcpStream,
    /// The headers as they are sent from the second call on: all of them are in the server's table then.
    again: Vec<u8>,
    /// The next call's.
    headers: Vec<u8>,
    next_id: u32,
    sent: Vec<u8>,
    received: Vec<u8>,
    body: Vec<u8>,
    /// How much may be sent to the server, and how much it may still send.
    windows: (i64, i64),
}

impl Connection {
    /// To a method, such as `/session.v1.SessionService/ValidateSession`, at `http://host:port`.
    pub async fn open(url: &str, method: &str, key: &str) -> io::Result<Self> {
        let host = url.trim_start_matches("http://");
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (headers, again) = headers(host, method, key);
        let mut sent = PREFACE.to_vec();
        frame(&mut sent, SETTINGS, 0, 0, &[]);
        frame(&mut sent, WINDOW_UPDATE, 0, 0, &[&word(LARGEST - WINDOW)]);
        Ok(Connection {
            stream,
            again,
            headers,
            next_id: 1,
            sent,
            received: Vec::with_capacity(1 << 14),
            body: Vec::new(),
            windows: (WINDOW, LARGEST),
        })
    }

    /// Sends a message and waits for the whole answer: a message too, or else it is an error.
    pub async fn ask(&mut self, message: &[u8]) -> io::Result<&[u8]> {
        let asked = tokio::time::timeout(LIMIT, self.exchange(message)).await;
        asked.map_err(io::Error::from)??;
        self.body
            .get(PREFIX..)
            .ok_or_else(|| io::Error::other("the call failed"))
    }

    async fn exchange(&mut self, message: &[u8]) -> io::Result<()> {
        let id = self.next_id;
        self.next_id += 2;
        frame(&mut self.sent, HEADERS, END_HEADERS, id, &[&self.headers]);
        self.headers.clone_from(&self.again);
        let length = u32::try_from(message.len()).map_err(io::Error::other)?.to_be_bytes();
        frame(&mut self.sent, DATA, END_STREAM, id, &[&[0], &length, message]);
        self.windows.0 -= i64::try_from(PREFIX + message.len()).map_err(io::Error::other)?;
        if self.windows.0 < 0 {
            return Err(io::Error::other("the server takes no more"));
        }
        self.body.clear();
        loop {
            if !self.sent.is_empty() {
                self.stream.write_all(&self.sent).await?;
                self.sent.clear();
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.take_frames(id)? {
                return Ok(());
            }
        }
    }

    /// Takes the frames that are there; whether the last one of the answer is.
    fn take_frames(&mut self, id: u32) -> io::Result<bool> {
        let mut is_whole = false;
        let mut rest = &self.received[..];
        while let Some((head, after)) = rest.split_first_chunk::<HEAD>() {
            let [l0, l1, l2, kind, flags, stream @ ..] = *head;
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            let Some((payload, next)) = after.split_at_checked(length) else {
                break;
            };
            rest = next;
            let is_ours = u32::from_be_bytes(stream) == id;
            match kind {
                DATA if is_ours => {
                    self.body.extend_from_slice(payload);
                    self.windows.1 -= i64::try_from(length).map_err(io::Error::other)?;
                    is_whole |= flags & END_STREAM != 0;
                }
                HEADERS if is_ours => is_whole |= flags & END_STREAM != 0,
                SETTINGS if flags & ACK == 0 => frame(&mut self.sent, SETTINGS, ACK, 0, &[]),
                PING if flags & ACK == 0 => frame(&mut self.sent, PING, ACK, 0, &[payload]),
                WINDOW_UPDATE if stream == [0; 4] => self.windows.0 += read_word(payload)?,
                DATA | HEADERS | RST_STREAM | GOAWAY | CONTINUATION => {
                    return Err(io::Error::other(format!("the server sent a frame of kind {kind}")));
                }
                _ => {}
            }
        }
        let taken = self.received.len() - rest.len();
        self.received.drain(..taken);
        if self.windows.1 < LARGEST / 2 {
            frame(&mut self.sent, WINDOW_UPDATE, 0, 0, &[&word(LARGEST - self.windows.1)]);
            self.windows.1 = LARGEST;
        }
        Ok(is_whole)
    }
}

fn frame(into: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[&[u8]]) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).expect("frames are short");
    into.extend_from_slice(&length.to_be_bytes()[1..]);
    into.extend_from_slice(&[kind, flags]);
    into.extend_from_slice(&stream.to_be_bytes());
    for part in payload {
        into.extend_from_slice(part);
    }
}

fn word(number: i64) -> [u8; 4] {
    u32::try_from(number).expect("windows are small").to_be_bytes()
}

fn read_word(payload: &[u8]) -> io::Result<i64> {
    let bytes = payload.try_into().map_err(io::Error::other)?;
    Ok(u32::from_be_bytes(bytes).into())
}

/// Header blocks (RFC 7541): one that puts all that is not in the static table into the dynamic one, and one that names
/// what is there, as any client's does from its second call on.
fn headers(host: &str, method: &str, key: &str) -> (Vec<u8>, Vec<u8>) {
    const POST: u8 = 0x83;
    const HTTP: u8 = 0x86;
    const INTO_THE_TABLE: u8 = 0x40;
    const FROM_THE_TABLE: u8 = 0x80;
    /// The number of the field that came last; those before it follow.
    const LAST: u8 = 62;
    /// The longest text whose length is one byte.
    const LONGEST: usize = 126;
    let key = format!("Bearer {key}");
    let fields: [(&str, &str); 5] = [
        (":path", method),
        (":authority", host),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", &key),
    ];
    let mut first = vec![POST, HTTP];
    for (name, value) in fields {
        first.push(INTO_THE_TABLE);
        for text in [name, value] {
            let length = u8::try_from(text.len().min(LONGEST)).expect("it is short");
            assert_eq!(usize::from(length), text.len(), "{text} is too long");
            first.push(length);
            first.extend_from_slice(text.as_bytes());
        }
    }
    let in_turn = [4, 3, 2, 1, 0].map(|after| FROM_THE_TABLE | (LAST + after));
    (first, [&[POST, HTTP], &in_turn[..]].concat())
}
