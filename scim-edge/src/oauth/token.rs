//! `POST /oauth/token`: RFC 6749 sections 4.1.3, 4.4.2, 5 and 6.

use axum::response::Response;
use http::StatusCode;
use identity_proto::credential::{self, Kind};
use identity_proto::identity::v1::issue_token_request::Grant;
use identity_proto::identity::v1::{
    ClientCredentialsGrant, CodeGrant, IssueTokenRequest, IssueTokenResponse, RefreshGrant,
};
use serde_json::{Map, Value as Json};

use super::client::FromClient;
use super::error::{Error, ErrorCode};
use super::parameters::Parameters;

/// What `grant_type` may be.
pub const GRANTS: [&str; 3] = ["authorization_code", "refresh_token", "client_credentials"];

/// Issues tokens.
pub async fn issue(request: FromClient) -> Result<Response, Error> {
    let message = IssueTokenRequest {
        grant: Some(grant(&request.parameters)?),
        client: Some(request.client),
    };
    let ask = request
        .edge
        .core
        .oauth(message, request.address, None, async |mut core, message| {
            core.issue_token(message).await
        });
    Ok(super::json(StatusCode::OK, &render(ask.await?)))
}

fn grant(parameters: &Parameters) -> Result<Grant, Error> {
    match parameters.require("grant_type")? {
        "authorization_code" => Ok(Grant::Code(CodeGrant {
            code_sha256: hash(Kind::Code, parameters.require("code")?)?,
            redirect_uri: parameters.get("redirect_uri")?.unwrap_or_default().to_owned(),
            // Whatever it is: a wrong one uses the code up.
            code_verifier: parameters.get("code_verifier")?.unwrap_or_default().to_owned(),
        })),
        "refresh_token" => Ok(Grant::Refresh(RefreshGrant {
            refresh_token_sha256: hash(Kind::RefreshToken, parameters.require("refresh_token")?)?,
            scopes: parameters.scopes()?,
        })),
        "client_credentials" => Ok(Grant::ClientCredentials(ClientCredentialsGrant {
            scopes: parameters.scopes()?,
        })),
        _ => Err(Error::Refused(
            ErrorCode::UnsupportedGrantType,
            format!("The grant_type must be one of {}.", GRANTS.join(", ")),
        )),
    }
}

/// The hash of what is being redeemed. What is none is not asked about.
fn hash(kind: Kind, text: &str) -> Result<Vec<u8>, Error> {
    if kind.fits(text) {
        return Ok(credential::hash(text).to_vec());
    }
    let text = match kind {
        Kind::Code => "The code is not one of this service: have the connection authorized again.",
        _ => "The refresh_token is not one of this service: have the connection authorized again.",
    };
    Err(Error::Refused(ErrorCode::InvalidGrant, text.to_owned()))
}

fn render(issued: IssueTokenResponse) -> Json {
    let seconds = issued.lifetime.unwrap_or_default().seconds;
    let mut body = Map::new();
    body.insert("access_token".to_owned(), issued.access_token.into());
    body.insert("token_type".to_owned(), "Bearer".into());
    body.insert("expires_in".to_owned(), seconds.into());
    if !issued.refresh_token.is_empty() {
        body.insert("refresh_token".to_owned(), issued.refresh_token.into());
    }
    body.insert("scope".to_owned(), issued.scopes.join(" ").into());
    Json::Object(body)
}
