//! What handlers take from a request, each with its own refusals: ids, query, body, base URI, preconditions.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body as AxumBody, BodyDataStream};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use futures_util::StreamExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Version};
use serde_json::{Map, Value as Json};
use tokio::time::Instant;

use crate::app::{Edge, ROOT};
use crate::auth::attached;
use crate::error::Error;
use crate::listen::{Activity, Open};
use crate::scim::query::Query;
use crate::scim::{Refusal, json, resource};

pub use large_bodies::LargeBodies;
use large_bodies::{Place, SMALL};

mod large_bodies;

/// RFC 7644 section 8.1, and application/json as many clients send it.
const SCIM_TYPES: [&str; 2] = ["application/scim+json", "application/json"];
const FORM_TYPE: &str = "application/x-www-form-urlencoded";
/// The longest form that is read, in bytes.
pub const MAX_FORM: usize = 32 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of a body that is too long is still taken in, and for how long, so that a client that sends it whole before
/// it reads finds the answer and not a reset.
const DRAINED_AT_MOST: usize = 16 * 1024 * 1024;
const DRAINED_FOR: Duration = Duration::from_secs(5);

/// The id of a resource in the path. What cannot be an id of ours is answered as an unknown one.
pub struct Id(pub String);

impl FromRequestParts<Arc<Edge>> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Error> {
        let Segment(id) = Segment::from_request_parts(parts, edge).await?;
        if resource::is_id(&id) {
            Ok(Id(id))
        } else {
            Err(Error::NotFound)
        }
    }
}

/// The last segment of the path, decoded.
pub struct Segment(pub String);

impl FromRequestParts<Arc<Edge>> for Segment {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Error> {
        let path = Path::<String>::from_request_parts(parts, edge).await;
        path.map(|Path(segment)| Segment(segment)).map_err(|_| Error::NotFound)
    }
}

impl FromRequestParts<Arc<Edge>> for Query {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Edge>) -> Result<Self, Error> {
        Ok(Query::parse(parts.uri.query().unwrap_or_default())?)
    }
}

/// The URL of this edge as the client sees it, without a slash at its end.
pub struct PublicUrl(pub String);

impl FromRequestParts<Arc<Edge>> for PublicUrl {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Error> {
        if let Some(public) = &edge.settings.public_url {
            return Ok(PublicUrl(public.clone()));
        }
        let host = match (header(&parts.headers, &HOST), parts.uri.authority()) {
            (Some(host), _) => host.parse::<Authority>().ok(),
            (None, authority) => authority.cloned(),
        };
        let host = host.filter(|host| !host.as_str().contains('@'));
        let host = host.ok_or_else(|| Refusal::syntax("The Host header is missing or malformed."))?;
        let secure = edge.settings.trust_forwarded && is_forwarded_https(&parts.headers);
        let scheme = if secure { "https" } else { "http" };
        Ok(PublicUrl(format!("{scheme}://{host}")))
    }
}

/// The URI of the SCIM root as the client sees it, without a slash at its end.
pub struct Base(pub String);

impl FromRequestParts<Arc<Edge>> for Base {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Error> {
        let PublicUrl(url) = PublicUrl::from_request_parts(parts, edge).await?;
        Ok(Base(format!("{url}{ROOT}")))
    }
}

/// Where an answer goes: what its URIs begin with, and the connection that it is sent on.
pub struct Client {
    pub base: String,
    connection: Option<Arc<Activity>>,
    is_http2: bool,
}

impl Client {
    /// Keeps the connection from idling for as long as this is held; for answers that are made as they are sent.
    pub fn hold(&self) -> Option<Open> {
        let connection = self.connection.as_ref()?;
        Some(Activity::open(connection, self.is_http2))
    }
}

impl FromRequestParts<Arc<Edge>> for Client {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Error> {
        let Base(base) = Base::from_request_parts(parts, edge).await?;
        Ok(Client {
            base,
            connection: parts.extensions.get().cloned(),
            is_http2: parts.version == Version::HTTP_2,
        })
    }
}

fn is_forwarded_https(headers: &HeaderMap) -> bool {
    let forwarded = header(headers, &HeaderName::from_static("x-forwarded-proto"));
    let nearest_client = forwarded.and_then(|list| list.split(',').next());
    nearest_client.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

/// A body: one JSON object, within the limit.
pub struct Body(pub Map<String, Json>);

impl FromRequest<Arc<Edge>> for Body {
    type Rejection = Error;

    async fn from_request(request: Request, edge: &Arc<Edge>) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers, &SCIM_TYPES)?;
        let until = Instant::now() + BODY_TIMEOUT;
        let caller = attached(&parts)?;
        let mut place = Place::new(&edge.large_bodies, &caller.tenant_id, until);
        let read = read(&parts.headers, body, edge.settings.max_body, &mut place);
        let bytes = tokio::time::timeout_at(until, read)
            .await
            .map_err(|_| Error::BodyTimeout)??;
        // The place is free when the text is parsed. What handlers make of it is made at once, on this thread.
        Ok(Body(json::parse(&bytes)?))
    }
}

