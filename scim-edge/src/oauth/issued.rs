//! `POST /oauth/revoke` and `POST /oauth/introspect`: RFC 7009 and RFC 7662. Both for clients alone, about what is theirs; of
//! anything else they tell no more than of a token that never was.

use axum::response::Response;
use http::StatusCode;
use identity_proto::credential;
use identity_proto::identity::v1::{IntrospectTokenRequest, IntrospectTokenResponse, RevokeIssuedTokenRequest};
use serde_json::{Value as Json, json};

use super::client::FromClient;
use super::error::Error;
use crate::respond;

/// Revokes a token. The core is asked whatever the token's form: it alone knows whether the client is who it says.
pub async fn revoke(request: FromClient) -> Result<Response, Error> {
    let message = RevokeIssuedTokenRequest {
        token_sha256: credential::hash(request.parameters.require("token")?).to_vec(),
        client: Some(request.client),
    };
    let ask = request
        .edge
        .core
        .oauth(message, request.address, None, async |mut core, message| {
            core.revoke_issued_token(message).await
        });
    ask.await?;
    Ok(respond::empty(StatusCode::OK))
}

/// Says whether a token is live, and what it is for.
pub async fn introspect(request: FromClient) -> Result<Response, Error> {
    let message = IntrospectTokenRequest {
        token_sha256: credential::hash(request.parameters.require("token")?).to_vec(),
        client: Some(request.client),
    };
    let ask = request
        .edge
        .core
        .oauth(message, request.address, None, async |mut core, message| {
            core.introspect_token(message).await
        });
    Ok(super::json(StatusCode::OK, &render(&ask.await?)))
}

fn render(token: &IntrospectTokenResponse) -> Json {
    if !token.active {
        return json!({"active": false});
    }
    let mut body = json!({
        "active": true,
        "client_id": token.client_id,
        "scope": token.scopes.join(" "),
        "tenant_id": token.tenant_id,
    });
    // A refresh token is not used as one of these types.
    if !token.refresh {
        body["token_type"] = "Bearer".into();
    }
    for (name, time) in [("iat", token.create_time), ("exp", token.expire_time)] {
        if let Some(time) = time {
            body[name] = time.seconds.into();
        }
    }
    body
}
