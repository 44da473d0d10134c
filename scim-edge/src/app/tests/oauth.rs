//! The OAuth endpoints in front of a core that knows two clients.

mod authorize;
mod consent;
mod token;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fake_core::{Asked, AskedOfOAuth, CLIENT, REDIRECT, code, secret};
use super::*;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// Name and value, percent-encoded.
fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{}", secret())))
}

impl Fixture {
    /// An edge without a token, as nothing here takes one.
    async fn for_oauth() -> Self {
        let mut edge = Self::new().await;
        edge.token = None;
        edge
    }

    /// Posts a form as the client with a secret.
    async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let basic = basic();
        self.send("POST", path, &[FORM, ("authorization", &basic)], encoded(pairs))
            .await
    }

    fn asked_of_oauth(&self) -> Vec<AskedOfOAuth> {
        let asked = self.core.asked().into_iter().filter_map(|asked| match asked {
            Asked::OAuth(asked) => Some(asked),
            _ => None,
        });
        asked.collect()
    }
}

impl Answer {
    fn check_oauth_error(&self, status: u16, code: &str, context: &str) {
        let body = self.json();
        assert_eq!(
            (self.status.as_u16(), body["error"].as_str()),
            (status, Some(code)),
            "{context}: {self:?}"
        );
        assert_eq!(self.header("content-type"), Some("application/json"), "{context}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{context}");
        assert_eq!(self.header("www-authenticate").is_some(), status == 401, "{context}");
        let description = body["error_description"].as_str().unwrap_or_default();
        assert!(
            description.ends_with('.') && description.is_ascii(),
            "{context}: {description}"
        );
    }

    /// Asserts that this is a page and leads nowhere.
    fn check_page(&self, status: u16, context: &str) {
        assert_eq!(self.status, status, "{context}: {self:?}");
        assert_eq!(self.header("location"), None, "{context}");
        assert_eq!(
            self.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{context}"
        );
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(self.header(name), Some(value), "{context}");
        }
        let policy = self.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{context}: {policy}");
        }
        assert!(!self.body.contains("<script"), "{context}: {}", self.body);
    }

    /// The parameters with which the browser is sent back to the client.
    fn sent_back(&self, context: &str) -> Vec<(String, String)> {
        assert_eq!(self.status, 303, "{context}: {self:?}");
        let location = self.header("location").unwrap();
        let added = location.strip_prefix(REDIRECT).and_then(|rest| rest.strip_prefix('&'));
        let added = added.unwrap_or_else(|| panic!("{context}: {location}"));
        let pairs = form_urlencoded::parse(added.as_bytes()).into_owned();
        pairs.collect()
    }

    /// Asserts that the client is told of this error, with its state.
    fn check_sent_back(&self, error: &str, state: Option<&str>, context: &str) {
        let pairs = self.sent_back(context);
        let get = |name: &str| {
            pairs
                .iter()
                .find(|(one, _)| one == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!((get("error"), get("state")), (Some(error), state), "{context}");
        assert_eq!(get("iss"), Some("http://scim.test:8080"), "{context}");
        assert!(
            get("error_description").is_some_and(|text| text.ends_with('.')),
            "{context}"
        );
        assert_eq!(get("code"), None, "{context}");
    }
}

#[tokio::test]
async fn a_client_can_set_itself_up() {
    let edge = Fixture::for_oauth().await;
    let answer = edge.get(METADATA).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, Some("application/json"))
    );
    let metadata = answer.json();
    assert_eq!(metadata["issuer"], "http://scim.test:8080");
    assert_eq!(metadata["code_challenge_methods_supported"][0], "S256");
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    for (name, method) in [
        ("authorization_endpoint", "GET"),
        ("token_endpoint", "POST"),
        ("revocation_endpoint", "POST"),
        ("introspection_endpoint", "POST"),
    ] {
        let url = metadata[name].as_str().unwrap();
        let path = url.strip_prefix("http://scim.test:8080").unwrap();
        let answer = edge.send(method, path, &[FORM], "").await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{name}: {answer:?}");
        assert_ne!(answer.header("www-authenticate"), Some("Bearer"), "{name}");
    }
    let public = Fixture::with(|config| config.public_url = Some("https://scim.example.com/a/".to_owned())).await;
    let metadata = public.get(METADATA).await.json();
    assert_eq!(metadata["issuer"], "https://scim.example.com/a");
    assert_eq!(metadata["token_endpoint"], "https://scim.example.com/a/oauth/token");
    let nowhere = edge.send("GET", METADATA, &[("host", "a@b")], Body::empty()).await;
    nowhere.check_oauth_error(400, "invalid_request", "no host");
}

