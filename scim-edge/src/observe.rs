//! What is told of each request: its id, one span in the caller's trace, a log line where somebody may ask for it, and
//! metrics by route.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use runtime::request::REQUEST_ID;
use runtime::{RequestId, trace};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::app::Edge;

const REQUESTS: &str = "portcullis_http_requests_total";
const DURATION: &str = "portcullis_http_request_duration_seconds";
const BROKEN_OFF: &str = "portcullis_http_answers_broken_off_total";

const CONNECTIONS: &str = "portcullis_http_connections";
const MOST: &str = "portcullis_http_connections_max";

/// So much of a path is told.
const LONGEST_PATH: usize = 256;

/// A method that is none of HTTP's: a stranger may invent as many as it likes.
const NO_METHOD: &str = "none";

/// Says what the metrics are.
pub fn describe() {
    metrics::describe_counter!(REQUESTS, "HTTP requests answered");
    metrics::describe_histogram!(DURATION, "From the head of an HTTP request to its answer");
    metrics::describe_counter!(BROKEN_OFF, "Answers broken off behind their head, which said 200");
    metrics::describe_gauge!(CONNECTIONS, "Connections that are open");
    metrics::describe_gauge!(MOST, "Connections that may be open; more wait");
}

/// So many connections are open, of so many that may be.
pub fn connections(open: usize, most: u32) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!(CONNECTIONS).set(open as f64);
    metrics::gauge!(MOST).set(most);
}

/// An answer was broken off whose status is told already: nothing else counts it as a failure.
pub fn broken_off() {
    metrics::counter!(BROKEN_OFF).increment(1);
}

/// The outermost layer but for what decorates every answer. The client's request id is kept if it is plain and short, and
/// goes back to the client, to be quoted to the operator. Health is asked every second, by machines.
pub async fn observed(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    if matches!(request.uri().path(), "/healthz" | "/readyz") {
        return next.run(request).await;
    }
    let id = RequestId::sent(request.headers()).unwrap_or_else(RequestId::random);
    request.headers_mut().insert(REQUEST_ID, id.header());
    let method = method(request.method());
    let span = span(&request, method, &id, edge.settings.trust_forwarded);
    let mut told = Told::new(method);
    let mut response = id.clone().scope(next.run(request)).instrument(span.clone()).await;
    response.headers_mut().insert(REQUEST_ID, id.header());

    let status = response.status();
    told.answered = Some(status);
    told.route = response.extensions_mut().remove::<Route>();
    let took = told.since.elapsed();
    span.record("status", status.as_u16());
    if status.is_success() && matches!(method, "GET" | "HEAD") {
        span.in_scope(|| tracing::debug!(?took, "answered"));
    } else {
        span.in_scope(|| tracing::info!(?took, "answered"));
    }
    response
}

/// Counts a request when it is over, also when its client hung up.
struct Told {
    method: &'static str,
    route: Option<Route>,
    answered: Option<StatusCode>,
    since: Instant,
}

impl Told {
    fn new(method: &'static str) -> Self {
        Told {
            method,
            route: None,
            answered: None,
            since: Instant::now(),
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or("none", |route| route.0.as_str());
        let labels = [
            ("method", self.method.to_owned()),
            ("route", route.trim_end_matches('/').to_owned()),
            (
                "status",
                self.answered.as_ref().map_or("none", StatusCode::as_str).to_owned(),
            ),
        ];
        metrics::counter!(REQUESTS, &labels).increment(1);
        metrics::histogram!(DURATION, &labels[..2]).record(self.since.elapsed().as_secs_f64());
    }
}

/// Never the query, which holds personal data. At the level of errors, so that every line of the request has its id,
/// whatever `RUST_LOG` lets through. A stranger's word on which traces are kept is taken only from a proxy that is trusted.
fn span(request: &Request, method: &str, id: &RequestId, trusted: bool) -> Span {
    let path = shortened(request.uri().path());
    let span = tracing::error_span!("http", method, path, request.id = %id, tenant.id = Empty, status = Empty);
    if trusted {
        trace::follow_headers(&span, request.headers());
    }
    span
}

/// A stranger's path may be as long as a request's head.
fn shortened(path: &str) -> &str {
    let end = (0..=LONGEST_PATH.min(path.len()))
        .rev()
        .find(|end| path.is_char_boundary(*end));
    &path[..end.unwrap_or(0)]
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => NO_METHOD,
    }
}

/// The route that a request took, on its way out.
#[derive(Clone)]
struct Route(MatchedPath);

/// Notes the route where it is known.
pub async fn routed(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Route(route));
    }
    response
}
