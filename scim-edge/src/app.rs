//! Routes, and what stands around them.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL};
use runtime::{Health, Standing};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;

use crate::auth::{self, Authenticator};
use crate::config::Requests;
use crate::core::Core;
use crate::error::Error;
use crate::extract::{LargeBodies, list_header};
use crate::resources::{discovery, groups, search, users};
use crate::{oauth, observe, respond};

/// Where SCIM is served.
pub const ROOT: &str = "/scim/v2";

/// RFC 7644 section 3.11 wants to be told.
const NO_ME: &str = "/Me is not offered: a token stands for an identity provider, which is no user here. Use /Users.";
const NO_BULK: &str = "/Bulk is not offered: send each operation as a request of its own.";

/// What every request is served with.
pub struct Edge {
    pub settings: Requests,
    pub core: Core,
    pub health: Health,
    pub authenticator: Authenticator,
    /// Bounds what bodies take in memory.
    pub large_bodies: LargeBodies,
}

/// The whole HTTP service.
pub fn router(settings: Requests, core: Core, health: Health) -> Router {
    let edge = Arc::new(Edge {
        settings,
        core,
        health,
        authenticator: Authenticator::default(),
        large_bodies: LargeBodies::default(),
    });
    // The last layer added is the first to see a request.
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .merge(oauth::router())
        .route_layer(from_fn(observe::routed))
        .fallback_service(scim(Arc::clone(&edge)))
        .with_state(Arc::clone(&edge))
        // A panic of one request answers that request and nothing else.
        .layer(CatchPanicLayer::custom(panicked))
        // An id, a span, a log line and metrics for each request. Failures log themselves, with their cause.
        .layer(from_fn_with_state(edge, observe::observed))
        // Answers hold personal data: no cache keeps one.
        .layer(map_response(uncached))
        // No log shows the token.
        .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION]))
}

/// Everything but health and OAuth. Authentication stands in front of routing: no path is looked at before it.
fn scim(edge: Arc<Edge>) -> Router {
    let router = Router::new();
    let router = route(router, "/.search", post(search::search_all));
    let router = route(router, "/Users/.search", post(search::search_users));
    let router = route(router, "/Groups/.search", post(search::search_groups));
    let router = route(router, "/Users", get(users::list).post(users::create));
    let user = get(users::get)
        .put(users::replace)
        .patch(users::patch)
        .delete(users::delete);
    let router = route(router, "/Users/{id}", user);
    let router = route(router, "/Groups", get(groups::list).post(groups::create));
    let group = get(groups::get)
        .put(groups::replace)
        .patch(groups::patch)
        .delete(groups::delete);
    let router = route(router, "/Groups/{id}", group);
    let router = route(router, "/Me", any(async || Error::NotOffered(NO_ME)));
    let router = route(router, "/Bulk", any(async || Error::NotOffered(NO_BULK)));
    let router = route(
        router,
        "/ServiceProviderConfig",
        get(discovery::service_provider_config),
    );
    let router = route(router, "/Schemas", get(discovery::schemas));
    let router = route(router, "/Schemas/{urn}", get(discovery::schema));
    let router = route(router, "/ResourceTypes", get(discovery::resource_types));
    let router = route(router, "/ResourceTypes/{name}", get(discovery::resource_type));
    router
        .method_not_allowed_fallback(|| async { Error::MethodNotAllowed })
        // A client that takes no SCIM is told so before anything is done.
        .route_layer(from_fn(acceptable))
        .route_layer(from_fn(observe::routed))
        .fallback(|| async { Error::NotFound })
        .layer(from_fn_with_state(Arc::clone(&edge), auth::authenticated))
        .with_state(edge)
}

/// Serves a path with and without a slash at its end: some clients always send one.
fn route(router: Router<Arc<Edge>>, path: &str, methods: MethodRouter<Arc<Edge>>) -> Router<Arc<Edge>> {
    router
        .route(&format!("{ROOT}{path}"), methods.clone())
        .route(&format!("{ROOT}{path}/"), methods)
}

async fn ready(State(edge): State<Arc<Edge>>) -> Response {
    match edge.health.standing() {
        Standing::Ready => "ready".into_response(),
        Standing::NotReady(reason) => Error::NotReady(reason).into_response(),
    }
}

async fn uncached(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn acceptable(request: Request, next: Next) -> Response {
    match list_header(request.headers(), &ACCEPT) {
        Some(accept) if !accepts_scim(&accept) => Error::NotAcceptable.into_response(),
        _ => next.run(request).await,
    }
}

/// Whether an Accept header allows SCIM's JSON: RFC 7644 section 3.8.
fn accepts_scim(accept: &str) -> bool {
    accept.trim().is_empty()
        || accept.split(',').any(|range| {
            let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
            let media_range = parts.next().unwrap_or_default();
            let refused = |part: &str| {
                part.strip_prefix("q=")
                    .is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0))
            };
            let known = [respond::SCIM_JSON, "application/json", "application/*", "*/*"];
            known.contains(&media_range.as_str()) && !parts.any(|part| refused(&part))
        })
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Error::Panicked.into_response()
}

#[cfg(test)]
mod tests;
