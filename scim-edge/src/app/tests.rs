//! The whole HTTP service in front of a core in this process.

mod access;
mod fake_core;
mod groups;
mod oauth;
mod requests;
mod serving;
mod streams;
mod users;

use std::time::Duration;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, StatusCode};
use runtime::{Secret, Shutdown};
use serde_json::Value as Json;
use tower::ServiceExt as _;

use super::*;
use crate::config::Config;
use fake_core::FakeCore;

/// An edge, the core behind it, and the token that requests carry.
struct Fixture {
    core: FakeCore,
    /// The edge's own side of it.
    upstream: Core,
    health: Health,
    shutdown: Shutdown,
    router: Router,
    token: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts the form that every error has, and its scimType.
    fn check_error(&self, status: u16, scim_type: Option<&str>, context: &str) {
        assert_eq!(self.status, status, "{context}: {self:?}");
        assert_eq!(self.header("content-type"), Some("application/scim+json"), "{context}");
        let body = self.json();
        assert_eq!(
            body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error",
            "{context}"
        );
        assert_eq!(body["status"], status.to_string(), "{context}");
        assert_eq!(body["scimType"].as_str(), scim_type, "{context}: {body}");
        assert!(
            body["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
            "{context}"
        );
    }
}

fn config(core_url: String) -> Config {
    Config {
        core_url,
        service_key: Some(Secret::new(fake_core::SERVICE_KEY)),
        service_key_file: None,
        public_url: None,
        trust_forwarded: false,
        max_body: 64 * 1024,
        max_connections: 16,
    }
}

impl Fixture {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let core = FakeCore::default();
        let mut config = config(core.start().await);
        change(&mut config);
        let settings = config.settings().unwrap();
        let upstream = settings.core().unwrap();
        let shutdown = Shutdown::default();
        let health = Health::new(&shutdown);
        Self {
            core,
            router: router(settings.requests.clone(), upstream.clone(), health.clone()),
            shutdown,
            upstream,
            health,
            token: Some(fake_core::writer()),
        }
    }

    /// Whether `/readyz` comes to answer this, once the core is watched.
    async fn readiness_becomes(&self, status: u16) -> Answer {
        let core = self.upstream.clone();
        let looking = self.health.clone().keep(move || crate::health::look(core.clone()));
        self.shutdown.spawn_endless("core health", looking);
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let standing = self.health.standing();
            if (standing == Standing::Ready) == (status == 200) && standing != Standing::NotReady("starting") {
                break;
            }
        }
        self.get("/readyz").await
    }

    /// Sends a request; `headers` replace the defaults.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = http::Request::builder().method(method).uri(path);
        let given = request.headers_mut().unwrap();
        given.insert(HOST, "scim.test:8080".parse().unwrap());
        given.insert(CONTENT_TYPE, "application/scim+json".parse().unwrap());
        if let Some(token) = &self.token {
            given.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        for (name, _) in headers {
            given.remove(*name);
        }
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            given.append(name, value.parse().unwrap());
        }
        let request = request.body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Body::empty()).await
    }
}

#[test]
fn accept_headers() {
    for (accept, expect) in [
        ("application/scim+json", true),
        ("application/json", true),
        ("text/html, */*;q=0.1", true),
        ("APPLICATION/*", true),
        ("application/scim+json; charset=utf-8", true),
        ("", true),
        ("text/html", false),
        ("application/xml", false),
        ("application/scim+json;q=0", false),
        ("application/scim+json; Q=0.000, text/html", false),
    ] {
        assert_eq!(accepts_scim(accept), expect, "{accept}");
    }
}

#[tokio::test]
async fn a_panic_answers_one_request() {
    let response = panicked(Box::new("secret"));
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(
        body.contains("\"status\":\"500\"") && !body.contains("secret"),
        "{body}"
    );
}

/// Methods that a resource might take.
fn methods() -> [Method; 7] {
    use Method as M;
    [M::GET, M::HEAD, M::POST, M::PUT, M::PATCH, M::DELETE, M::OPTIONS]
}
