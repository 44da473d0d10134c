//! What a client may be: every part of a request to create one, checked before anything is written.

use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::{Assertion, CreateClientRequest, ErrorReason};

use super::{column, has_secrets, redirect_uri};
use crate::Error;
use crate::credentials::secret::{checked_lifetime, checked_scopes, seconds};

const LONGEST_NAME: usize = 100;
const MOST_REDIRECT_URIS: usize = 10;
const LONGEST_CLAIM: usize = 1_000;
const HOUR: i64 = 3_600;

/// A request that can be carried out.
pub(super) struct Checked {
    pub(super) kind: Kind,
    pub(super) column: &'static str,
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    pub(super) redirect_uris: Vec<String>,
    pub(super) assertion: Option<Assertion>,
    pub(super) token_seconds: i32,
    /// Of its first secret.
    pub(super) secret_seconds: i64,
}

pub(super) fn checked(request: CreateClientRequest) -> Result<Checked, Error> {
    let kind = request.kind();
    let column = column(kind).ok_or_else(|| wrong("kind", "say which kind of client it is"))?;
    let name = request.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(wrong(
            "name",
            "a name has 1 to 100 characters, and no control characters",
        ));
    }
    let by_code = matches!(kind, Kind::Code | Kind::PublicCode);
    if by_code != (1..=MOST_REDIRECT_URIS).contains(&request.redirect_uris.len())
        || !by_code && !request.redirect_uris.is_empty()
    {
        let message = "a client of the authorization code has 1 to 10 redirect URIs, any other has none";
        return Err(wrong("redirect_uris", message));
    }
    for uri in &request.redirect_uris {
        if let Some(problem) = redirect_uri::problem(uri) {
            return Err(wrong("redirect_uris", &format!("the redirect URI {uri:?} {problem}")));
        }
    }
    let token_lifetime = || "access tokens live for an hour at least, and for six at most".to_owned();
    let token_seconds = seconds(
        request.token_lifetime,
        HOUR,
        HOUR..=6 * HOUR,
        "token_lifetime",
        token_lifetime,
    )?;
    if request.secret_lifetime.is_some() && !has_secrets(kind) {
        return Err(wrong("secret_lifetime", "this kind of client has no secret"));
    }
    Ok(Checked {
        kind,
        column,
        name,
        scopes: checked_scopes(request.scopes)?,
        redirect_uris: request.redirect_uris,
        assertion: assertion(kind, request.assertion)?,
        token_seconds: i32::try_from(token_seconds).unwrap_or(i32::MAX),
        secret_seconds: checked_lifetime(request.secret_lifetime)?,
    })
}

fn assertion(kind: Kind, assertion: Option<Assertion>) -> Result<Option<Assertion>, Error> {
    let assertion = match (kind, assertion) {
        (Kind::Assertion, Some(assertion)) => assertion,
        (Kind::Assertion, None) => return Err(wrong("assertion", "say whose assertions are taken")),
        (_, Some(_)) => return Err(wrong("assertion", "this kind of client takes no assertions")),
        (_, None) => return Ok(None),
    };
    let claims = [&assertion.issuer, &assertion.subject, &assertion.audience];
    if assertion.audience.is_empty()
        || claims
            .into_iter()
            .any(|claim| claim.len() > LONGEST_CLAIM || claim.contains('\0'))
    {
        let message = "issuer, subject and audience have 1,000 characters at most, and the audience is needed";
        return Err(wrong("assertion", message));
    }
    Ok(Some(assertion))
}

fn wrong(attribute: &'static str, message: &str) -> Error {
    Error::new(ErrorReason::InvalidValue, message).with("attribute", attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: Kind) -> CreateClientRequest {
        CreateClientRequest {
            tenant: "acme".to_owned(),
            name: "Okta".to_owned(),
            kind: kind.into(),
            redirect_uris: match kind {
                Kind::Code | Kind::PublicCode => vec!["https://app.example/cb".to_owned()],
                _ => Vec::new(),
            },
            assertion: (kind == Kind::Assertion).then(|| Assertion {
                jwks_url: "https://idp.example/keys".to_owned(),
                audience: "api://x".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |kind: Kind, change: fn(&mut CreateClientRequest), expect: Option<&str>| {
            let mut request = request(kind);
            change(&mut request);
            let attribute = checked(request)
                .err()
                .and_then(|error| error.metadata.first().map(|(_, name)| name.clone()));
            assert_eq!(attribute.as_deref(), expect, "{kind:?}");
        };
        for kind in [Kind::Code, Kind::PublicCode, Kind::Secret, Kind::Assertion] {
            check(kind, |_| {}, None);
            check(kind, |request| request.name = " ".to_owned(), Some("name"));
            check(kind, |request| request.name = "a\nb".to_owned(), Some("name"));
            check(
                kind,
                |request| request.scopes = vec!["admin".to_owned()],
                Some("scopes"),
            );
            let minute = |request: &mut CreateClientRequest| {
                request.token_lifetime = Some(prost_types::Duration { seconds: 60, nanos: 0 });
            };
            check(kind, minute, Some("token_lifetime"));
        }
        check(Kind::Unspecified, |_| {}, Some("kind"));
        check(
            Kind::Code,
            |request| request.redirect_uris.clear(),
            Some("redirect_uris"),
        );
        check(
            Kind::Code,
            |request| request.redirect_uris = vec!["https://app.example/cb".to_owned(); 11],
            Some("redirect_uris"),
        );
        check(
            Kind::Code,
            |request| request.redirect_uris.push("http://app.example".to_owned()),
            Some("redirect_uris"),
        );
        check(
            Kind::Secret,
            |request| request.redirect_uris.push("https://app.example".to_owned()),
            Some("redirect_uris"),
        );
        check(Kind::Assertion, |request| request.assertion = None, Some("assertion"));
        check(
            Kind::Secret,
            |request| request.assertion = Some(Assertion::default()),
            Some("assertion"),
        );
        let secret = |request: &mut CreateClientRequest| {
            request.secret_lifetime = Some(prost_types::Duration { seconds: 60, nanos: 0 });
        };
        check(Kind::Secret, secret, None);
        check(Kind::PublicCode, secret, Some("secret_lifetime"));
    }
}
