//! How the services speak gRPC with each other.

use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one call may take, as seen by the caller.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How many calls may be taken back before they were looked at, until a connection is closed for it. When the clients of an
/// edge hang up it takes calls back, and the calls of all others are on the same connection.
const RESETS: usize = 10_000;

/// A channel that connects when first used and again when it broke. Nagle's algorithm is off: it cost 86 ms a call.
pub fn channel(url: &str) -> anyhow::Result<Channel> {
    Ok(Endpoint::from_shared(url.to_owned())?
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(2))
        .keep_alive_while_idle(true)
        .connect_lazy())
}

/// Fails unless `text`, the value of `setting`, is a URL at which gRPC may be served.
pub fn check_urls(setting: &str, text: &str) -> anyhow::Result<()> {
    let uri: http::Uri = text.parse().with_context(|| format!("{setting} is no URL: {text:?}"))?;
    anyhow::ensure!(
        uri.scheme_str() == Some("http") && uri.host().is_some(),
        "{setting} must begin with http:// and a host, not {text:?}"
    );
    Ok(())
}

/// A server builder with the limits that all services share.
pub fn server() -> Server {
    Server::builder()
        .timeout(Duration::from_secs(10))
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(Some(1_024))
        .http2_max_pending_accept_reset_streams(Some(RESETS))
}

/// Accepts connections from a bound listener.
pub fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}