/// The body of an HTML form, which is of no tenant: it is small, so it needs no place.
pub async fn form_body(headers: &HeaderMap, body: AxumBody, edge: &Edge) -> Result<Vec<u8>, Error> {
    check_media_type(headers, &[FORM_TYPE])?;
    let until = Instant::now() + BODY_TIMEOUT;
    let mut place = Place::new(&edge.large_bodies, "", until);
    tokio::time::timeout_at(until, read(headers, body, MAX_FORM, &mut place))
        .await
        .map_err(|_| Error::BodyTimeout)?
}

async fn read(headers: &HeaderMap, body: AxumBody, limit: usize, place: &mut Place<'_>) -> Result<Vec<u8>, Error> {
    let announced = header(headers, &CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    let announced = announced.unwrap_or_default();
    let mut stream = body.into_data_stream();
    if announced > limit {
        // Who expects 100 Continue has sent nothing yet, and should not be told to.
        if !headers.contains_key(EXPECT) {
            tokio::spawn(tokio::time::timeout(DRAINED_FOR, drain(stream)));
        }
        return Err(Error::BodyTooLarge(limit));
    }
    let mut bytes = Vec::with_capacity(announced.min(SMALL));
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Error::BodyBroken)?;
        if bytes.len() + chunk.len() > limit {
            tokio::spawn(tokio::time::timeout(DRAINED_FOR, drain(stream)));
            return Err(Error::BodyTooLarge(limit));
        }
        place.for_length(bytes.len() + chunk.len()).await?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn drain(mut stream: BodyDataStream) {
    let mut drained = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        drained += chunk.len();
        if drained > DRAINED_AT_MOST {
            return;
        }
    }
}

/// One of these, uncompressed, and always UTF-8.
fn check_media_type(headers: &HeaderMap, served: &[&str]) -> Result<(), Error> {
    let refused = |detail: &str| Err(Error::UnsupportedMediaType(detail.to_owned()));
    let is_identity = |encoding: &str| encoding.trim().eq_ignore_ascii_case("identity");
    if list_header(headers, &CONTENT_ENCODING).is_some_and(|list| !list.split(',').all(is_identity)) {
        return refused("Bodies must not be compressed: leave Content-Encoding out.");
    }
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    };
    let mut parts = value.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    if !served.iter().any(|one| one.eq_ignore_ascii_case(media_type)) {
        let first = served.first().unwrap_or(&"");
        return refused(&format!("The body must be sent as Content-Type: {first}."));
    }
    let charset = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    match charset {
        Some((_, charset)) if !charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8") => {
            refused("The body must be UTF-8: send charset=utf-8 or no charset.")
        }
        _ => Ok(()),
    }
}

/// The text of a header; several lines are one list. `None` if it is absent.
pub fn list_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check_type(served: &[&str], content_type: Option<&'static str>, accepted: bool) {
        let mut headers = HeaderMap::new();
        if let Some(value) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
        }
        assert_eq!(check_media_type(&headers, served).is_ok(), accepted, "{content_type:?}");
    }

    #[test]
    fn a_form_is_accepted_where_one_is_expected() {
        let check = |content_type, accepted| check_type(&[FORM_TYPE], content_type, accepted);
        check(Some("application/x-www-form-urlencoded"), true);
        check(Some("Application/X-WWW-Form-URLencoded; charset=UTF-8"), true);
        check(Some("application/x-www-form-urlencoded; charset=latin1"), false);
        check(Some("application/json"), false);
        check(Some("multipart/form-data; boundary=x"), false);
        check(None, false);
    }

    #[test]
    fn json_in_utf8_is_accepted() {
        let check = |content_type, accepted| check_type(&SCIM_TYPES, content_type, accepted);
        check(Some("application/scim+json"), true);
        check(Some("application/json; charset=utf-8"), true);
        check(Some("Application/SCIM+JSON;charset=\"UTF-8\"; x=y"), true);
        check(Some("application/json; charset=utf-16"), false);
        check(Some("text/plain"), false);
        check(Some("application/x-www-form-urlencoded"), false);
        check(Some("application/jsonx"), false);
        check(Some(""), false);
        check(None, false);
    }
}
