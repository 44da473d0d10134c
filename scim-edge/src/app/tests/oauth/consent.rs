//! The consent page, and what is decided on it.

use identity_proto::credential::Kind;
use identity_proto::identity::v1::ErrorReason;

use super::super::fake_core::{PUBLIC_CLIENT, neighbour, reader, writer};
use super::authorize::{CHALLENGE, request};
use super::*;

const PATH: &str = "/oauth/authorize";

/// The page of a request as a browser holds it: its cookie, and the fields of its form.
struct Shown {
    cookie: String,
    fields: Vec<(String, String)>,
}

impl Shown {
    async fn new(edge: &Fixture, query: &str) -> Self {
        let answer = edge.get(&format!("{PATH}?{query}")).await;
        answer.check_page(200, query);
        Self::of(&answer)
    }

    fn of(answer: &Answer) -> Self {
        let cookie = answer.header("set-cookie").unwrap();
        let hidden = answer.body.split("<input type=\"hidden\" name=\"").skip(1);
        let text = |html: &str| {
            let html = html.replace("&quot;", "\"").replace("&#39;", "'");
            html.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        };
        let fields = hidden.map(|input| {
            let (name, rest) = input.split_once("\" value=\"").unwrap();
            (name.to_owned(), text(rest.split('"').next().unwrap()))
        });
        Shown {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            fields: fields.collect(),
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.fields.retain(|(one, _)| one != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    async fn post(&self, edge: &Fixture, decision: &str, key: &str, headers: &[(&str, &str)]) -> Answer {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Vec<_> = fields.chain([("decision", decision), ("key", key)]).collect();
        let is_given = |name: &str| headers.iter().any(|(given, _)| *given == name);
        let own = [FORM, ("cookie", &self.cookie), ("origin", "null")];
        let own = own.into_iter().filter(|(name, _)| !is_given(name));
        let headers: Vec<_> = own.chain(headers.iter().copied()).collect();
        edge.send("POST", PATH, &headers, encoded(&pairs)).await
    }
}

/// OA-031
#[tokio::test]
async fn the_page_says_who_asks_for_what_and_runs_nothing() {
    let edge = Fixture::for_oauth().await;
    let path = format!("{PATH}?{}", request(&[("state", "\"><script>alert(1)</script>")]));
    let answer = edge.get(&path).await;
    answer.check_page(200, "the page");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    let style = answer
        .body
        .split("<style>")
        .nth(1)
        .unwrap()
        .split("</style>")
        .next()
        .unwrap();
    let hash = STANDARD.encode(identity_proto::credential::hash(style));
    assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{policy}");
    for text in [
        "<html lang=\"en\">",
        "<meta name=\"viewport\"",
        "<title>Allow Okra &lt;b&gt;&quot;&amp; Co&quot;&lt;/b&gt; access?</title>",
        "Acme&#39;s",
        "read users and groups",
        "create, change, deactivate and delete users and groups",
        "sent back to <strong>idp.example</strong>",
        "<label for=\"key\">",
        "type=\"password\" autocomplete=\"off\"",
        "value=\"allow\"",
        "value=\"deny\" formnovalidate",
        "value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\"",
    ] {
        assert!(answer.body.contains(text), "{text} is not in {}", answer.body);
    }
    for mark in ["<b>", "onclick", "http://", "src=", "style=\"", "role=\"alert\""] {
        assert!(!answer.body.contains(mark), "{mark} is in {}", answer.body);
    }
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/oauth; HttpOnly; SameSite=Strict"), "{cookie}");
    let public = Fixture::with(|config| config.public_url = Some("https://scim.example.com".to_owned())).await;
    let cookie = public.get(&path).await;
    assert!(cookie.header("set-cookie").unwrap().ends_with("; Secure"), "{cookie:?}");
    let read = edge
        .get(&format!("{PATH}?{}", request(&[("scope", "scim.read")])))
        .await;
    assert!(!read.body.contains("deactivate"), "{}", read.body);
}

#[tokio::test]
async fn a_consent_sends_a_code_back() {
    let edge = Fixture::for_oauth().await;
    let shown = Shown::new(&edge, &request(&[])).await;
    edge.core.asked();
    let answer = shown
        .post(&edge, "allow", &format!(" {}\t", writer()).replace('\t', " "), &[])
        .await;
    let expect = [
        ("code", code().as_str()),
        ("state", "s&1"),
        ("iss", "http://scim.test:8080"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(answer.sent_back("allowed"), expect);
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let asked = edge.asked_of_oauth();
    let [AskedOfOAuth::GetAuthorization(_), AskedOfOAuth::Authorize(asked)] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (asked.client_id.as_str(), asked.redirect_uri.as_str()),
        (PUBLIC_CLIENT, REDIRECT)
    );
    assert_eq!((asked.code_challenge.as_str(), asked.scopes.len()), (CHALLENGE, 2));
    assert!(!format!("{asked:?}").contains("pcs_"), "{asked:?}");
}

#[tokio::test]
async fn a_denial_needs_no_key_and_is_told_to_the_client() {
    let edge = Fixture::for_oauth().await;
    let shown = Shown::new(&edge, &request(&[])).await;
    let answer = shown.post(&edge, "deny", "", &[]).await;
    answer.check_sent_back("access_denied", Some("s&1"), "denied");
    let asked = edge.asked_of_oauth();
    assert!(
        !asked.iter().any(|asked| matches!(asked, AskedOfOAuth::Authorize(_))),
        "{asked:?}"
    );
    for decision in ["", "maybe"] {
        shown
            .post(&edge, decision, &writer(), &[])
            .await
            .check_page(400, decision);
    }
}

#[tokio::test]
async fn a_wrong_key_can_be_mended_and_is_not_shown_again() {
    let edge = Fixture::for_oauth().await;
    let key = writer();
    let shown = Shown::new(&edge, &request(&[])).await;
    let unknown = Kind::Token.write([9; 32]);
    for (key, says) in [
        ("", "no SCIM secret key"),
        ("hunter2<b>", "no SCIM secret key"),
        ("caf\u{e9}", "no SCIM secret key"),
        (&key[..key.len() - 1], "no SCIM secret key"),
        (&secret(), "no SCIM secret key"),
        (&unknown, "unknown or was revoked"),
    ] {
        let answer = shown.post(&edge, "allow", key, &[]).await;
        answer.check_page(400, key);
        assert!(answer.body.contains(says), "{key}: {}", answer.body);
        assert!(answer.body.contains("role=\"alert\""), "{key}");
        assert!(key.is_empty() || !answer.body.contains(key), "{key} is shown");
        let again = Shown::of(&answer);
        assert_eq!((&again.cookie, &again.fields), (&shown.cookie, &shown.fields), "{key}");
        let mended = again.post(&edge, "allow", &writer(), &[]).await;
        assert_eq!(mended.status, 303, "{key}: {mended:?}");
    }
}

/// OA-032: the tenant is the key's, and the core compares it with the client's.
#[tokio::test]
async fn a_key_that_may_not_allow_it_gets_no_code_and_another_can_be_tried() {
    let edge = Fixture::for_oauth().await;
    let mut shown = Shown::new(&edge, &request(&[("tenant", "n")])).await;
    shown.set("tenant", "n");
    for key in [neighbour(), reader()] {
        let answer = shown.post(&edge, "allow", &key, &[]).await;
        answer.check_page(403, &key);
        assert!(!answer.body.contains(&key), "{}", answer.body);
        let again = Shown::of(&answer);
        let mended = again.post(&edge, "allow", &writer(), &[]).await;
        assert_eq!(mended.status, 303, "{key}: {mended:?}");
    }
}

#[tokio::test]
async fn a_form_from_elsewhere_decides_nothing() {
    let edge = Fixture::for_oauth().await;
    let shown = Shown::new(&edge, &request(&[])).await;
    edge.core.asked();
    for headers in [
        vec![("origin", "https://evil.example")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("cookie", "portcullis-consent=x")],
        vec![("cookie", "")],
    ] {
        shown
            .post(&edge, "allow", &writer(), &headers)
            .await
            .check_page(403, &format!("{headers:?}"));
        shown
            .post(&edge, "deny", "", &headers)
            .await
            .check_page(403, &format!("{headers:?}"));
    }
    for proof in ["", "x", &"0".repeat(64)] {
        let mut forged = Shown::of(&edge.get(&format!("{PATH}?{}", request(&[]))).await);
        edge.core.asked();
        forged.set("proof", proof);
        forged.post(&edge, "allow", &writer(), &[]).await.check_page(403, proof);
    }
    let body = format!("{}&decision=allow&key={}", request(&[]), writer());
    edge.send("POST", PATH, &[FORM], body).await.check_page(403, "neither");
    assert_eq!(edge.core.asked(), vec![]);
    let json = [("content-type", "application/json"), ("cookie", shown.cookie.as_str())];
    edge.send("POST", PATH, &json, "{}").await.check_page(415, "no form");
    edge.send("POST", PATH, &[FORM], "a".repeat(33_000))
        .await
        .check_page(413, "too long");
}

#[tokio::test]
async fn the_request_is_checked_again_when_it_is_decided_on() {
    let edge = Fixture::for_oauth().await;
    for (name, value) in [("redirect_uri", "https://evil.example/cb"), ("client_id", "nobody")] {
        for decision in ["allow", "deny"] {
            let mut shown = Shown::new(&edge, &request(&[])).await;
            shown.set(name, value);
            shown.post(&edge, decision, &writer(), &[]).await.check_page(400, value);
        }
    }
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "scim.read admin", "invalid_scope"),
    ] {
        let mut shown = Shown::new(&edge, &request(&[])).await;
        shown.set(name, value);
        let answer = shown.post(&edge, "allow", &writer(), &[]).await;
        answer.check_sent_back(error, Some("s&1"), name);
    }
    let asked = edge.asked_of_oauth();
    assert!(
        !asked.iter().any(|asked| matches!(asked, AskedOfOAuth::Authorize(_))),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_the_core_says_to_a_consent_goes_to_whom_it_concerns() {
    let edge = Fixture::for_oauth().await;
    let shown = Shown::new(&edge, &request(&[])).await;
    for (reason, status, is_form) in [
        (ErrorReason::CredentialExpired, 400, true),
        (ErrorReason::TooMany, 429, true),
        (ErrorReason::Unavailable, 503, true),
        (ErrorReason::TenantSuspended, 403, true),
        (ErrorReason::ScimDisabled, 403, true),
        (ErrorReason::ClientInvalid, 400, false),
        (ErrorReason::Internal, 500, false),
    ] {
        edge.core.fail_authorize(reason);
        let answer = shown.post(&edge, "allow", &writer(), &[]).await;
        answer.check_page(status, &format!("{reason:?}"));
        assert_eq!(answer.body.contains("<form"), is_form, "{reason:?}");
        assert_eq!(
            answer.header("retry-after").is_some(),
            matches!(status, 429 | 503),
            "{reason:?}"
        );
        assert!(!answer.body.contains("pcs_0"), "{reason:?}");
    }
    for (reason, error) in [
        (ErrorReason::ScopeInvalid, "invalid_scope"),
        (ErrorReason::ClientUnauthorized, "unauthorized_client"),
        (ErrorReason::InvalidValue, "invalid_request"),
    ] {
        edge.core.fail_authorize(reason);
        let answer = shown.post(&edge, "allow", &writer(), &[]).await;
        answer.check_sent_back(error, Some("s&1"), error);
    }
}
