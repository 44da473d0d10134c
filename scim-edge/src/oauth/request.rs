//! An authorization request: RFC 6749 section 4.1.1 and RFC 7636. First whose it is and where answers go, as until then
//! nothing may be sent anywhere; then the rest.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use http::{HeaderMap, Method};
use identity_proto::credential;
use identity_proto::identity::v1::{Authorization, ErrorReason, GetAuthorizationRequest};

use super::back::{Back, Refused};
use super::error::{Error, ErrorCode};
use super::parameters::Parameters;
use crate::app::Edge;
use crate::extract::PublicUrl;
use crate::{address, extract};

const KNOWN: [&str; 7] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// A browser's visit: the parameters stand in its query, or in the form that it posts.
pub struct Visit {
    pub edge: Arc<Edge>,
    pub headers: HeaderMap,
    /// Not decoded.
    pub text: Vec<u8>,
    pub issuer: String,
    pub address: Option<IpAddr>,
}

impl FromRequest<Arc<Edge>> for Visit {
    type Rejection = Refused;

    async fn from_request(request: Request, edge: &Arc<Edge>) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        let PublicUrl(issuer) = PublicUrl::from_request_parts(&mut parts, edge).await?;
        let text = if parts.method == Method::POST {
            extract::form_body(&parts.headers, body, edge).await?
        } else {
            parts.uri.query().unwrap_or_default().as_bytes().to_vec()
        };
        Ok(Visit {
            edge: Arc::clone(edge),
            address: address::of(&parts.headers, &parts.extensions, edge.settings.trust_forwarded),
            headers: parts.headers,
            text,
            issuer,
        })
    }
}

/// A request that may be consented to.
pub struct Authorizing {
    pub back: Back,
    pub authorization: Authorization,
    pub client_id: String,
    /// As the request says it; empty if it does not.
    pub redirect_uri: String,
    /// S256; empty: none.
    pub challenge: String,
}

impl Visit {
    /// The parameters of the request.
    pub fn parameters(&self) -> Parameters {
        Parameters::parse(&self.text, &KNOWN)
    }

    /// Checks the whole request. Whatever is wrong is told on a page until the redirect URI is known to be the client's.
    pub async fn check(&self, parameters: &Parameters) -> Result<Authorizing, Refused> {
        let redirect_uri = parameters.get("redirect_uri")?.unwrap_or_default();
        let client_id = parameters.require("client_id")?;
        let asked = GetAuthorizationRequest {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            scopes: parameters.scopes().unwrap_or_default(),
        };
        let (authorization, refused) = match self.authorization(asked.clone()).await {
            // The client and its redirect URI are good, or else this says otherwise.
            Err(error) if error.reason() == Some(ErrorReason::ScopeInvalid) => {
                let all_scopes = GetAuthorizationRequest {
                    scopes: vec![],
                    ..asked
                };
                (self.authorization(all_scopes).await?, Some(error))
            }
            answer => (answer?, None),
        };
        let back = Back {
            uri: authorization.redirect_uri.clone(),
            state: parameters.get("state").ok().flatten().map(str::to_owned),
            issuer: self.issuer.clone(),
        };
        let challenge = parameters
            .check()
            .and_then(|()| refused.map_or(Ok(()), Err))
            .and_then(|()| challenge(parameters, authorization.needs_challenge));
        match challenge {
            Ok(challenge) => Ok(Authorizing {
                back,
                authorization,
                client_id: client_id.to_owned(),
                redirect_uri: redirect_uri.to_owned(),
                challenge,
            }),
            Err(error) => Err(Refused::Back(Box::new(back), error)),
        }
    }

    async fn authorization(&self, message: GetAuthorizationRequest) -> Result<Authorization, Error> {
        let ask = self
            .edge
            .core
            .oauth(message, self.address, None, async |mut core, message| {
                core.get_authorization(message).await
            });
        Ok(ask.await?)
    }
}

/// The code challenge, once the response type is the one that there is. Without `S256` a challenge would be the verifier
/// itself, and a method without a challenge is a request that lost one on its way.
fn challenge(parameters: &Parameters, is_needed: bool) -> Result<String, Error> {
    let invalid = |text: &str| Err(Error::Refused(ErrorCode::InvalidRequest, text.to_owned()));
    if parameters.require("response_type")? != "code" {
        let text = "The response_type must be code.".to_owned();
        return Err(Error::Refused(ErrorCode::UnsupportedResponseType, text));
    }
    let challenge = parameters.get("code_challenge")?;
    match (challenge, parameters.get("code_challenge_method")?) {
        (None, None) if is_needed => invalid("This client has no secret, so it must send a code_challenge (PKCE)."),
        (None, None) => Ok(String::new()),
        (None, Some(_)) => invalid("There is a code_challenge_method without a code_challenge: send both or neither."),
        (Some(challenge), Some("S256")) if credential::is_challenge(challenge) => Ok(challenge.to_owned()),
        (Some(_), Some("S256")) => invalid("The code_challenge must be a SHA-256 in base64url: 43 characters."),
        (Some(_), _) => invalid("The code_challenge_method must be S256."),
    }
}