#[tokio::test]
async fn a_wrong_method_is_405_and_other_paths_are_behind_authentication() {
    let edge = Fixture::for_oauth().await;
    for (path, allowed) in [
        (METADATA, "GET,HEAD"),
        ("/oauth/authorize", "GET,HEAD,POST"),
        ("/oauth/token", "POST"),
        ("/oauth/revoke", "POST"),
        ("/oauth/introspect", "POST"),
    ] {
        let is_allowed = |method: &Method| allowed.split(',').any(|one| one == method.as_str());
        for method in methods().iter().filter(|method| !is_allowed(method)) {
            let answer = edge.send(method.as_str(), path, &[], "{}").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
            if *method != Method::HEAD {
                answer.check_oauth_error(405, "invalid_request", path);
            }
        }
    }
    for path in [
        "/oauth",
        "/oauth/",
        "/oauth/token/",
        "/oauth/tok%65n/",
        "/.well-known/openid-configuration",
    ] {
        edge.get(path).await.check_error(401, None, path);
    }
    assert_eq!(edge.core.asked(), vec![]);
}

#[tokio::test]
async fn forms_are_checked_before_the_core_is_asked() {
    let edge = Fixture::for_oauth().await;
    let basic = basic();
    let grant = encoded(&[("grant_type", "authorization_code"), ("code", &code())]);
    let long = format!("{grant}&x={}", "a".repeat(32 * 1024 - grant.len() - 3));
    let type_of = |value| [("content-type", value), ("authorization", basic.as_str())];
    let form = FORM.1;
    for (content_type, body, status) in [
        (form, grant.clone(), 200),
        ("application/x-www-form-urlencoded; charset=UTF-8", grant.clone(), 200),
        ("application/x-www-form-urlencoded; charset=latin1", grant.clone(), 415),
        ("application/json", grant.clone(), 415),
        ("multipart/form-data; boundary=x", grant.clone(), 415),
        ("", grant.clone(), 415),
        (form, long.clone(), 200),
        (form, format!("{long}a"), 413),
        (form, String::new(), 400),
        (form, format!("{grant}&code=x"), 400),
        (form, format!("{grant}&client_id=a%00b"), 400),
    ] {
        let answer = edge
            .send("POST", "/oauth/token", &type_of(content_type), body.clone())
            .await;
        assert_eq!(answer.status, status, "{content_type} {body:.80}: {answer:?}");
        if status != 200 {
            answer.check_oauth_error(status, "invalid_request", content_type);
            assert_eq!(edge.core.asked(), vec![], "{content_type} {body:.80}");
        }
        edge.core.asked();
    }
    let in_query = format!("/oauth/token?{grant}");
    edge.post(&in_query, &[])
        .await
        .check_oauth_error(400, "invalid_request", "a query");
}

#[tokio::test]
async fn the_core_learns_from_where_a_credential_is_used() {
    let mut edge = Fixture::with(|config| config.trust_forwarded = true).await;
    let forwarded = ("x-forwarded-for", "203.0.113.7, 198.51.100.1");
    let basic = basic();
    let token = encoded(&[("token", "x")]);
    edge.send("GET", "/scim/v2/Users", &[forwarded], Body::empty()).await;
    assert_eq!(edge.core.addresses(), [Some("198.51.100.1".to_owned())]);
    edge.token = None;
    let headers = [FORM, forwarded, ("authorization", &basic)];
    edge.send("POST", "/oauth/revoke", &headers, token.clone()).await;
    assert_eq!(edge.core.addresses(), [Some("198.51.100.1".to_owned())]);
    edge.send("POST", "/oauth/revoke", &[FORM, ("authorization", &basic)], token)
        .await;
    assert_eq!(edge.core.addresses(), [None], "there is no connection here");
}
