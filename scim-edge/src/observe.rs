//! What is told of each request: its id, one span in the caller's trace, a log line where somebody may ask for it, and
//! metrics by route.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use runtime::request::REQUEST_ID;
use runtime::{RequestId, trace};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::app::Edge;

const REQUESTS: &str = "portcullis_http_requests_total";
const DURATION: &str = "portcullis_http_request_duration_seconds";

/// A method that is none of HTTP's: a stranger may invent as many as it likes.
const NO_METHOD: &str = "none";

/// Says what the metrics are.
pub fn describe() {
    metrics::describe_counter!(REQUESTS, "HTTP requests answered");
    metrics::describe_histogram!(DURATION, "From the head of an HTTP request to its answer");
}

/// The outermost layer but for what decorates every answer. The client's request id is kept if it is plain and short, and
/// goes back to the client, to be quoted to the operator.
pub async fn observed(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let since = Instant::now();
    let id = RequestId::sent(request.headers()).unwrap_or_else(RequestId::random);
    request.headers_mut().insert(REQUEST_ID, id.header());
    let method = method(request.method());
    let span = span(&request, method, &id, edge.settings.trust_forwarded);
    let mut response = id.clone().scope(next.run(request)).instrument(span.clone()).await;
    response.headers_mut().insert(REQUEST_ID, id.header());

    let (status, took) = (response.status(), since.elapsed());
    let route = response.extensions_mut().remove::<Route>();
    let route = route.as_ref().map_or("none", |route| route.0.as_str());
    let labels = [
        ("method", method.to_owned()),
        ("route", route.trim_end_matches('/').to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    metrics::counter!(REQUESTS, &labels).increment(1);
    metrics::histogram!(DURATION, &labels[..2]).record(took.as_secs_f64());
    span.record("status", status.as_u16());
    if status.is_success() && matches!(method, "GET" | "HEAD") {
        span.in_scope(|| tracing::debug!(?took, "answered"));
    } else {
        span.in_scope(|| tracing::info!(?took, "answered"));
    }
    response
}

/// Never the query, which holds personal data. At the level of errors, so that every line of the request has its id,
/// whatever `RUST_LOG` lets through. A stranger's word on which traces are kept is taken only from a proxy that is trusted.
fn span(request: &Request, method: &str, id: &RequestId, trusted: bool) -> Span {
    let path = request.uri().path();
    let span = tracing::error_span!("http", method, path, request.id = %id, tenant.id = Empty, status = Empty);
    if trusted {
        trace::follow_headers(&span, request.headers());
    }
    span
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
