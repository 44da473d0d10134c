//! What stands between two processes and can be broken, as a network is: connections cut, swallowed, delayed, or led to
//! another server.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of what is sent through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Connections end, and new ones are ended at once.
    Cut,
    /// Nothing goes through, and nobody is told: what was sent meanwhile comes late, as TCP sends it again.
    Swallow,
    /// All that is sent comes so much later.
    Late(Duration),
}

#[derive(Clone, Copy, Debug)]
struct State {
    way: Way,
    target: SocketAddr,
    /// Connections of an earlier one are over.
    life: u64,
}

/// A proxy for as long as it lives.
pub struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    /// On a free port, before `target`.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let state = State {
            way: Way::Open,
            target,
            life: 0,
        };
        let (sender, receiver) = watch::channel(state);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, receiver));
        Proxy {
            port,
            state: sender,
            _accepting: accepting,
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, for the connections that there are too.
    pub fn turn(&self, way: Way) {
        self.state.send_modify(|state| {
            state.way = way;
            state.life += u64::from(way == Way::Cut);
        });
    }

    /// Leads new connections there, and ends those that lead elsewhere.
    pub fn redirect(&self, target: SocketAddr) {
        self.state.send_modify(|state| {
            state.target = target;
            state.life += 1;
        });
    }
}

async fn accept(listener: TcpListener, state: watch::Receiver<State>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connect(client, state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: TcpStream, mut state: watch::Receiver<State>) {
    let State { way, target, life } = *state.borrow();
    if way == Way::Cut {
        return;
    }
    let over = {
        let mut state = state.clone();
        async move { state.wait_for(|now| now.life != life).await.map(drop) }
    };
    let through = async {
        let _ = state.wait_for(|now| now.way != Way::Swallow).await;
        let Ok(server) = TcpStream::connect(target).await else {
            return;
        };
        let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = pump(from_client, to_server, state.clone()) => {}
            () = pump(from_server, to_client, state.clone()) => {}
        }
    };
    tokio::select! { () = through => {}, _ = over => {} }
}

/// Ends with the first direction that does: none of the protocols here closes one half alone.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = match from.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        let way = match state.wait_for(|now| now.way != Way::Swallow).await {
            Ok(now) => now.way,
            Err(_) => return,
        };
        if let Way::Late(by) = way {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const SOON: Duration = Duration::from_millis(200);

    /// A server that greets and echoes.
    async fn echo(greeting: u8) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    stream.write_all(&[greeting]).await.unwrap();
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn next(stream: &mut TcpStream) -> Option<u8> {
        let mut byte = [0];
        let read = tokio::time::timeout(SOON, stream.read(&mut byte)).await;
        matches!(read, Ok(Ok(1))).then_some(byte[0])
    }

    #[tokio::test]
    async fn each_way_does_what_it_says_to_old_and_new_connections() {
        let proxy = Proxy::start(echo(b'a').await).await;
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()));
        let mut old = connect().await.unwrap();
        assert_eq!(next(&mut old).await, Some(b'a'));

        proxy.turn(Way::Swallow);
        old.write_all(b"1").await.unwrap();
        let mut new = connect().await.unwrap();
        assert_eq!((next(&mut old).await, next(&mut new).await), (None, None));
        proxy.turn(Way::Open);
        assert_eq!((next(&mut old).await, next(&mut new).await), (Some(b'1'), Some(b'a')));

        proxy.turn(Way::Late(SOON / 4));
        let since = Instant::now();
        old.write_all(b"2").await.unwrap();
        assert_eq!(next(&mut old).await, Some(b'2'));
        assert!(since.elapsed() >= SOON / 2, "once on each way: {:?}", since.elapsed());

        proxy.turn(Way::Cut);
        let mut refused = connect().await.unwrap();
        let mut byte = [0];
        assert_eq!(
            (
                old.read(&mut byte).await.unwrap_or(0),
                refused.read(&mut byte).await.unwrap_or(0)
            ),
            (0, 0)
        );

        proxy.turn(Way::Open);
        let mut old = connect().await.unwrap();
        assert_eq!(next(&mut old).await, Some(b'a'));
        proxy.redirect(echo(b'b').await);
        assert_eq!(old.read(&mut byte).await.unwrap_or(0), 0);
        assert_eq!(next(&mut connect().await.unwrap()).await, Some(b'b'));
    }
}
