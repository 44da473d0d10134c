//! How a client says who it is: RFC 6749 section 2.3, and RFC 7523 section 2.2. One way at a time.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use identity_proto::credential::{self, Kind};
use identity_proto::identity::v1::ClientAuthentication;
use identity_proto::identity::v1::client_authentication::Proof;

use super::error::{Error, ErrorCode};
use super::parameters::Parameters;
use crate::app::Edge;
use crate::{address, extract};

/// What the endpoints for programs know.
const KNOWN: [&str; 11] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    "token",
];
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A form that was sent by a client, which said who it is.
pub struct FromClient {
    pub edge: Arc<Edge>,
    pub parameters: Parameters,
    pub client: ClientAuthentication,
    pub address: Option<IpAddr>,
}

impl FromRequest<Arc<Edge>> for FromClient {
    type Rejection = Error;

    async fn from_request(request: Request, edge: &Arc<Edge>) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let text = extract::form_body(&parts.headers, body, edge).await?;
        let parameters = Parameters::parse(&text, &KNOWN);
        parameters.check()?;
        Ok(FromClient {
            edge: Arc::clone(edge),
            client: authentication(&parts.headers, &parameters)?,
            address: address::of(&parts.headers, &parts.extensions, edge.settings.trust_forwarded),
            parameters,
        })
    }
}

/// What the client sent to prove itself. Secrets that are none are refused here, and nothing else is decided.
fn authentication(headers: &HeaderMap, parameters: &Parameters) -> Result<ClientAuthentication, Error> {
    let invalid = |text: &str| Error::Refused(ErrorCode::InvalidRequest, text.to_owned());
    let id = parameters.get("client_id")?;
    let basic = basic(headers)?;
    let secret = parameters.get("client_secret")?;
    let assertion = assertion(parameters)?;
    let ways = [basic.is_some(), secret.is_some(), assertion.is_some()];
    if ways.into_iter().filter(|used| *used).count() > 1 {
        return Err(invalid(
            "The client proves itself in more than one way: send the header Authorization, or client_secret, or client_assertion.",
        ));
    }
    if let Some((basic_id, secret)) = basic {
        if id.is_some_and(|id| id != basic_id) {
            return Err(invalid(
                "The client_id in the body is not the one in the header Authorization: leave one out.",
            ));
        }
        return with_secret(basic_id, &secret);
    }
    match (id, secret, assertion) {
        (id, _, Some(assertion)) => Ok(ClientAuthentication {
            client_id: id.unwrap_or_default().to_owned(),
            proof: Some(Proof::Assertion(assertion.to_owned())),
        }),
        (Some(id), Some(secret), None) => with_secret(id.to_owned(), secret),
        (Some(id), None, None) => Ok(ClientAuthentication {
            client_id: id.to_owned(),
            proof: None,
        }),
        (None, Some(_), None) => Err(invalid(
            "The parameter client_id is missing: send it with client_secret.",
        )),
        (None, None, None) => Err(unproven(
            "The client does not say who it is: send client id and secret by HTTP Basic or in the body, or a client_assertion.",
        )),
    }
}

fn with_secret(client_id: String, secret: &str) -> Result<ClientAuthentication, Error> {
    if !Kind::ClientSecret.fits(secret) {
        return Err(unproven(
            "The client secret is not valid: check that it was copied whole, or make another with 'portcullis client rotate'.",
        ));
    }
    Ok(ClientAuthentication {
        client_id,
        proof: Some(Proof::SecretSha256(credential::hash(secret).to_vec())),
    })
}

fn assertion(parameters: &Parameters) -> Result<Option<&str>, Error> {
    match (
        parameters.get("client_assertion")?,
        parameters.get("client_assertion_type")?,
    ) {
        (None, None) => Ok(None),
        (Some(assertion), Some(JWT_BEARER)) => Ok(Some(assertion)),
        (Some(_), Some(_)) => Err(unproven(&format!("The client_assertion_type must be {JWT_BEARER}."))),
        _ => Err(Error::Refused(
            ErrorCode::InvalidRequest,
            "Send client_assertion and client_assertion_type together.".to_owned(),
        )),
    }
}

/// Client id and secret of HTTP Basic. They are form-urlencoded in it; the characters of ours are the same without.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => {
            let text = "The header Authorization is given more than once: send it once.";
            return Err(Error::Refused(ErrorCode::InvalidRequest, text.to_owned()));
        }
    };
    let pair = value.to_str().ok().and_then(|value| {
        let (scheme, encoded) = value.split_once(' ')?;
        let decoded = STANDARD.decode(encoded.trim()).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        scheme
            .eq_ignore_ascii_case("basic")
            .then(|| (decode(id), decode(secret)))
    });
    match pair {
        Some((id, secret)) if !id.is_empty() => Ok(Some((id, secret))),
        _ => Err(unproven(
            "The header Authorization must be Basic with client id and secret, or be left out.",
        )),
    }
}

/// One value, which no `&` or `=` divides.
fn decode(text: &str) -> String {
    let text = text.replace('=', "%3D").replace('&', "%26");
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs.next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

fn unproven(text: &str) -> Error {
    Error::Refused(ErrorCode::InvalidClient, text.to_owned())
}

#[cfg(test)]
mod tests;
