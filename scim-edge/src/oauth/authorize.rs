//! `/oauth/authorize`: an administrator is asked whether a client may act for the tenant, and proves the right to say so by
//! a static token of that tenant. RFC 6749 section 4.1.

use axum::response::Response;
use identity_proto::credential::{self, Kind};
use identity_proto::identity::v1::{AuthorizeRequest, AuthorizeResponse, ErrorReason};

use super::back::{Back, Refused};
use super::consent::{self, ALLOW, DECISION, DENY, FIELDS, KEY, PROOF};
use super::csrf::Proof;
use super::error::{Error, ErrorCode};
use super::parameters::Parameters;
use super::request::{Authorizing, Visit};
use crate::core::CredentialHash;

/// GET: shows the page.
pub async fn show(visit: Visit) -> Result<Response, Refused> {
    let parameters = visit.parameters();
    let asked = visit.check(&parameters).await?;
    Ok(consent::show(&asked, &parameters, &Proof::of(&visit.headers), None))
}

/// POST: what was decided on it. The form is a stranger's word like any other, so the request is checked from the start.
pub async fn decide(visit: Visit) -> Result<Response, Refused> {
    let form = Parameters::parse(&visit.text, &FIELDS);
    let proof = Proof::check(&visit.headers, &visit.issuer, form.get(PROOF)?)?;
    let parameters = visit.parameters();
    let asked = visit.check(&parameters).await?;
    match form.get(DECISION)? {
        Some(ALLOW) => {}
        Some(DENY) => {
            let text = "The administrator did not allow it.";
            return Ok(asked.back.with_error(ErrorCode::AccessDenied, text));
        }
        _ => {
            let text = format!("The decision must be {ALLOW} or {DENY}.");
            return Err(Error::Refused(ErrorCode::InvalidRequest, text).into());
        }
    }
    let key = form.get(KEY).ok().flatten().unwrap_or_default();
    match authorize(&visit, &asked, key.trim()).await {
        Ok(answer) => {
            let back = Back {
                uri: answer.redirect_uri,
                ..asked.back
            };
            Ok(back.with_code(&answer.code))
        }
        Err(error) if may_try_again(&error) => Ok(consent::show(&asked, &parameters, &proof, Some(&error))),
        Err(error) if is_the_clients(&error) => Err(Refused::Back(Box::new(asked.back), error)),
        Err(error) => Err(error.into()),
    }
}

async fn authorize(visit: &Visit, asked: &Authorizing, key: &str) -> Result<AuthorizeResponse, Error> {
    if !Kind::Token.fits(key) {
        let text =
            "This is no SCIM secret key: check that it was copied whole. It begins with pcs_ and has 54 characters.";
        return Err(Error::Refused(ErrorCode::AccessDenied, text.to_owned()));
    }
    let hash = CredentialHash::new(&credential::hash(key))?;
    let message = AuthorizeRequest {
        client_id: asked.client_id.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        scopes: asked.authorization.scopes.clone(),
        code_challenge: asked.challenge.clone(),
    };
    let core = &visit.edge.core;
    let ask = core.oauth(message, visit.address, Some(&hash), async |mut core, message| {
        core.authorize(message).await
    });
    Ok(ask.await?)
}

/// Whether another key, or a little time, may be all that is needed.
fn may_try_again(error: &Error) -> bool {
    use ErrorReason as R;
    match error.reason() {
        None => error.code() == ErrorCode::AccessDenied,
        Some(
            R::CredentialInvalid
            | R::CredentialExpired
            | R::ConsentRefused
            | R::ScopeMissing
            | R::TenantSuspended
            | R::ScimDisabled,
        ) => true,
        Some(_) => error.code() == ErrorCode::TemporarilyUnavailable,
    }
}

/// Whether it is the client's request that is wrong, and not who decides on it.
fn is_the_clients(error: &Error) -> bool {
    use ErrorReason as R;
    matches!(
        error.reason(),
        Some(R::ScopeInvalid | R::ClientUnauthorized | R::InvalidValue | R::InvalidSyntax)
    )
}
