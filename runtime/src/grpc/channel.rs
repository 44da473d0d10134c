//! A client's way to one or several processes of a service.
//!
//! A request goes to the one with the fewest open requests. It is sent again, elsewhere or after a reconnect, only when
//! it was surely not processed: nobody answered the connection, it was never written, or the server said so (RFC 9113
//! sections 6.8 and 8.7). tonic's own balancer offers neither: it goes on picking processes that are gone.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::transport::{self, Endpoint};
use tonic::{ConnectError, TimeoutExpired};
use tower::{Service, ServiceExt};

#[cfg(test)]
mod tests;

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one call may take, as seen by the caller, unless it carries a [`Deadline`].
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a process that could not be connected to is left out while others can be.
const REST: Duration = Duration::from_secs(1);
/// How often one request is sent at most, for each process that there is.
const SENDS_EACH: usize = 2;

type BoxError = Box<dyn Error + Send + Sync>;

/// How long this call may take instead, as an extension of its request.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Duration);

/// Fails unless `text`, the value of `setting`, is a URL at which gRPC may be served, or several, separated by commas.
pub fn check_urls(setting: &str, text: &str) -> anyhow::Result<()> {
    urls(text).map(drop).map_err(|error| anyhow!("{setting} {error:#}"))
}

/// A channel to the processes at the URL or the URLs that [`check_urls`] lets pass. It connects when first used and again
/// when a connection broke. To be called in a tokio runtime.
pub fn channel(text: &str) -> anyhow::Result<Channel> {
    let peers = urls(text)?.into_iter().map(Peer::new).collect();
    Ok(Channel {
        peers,
        turn: Arc::default(),
    })
}

fn urls(text: &str) -> anyhow::Result<Vec<Uri>> {
    let url = |text: &str| {
        let uri: Uri = text.parse().with_context(|| format!("is no URL: {text:?}"))?;
        ensure!(
            uri.scheme_str() == Some("http") && uri.host().is_some(),
            "must begin with http:// and a host, not {text:?}"
        );
        Ok(uri)
    };
    text.split(',').map(|text| url(text.trim())).collect()
}

/// Sends unary requests to one or several processes; a request's body is read whole before it is sent. Clones share the
/// connections.
#[derive(Clone)]
pub struct Channel {
    peers: Arc<[Peer]>,
    turn: Arc<AtomicUsize>,
}

/// One process, or a virtual address with some behind it.
struct Peer {
    channel: transport::Channel,
    /// Requests that wait for an answer.
    open: AtomicUsize,
    /// Set when it could not be connected to, until it is.
    rests_until: Mutex<Option<Instant>>,
}

impl Channel {
    async fn send(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        // How often each peer did not let this request in.
        let mut closed = vec![0; self.peers.len()];
        let mut sends_left = SENDS_EACH * self.peers.len();
        loop {
            let number = self.pick(&closed);
            let request = Request::from_parts(head.clone(), Body::new(Full::new(body.clone())));
            let error = match self.peers[number].send(request).await {
                Err(error) if is_unprocessed(&error) => error,
                answer => return Ok(answer?),
            };
            sends_left -= 1;
            closed[number] += usize::from(is_unconnected(&error));
            if sends_left == 0 {
                return Err(error.into());
            }
            tracing::debug!(
                error = &error as &dyn Error,
                "a request that was not processed is sent again"
            );
        }
    }

    /// Of the peers that may let this request in, and rather of those that do not rest, the one with the fewest open
    /// requests; of equals, each in turn.
    fn pick(&self, closed: &[usize]) -> usize {
        let now = Instant::now();
        let (count, first) = (self.peers.len(), self.turn.fetch_add(1, Ordering::Relaxed));
        let in_turn = (0..count).map(|step| first.wrapping_add(step) % count);
        let picked = in_turn.min_by_key(|number| {
            let peer = &self.peers[*number];
            (closed[*number], peer.rests(now), peer.open.load(Ordering::Relaxed))
        });
        let picked = picked.unwrap_or_default();
        self.peers[picked].try_after_rest(now);
        picked
    }
}

impl Peer {
    /// Nagle's algorithm is off: it cost 86 ms a call.
    fn new(uri: Uri) -> Self {
        let endpoint = Endpoint::from(uri)
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(2))
            .keep_alive_while_idle(true);
        Peer {
            channel: endpoint.connect_lazy(),
            open: AtomicUsize::new(0),
            rests_until: Mutex::default(),
        }
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, transport::Error> {
        let _open = Open::of(&self.open);
        let answer = self.channel.clone().oneshot(request).await;
        let is_closed = answer.as_ref().is_err_and(is_unconnected);
        *self.rest() = is_closed.then(|| Instant::now() + REST);
        answer
    }

    fn rests(&self, now: Instant) -> bool {
        self.rest().is_some_and(|until| now < until)
    }

    /// When its rest is over, one request finds out how it is, and the others go elsewhere meanwhile.
    fn try_after_rest(&self, now: Instant) {
        if let Some(until) = self.rest().as_mut() {
            *until = now + REST;
        }
    }

    fn rest(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open request; over when dropped.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Open(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn is_unconnected(error: &transport::Error) -> bool {
    causes(error).any(<dyn Error>::is::<ConnectError>)
}

/// Whether a request that failed so was surely not processed. h2 gives a GOAWAY as the error of those streams only that
/// are past the last one that the server looks at; the others end with their answer or with their connection.
fn is_unprocessed(error: &transport::Error) -> bool {
    causes(error).any(|cause| {
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            return error.is_canceled();
        }
        if let Some(error) = cause.downcast_ref::<h2::Error>() {
            let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            let left = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
            return error.is_remote() && (refused || left);
        }
        cause.is::<ConnectError>()
    })
}

fn causes(error: &transport::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| Error::source(*error))
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    /// Each process's connection is waited for with the request in hand.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let deadline = request.extensions().get::<Deadline>();
        let within = deadline.map_or(CALL_TIMEOUT, |Deadline(within)| *within);
        let sending = self.clone().send(request);
        Box::pin(async move {
            let answer = tokio::time::timeout(within, sending).await;
            answer.map_err(|_| TimeoutExpired(()))?
        })
    }
}
