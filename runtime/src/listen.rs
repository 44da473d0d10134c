//! Accepting connections from when there is an answer up to an orderly stop. Whoever connected before that is served: what
//! waits in the listener's backlog would be reset if the listener were just closed, and the clients could not know whether
//! they were heard.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::{Health, Shutdown};

/// How long accepting pauses when the process has no file descriptor left.
const PAUSE: Duration = Duration::from_millis(500);

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Where a process is to listen.
pub enum Socket {
    /// Nobody is let in: who knows several processes of a service goes to another one at once.
    Bound(TcpSocket),
    /// Whoever connects waits until it is accepted.
    Listening(TcpListener),
}

impl Socket {
    /// Takes a port.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // The port of a process that has just ended may be taken at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Socket::Bound(socket))
    }

    /// Where it is.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Socket::Bound(socket) => socket.local_addr(),
            Socket::Listening(listener) => listener.local_addr(),
        }
    }

    /// Lets clients in.
    pub fn listen(self) -> io::Result<TcpListener> {
        match self {
            Socket::Bound(socket) => socket.listen(BACKLOG),
            Socket::Listening(listener) => Ok(listener),
        }
    }

    /// Lets clients in once the process is ready; `None` when it is to stop before. A socket that listens already is not
    /// kept waiting: there, nobody would be sent elsewhere.
    pub async fn listen_when_ready(self, health: &Health, shutdown: &Shutdown) -> io::Result<Option<TcpListener>> {
        if let Socket::Bound(_) = self {
            tokio::select! {
                () = health.ready() => {}
                () = shutdown.leaving() => {
                    shutdown.requested().await;
                    return Ok(None);
                }
            }
        }
        self.listen().map(Some)
    }
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Socket::Listening(listener)
    }
}

/// A listener that is closed when the soft stage of the stop begins.
pub struct Listener {
    open: Option<TcpListener>,
    /// What waited in the backlog when it was closed.
    last: VecDeque<TcpStream>,
    shutdown: Shutdown,
}

impl Listener {
    /// Accepts from a bound listener until the stop.
    pub fn new(listener: TcpListener, shutdown: Shutdown) -> Self {
        Listener {
            open: Some(listener),
            last: VecDeque::new(),
            shutdown,
        }
    }

    /// The next connection, with Nagle's algorithm off: it holds small answers back. `None` once the listener is closed
    /// and everybody who had connected was handed out.
    pub async fn accept(&mut self) -> Option<TcpStream> {
        if let Some(listener) = &self.open {
            tokio::select! {
                biased;
                () = self.shutdown.requested() => {}
                stream = accept(listener) => return Some(prompt(stream)),
            }
            self.last = self.open.take().map(drain).unwrap_or_default();
        }
        self.last.pop_front().map(prompt)
    }
}

/// The next connection. A failure of one that is gone already is skipped; of others there is a pause, in which
/// connections end and file descriptors come back.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    use io::ErrorKind as Kind;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted now");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Takes what waits in the backlog and closes the listener. Asks the kernel itself: tokio may not have heard of the
/// latest connections yet.
fn drain(listener: TcpListener) -> VecDeque<TcpStream> {
    let taken = listener.into_std().map(|listener| {
        let waiting = std::iter::from_fn(|| listener.accept().ok());
        waiting.filter_map(|(stream, _)| adopt(stream).ok()).collect()
    });
    taken.unwrap_or_else(|error| {
        tracing::error!(%error, "connections that waited when the stop came are lost");
        VecDeque::new()
    })
}

fn adopt(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

fn prompt(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_let_in_before_there_is_an_answer() {
        let shutdown = Shutdown::default();
        let health = Health::new(&shutdown);
        let socket = Socket::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let (now, stop) = (health.clone(), shutdown.clone());
        let listening = tokio::spawn(async move { socket.listen_when_ready(&now, &stop).await.unwrap() });
        assert!(TcpStream::connect(address).await.is_err());
        assert!(!listening.is_finished());
        health.set(crate::Standing::Ready);
        let _listener = listening.await.unwrap();
        TcpStream::connect(address).await.unwrap();
    }

    #[tokio::test]
    async fn who_is_not_ready_when_it_is_to_stop_lets_nobody_in() {
        let shutdown = Shutdown::default();
        let health = Health::new(&shutdown);
        let socket = Socket::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let listening = socket.listen_when_ready(&health, &shutdown);
        let (listener, ()) = tokio::join!(listening, shutdown.start_after(Duration::from_millis(10)));
        assert!(listener.unwrap().is_none());
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn who_connected_before_the_stop_is_served_and_nobody_after_it() {
        let bound = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = bound.local_addr().unwrap();
        let shutdown = Shutdown::default();
        let mut listener = Listener::new(bound, shutdown.clone());
        let connect = async || TcpStream::connect(address).await;
        let mut clients = vec![connect().await.unwrap()];
        assert!(listener.accept().await.is_some());
        for _ in 0..20 {
            clients.push(connect().await.unwrap());
        }
        shutdown.start();
        let mut accepted = Vec::new();
        while let Some(stream) = listener.accept().await {
            assert!(connect().await.is_err(), "the listener is closed");
            accepted.push(stream.peer_addr().unwrap());
        }
        let waited: Vec<_> = clients[1..].iter().map(|client| client.local_addr().unwrap()).collect();
        assert_eq!(accepted, waited);
    }
}
