//! How the services speak gRPC with each other.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::Stream;
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Server;

use crate::Shutdown;
use crate::listen::Listener;

mod channel;
mod direct;

pub use channel::{CALL_TIMEOUT, Channel, Deadline, channel, check_urls};
pub use direct::Direct;

/// How many calls may be taken back before they were looked at, until a connection is closed for it. When the clients of an
/// edge hang up it takes calls back, and the calls of all others are on the same connection.
const RESETS: usize = 10_000;

/// A server builder with the limits that all services share.
pub fn server() -> Server {
    Server::builder()
        // Each service has shorter ones for what it does.
        .timeout(Duration::from_secs(30))
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(Some(1_024))
        .http2_max_pending_accept_reset_streams(Some(RESETS))
}

/// Connections from a bound listener, up to the stop. Their end is what tells tonic to finish: it then sends GOAWAY on all
/// of them, after the listener was closed, so that a client that connects anew for it does not come back here. So the
/// signal to be given beside it is one that never comes.
pub fn incoming(
    listener: TcpListener,
    shutdown: &Shutdown,
) -> impl Stream<Item = Result<TcpStream, Infallible>> + use<> {
    futures_util::stream::unfold(Listener::new(listener, shutdown.clone()), async |mut listener| {
        let stream = listener.accept().await?;
        Some((Ok(stream), listener))
    })
}
