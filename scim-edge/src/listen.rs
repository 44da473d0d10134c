//! Connections: how many are open at once, and how long one may stay without a request. Before a caller has shown a
//! valid token it gets ten seconds, however slowly it sends a header; after that the time that proxies keep idle
//! connections for.
//!
//! hyper's own `header_read_timeout` is not enough: it does not run while the HTTP version is found out, knows nothing
//! of HTTP/2, and cannot tell a caller from a stranger.

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use runtime::Shutdown;
use runtime::listen::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::address::Peer;
use crate::observe;

mod activity;
#[cfg(test)]
mod tests;

pub use activity::{Activity, Open};

/// How much of a request's head is read, and of an answer is buffered: with every connection at its most, 256 MiB.
const BUFFER: usize = 64 * 1024;
const STREAMS: u32 = 128;
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// How long an idle connection may take to close.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a connection without a request is kept when the stop comes: one may be under way on it.
const LINGER: Duration = Duration::from_secs(1);

/// How often it is said that all places are taken.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// How much connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many are open at once. More wait in the listener's backlog.
    pub connections: u32,
    /// How long a connection without a known caller may be without a request; when a stop is asked for, any.
    pub stranger: Duration,
    /// How long the connection of a known caller may be without a request.
    pub known: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 4_096,
            stranger: Duration::from_secs(10),
            // Longer than the 60 seconds after which common proxies stop using a connection: closing is left to them.
            known: Duration::from_secs(75),
        }
    }
}

/// Serves until the stop is asked for, then until the last connection is closed.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: Shutdown) {
    let slots = Arc::new(Semaphore::new(limits.connections as usize));
    let builder = builder();
    let mut listener = Listener::new(listener, shutdown.clone());
    let open = |slots: &Semaphore| limits.connections as usize - slots.available_permits();
    observe::connections(0, limits.connections);
    let mut said = None;
    // The semaphore is never closed.
    while let Ok(slot) = next_slot(&slots, &mut said).await {
        let Some(stream) = listener.accept().await else { break };
        observe::connections(open(&slots), limits.connections);
        let (slots, most) = (Arc::clone(&slots), limits.connections);
        let connection = hold(stream, builder.clone(), router.clone(), limits, shutdown.clone());
        tokio::spawn(async move {
            connection.await;
            drop(slot);
            observe::connections(most as usize - slots.available_permits(), most);
        });
    }
    // All slots are free when no connection is left.
    let _ = slots.acquire_many(limits.connections).await;
}

/// A place for the next connection. When all are taken, everyone who comes waits: that is said, but not for each of them.
async fn next_slot(slots: &Arc<Semaphore>, said: &mut Option<Instant>) -> Result<OwnedSemaphorePermit, AcquireError> {
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return Ok(slot);
    }
    if said.is_none_or(|said| said.elapsed() > SAID_EVERY) {
        tracing::warn!("as many connections are open as may be (PORTCULLIS_MAX_CONNECTIONS): others wait");
        *said = Some(Instant::now());
    }
    Arc::clone(slots).acquire_owned().await
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(None).max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .max_concurrent_streams(STREAMS);
    builder
}

/// Serves one connection to its end: the client's, or ours, when it idles or a stop is asked for. Then open requests
/// are finished, and it is given the time to close.
async fn hold(stream: TcpStream, builder: Builder<TokioExecutor>, router: Router, limits: Limits, shutdown: Shutdown) {
    let activity = Arc::new(Activity::new(limits.stranger, limits.known));
    let service = TowerToHyperService::new(Told {
        router,
        peer: stream.peer_addr().ok().map(|address| Peer(address.ip())),
        activity: Arc::clone(&activity),
        shutdown: shutdown.clone(),
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let within = tokio::select! {
        ended = connection.as_mut() => return log(ended),
        () = activity.idles() => GOODBYE.min(limits.stranger),
        () = stopped(&shutdown, &activity, LINGER.min(limits.stranger)) => limits.stranger,
    };
    connection.as_mut().graceful_shutdown();
    activity.close(within);
    tokio::select! {
        ended = connection => log(ended),
        () = activity.idles() => {}
    }
}

/// When a stop is to close a connection. In HTTP/1.1 that cannot be announced but with an answer: a request that comes as
/// the connection is closed is lost. So whoever sends one within `linger` still gets its answer, and that closes it.
async fn stopped(shutdown: &Shutdown, activity: &Activity, linger: Duration) {
    shutdown.requested().await;
    if !activity.is_http2() {
        tokio::time::sleep(linger).await;
    }
}

/// Connections break all the time, and that is nobody's to mend.
fn log<E: Display>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// The router, with each request attached to what its connection does. A request is open until its answer is made: a
/// client that does not read it idles. An answer whose body is made as it is sent has to hold its [`activity::Open`].
/// When the process leaves, answers tell HTTP/1.1 clients to use another connection.
#[derive(Clone)]
struct Told {
    router: Router,
    peer: Option<Peer>,
    activity: Arc<Activity>,
    shutdown: Shutdown,
}

impl<B> Service<Request<B>> for Told
where
    Router: Service<Request<B>, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.router.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let is_http2 = request.version() == Version::HTTP_2;
        let open = Activity::open(&self.activity, is_http2);
        let shutdown = self.shutdown.clone();
        request.extensions_mut().insert(Arc::clone(&self.activity));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let answer = self.router.call(request);
        Box::pin(async move {
            let mut answer = answer.await;
            if let Ok(answer) = &mut answer
                && shutdown.is_leaving()
                && !is_http2
            {
                answer
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            drop(open);
            answer
        })
    }
}
