//! What orchestrators and monitoring ask a process, over plain HTTP on a listener of its own: `/healthz` (it runs),
//! `/readyz` (it can serve, or why not) and `/metrics`. Nobody authenticates here, so it belongs on a private network.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::health::{Health, Standing};
use crate::listen;

/// So many connections are served at once; more wait.
const CONNECTIONS: usize = 64;
/// How long a connection may take to send a request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection lasts at most: who does not read its answer holds a place.
const LASTS: Duration = Duration::from_mins(1);

/// Serves for ever.
pub async fn serve(listener: TcpListener, health: Health, metrics: PrometheusHandle) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let stream = listen::accept(&listener).await;
        let (health, metrics) = (health.clone(), metrics.clone());
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let answer = answer(&request, &health, &metrics);
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .serve_connection(TokioIo::new(stream), answer);
            if let Ok(Err(error)) = tokio::time::timeout(LASTS, connection).await {
                tracing::debug!(%error, "a connection to the admin listener broke");
            }
            drop(slot);
        });
    }
}

fn answer<B>(request: &Request<B>, health: &Health, metrics: &PrometheusHandle) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
    }
    match (request.uri().path(), health.standing()) {
        ("/healthz", _) => text(StatusCode::OK, "ok\n"),
        ("/readyz", Standing::Ready) => text(StatusCode::OK, "ready\n"),
        ("/readyz", Standing::NotReady(reason)) => {
            text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n"))
        }
        ("/metrics", _) => text(StatusCode::OK, metrics.render()),
        _ => text(StatusCode::NOT_FOUND, "here are /healthz, /readyz and /metrics\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::Shutdown;

    #[tokio::test]
    async fn it_answers_what_is_true() {
        let shutdown = Shutdown::default();
        let health = Health::new(&shutdown);
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let check = |method: &str, path: &str, expect: u16| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            assert_eq!(answer(&request, &health, &metrics).status(), expect, "{method} {path}");
        };
        check("GET", "/healthz", 200);
        check("GET", "/readyz", 503);
        health.set(Standing::Ready);
        check("GET", "/readyz", 200);
        check("HEAD", "/readyz?x", 200);
        check("GET", "/metrics", 200);
        check("POST", "/readyz", 405);
        check("GET", "/", 404);
        health.set(Standing::NotReady("no database"));
        check("GET", "/readyz", 503);
    }
}
