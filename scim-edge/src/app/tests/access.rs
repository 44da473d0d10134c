//! Who is let in, and that every path is behind it.

use identity_proto::credential;

use super::fake_core::{Asked, USER_ID, reader, writer};
use super::*;

const PATHS: &[&str] = &[
    "/",
    "/scim/v2",
    "/scim/v2/Users",
    "/scim/v2/Users/",
    "/scim/v2/Users/x",
    "/scim/v2/Groups",
    "/scim/v2/Groups/x",
    "/scim/v2/ServiceProviderConfig",
    "/scim/v2/Nope",
    "/scim/v1/Users",
    "/scim%2Fv2%2FUsers",
    "//scim//v2//Users",
    "/scim/v2/Users;x=y",
    "/SCIM/V2/USERS",
    "/scim/v2/../v2/Users",
    "/scim/v2/Users%2F",
    "/scim/v2/%55sers",
    "/healthz/",
    "/healthz/../scim/v2/Users",
    "/metrics",
];

#[tokio::test]
async fn every_path_and_method_is_401_without_a_token() {
    let mut edge = Fixture::new().await;
    edge.token = None;
    for path in PATHS {
        for method in methods() {
            let answer = edge.send(method.as_str(), path, &[], "{}").await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
            if method != Method::HEAD {
                answer.check_error(401, None, path);
            }
        }
    }
    assert_eq!(edge.core.asked(), vec![], "no token, no question");
}

#[tokio::test]
async fn a_token_that_is_none_is_401() {
    let edge = Fixture::new().await;
    let good = format!("Bearer {}", writer());
    let unknown = format!("Bearer {}", credential::Kind::Token.write([9; 32]));
    for values in [
        vec![unknown.as_str()],
        vec!["Bearer x"],
        vec![&good[..good.len() - 6]],
        vec![good.strip_prefix("Bearer ").unwrap()],
        vec![&good, &unknown],
        vec![&good, &good],
        vec!["Basic eDp5"],
    ] {
        let headers: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
        let answer = edge.send("GET", "/scim/v2/Users", &headers, Body::empty()).await;
        answer.check_error(401, None, &format!("{values:?}"));
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    let query = format!("/scim/v2/Users?access_token={}", writer());
    let answer = edge.send("GET", &query, &[("authorization", "")], Body::empty()).await;
    answer.check_error(401, None, "a token in the query");
}

#[tokio::test]
async fn no_spelling_of_a_path_but_its_own_is_routed() {
    let edge = Fixture::new().await;
    let served = [
        "/scim/v2/Users",
        "/scim/v2/Users/",
        "/scim/v2/Groups",
        "/scim/v2/ServiceProviderConfig",
    ];
    for path in PATHS.iter().filter(|path| !served.contains(path)) {
        edge.get(path).await.check_error(404, None, path);
    }
    let id = format!("/scim/v2/Users/{USER_ID}");
    for path in [
        format!("{id}%2f..%2f..%2fGroups%2f{USER_ID}"),
        format!("{id}/x"),
        format!("{id};x=y"),
        format!("/scim/v2/Users/{}", USER_ID.to_uppercase()),
        format!("/scim/v2/Users/{{{USER_ID}}}"),
        format!("/scim/v2/Users/{}", USER_ID.replace('-', "")),
        "/scim/v2/Users/%zz".to_owned(),
        "/scim/v2/Users/%ff".to_owned(),
        "/scim/v2/Users/0".to_owned(),
        "/scim/v2/Users/%2Esearch/x".to_owned(),
    ] {
        edge.get(&path).await.check_error(404, None, &path);
    }
    assert!(edge.core.asked().iter().all(|asked| *asked == Asked::Authenticate));
    let encoded = id.replace("2819", "%32819");
    assert_eq!(edge.get(&encoded).await.status, 200, "an encoded id is the same id");
}

#[tokio::test]
async fn a_scope_is_needed_for_what_is_done() {
    let mut edge = Fixture::new().await;
    edge.token = Some(reader());
    let user = format!("/scim/v2/Users/{USER_ID}");
    for (method, path) in [
        ("GET", "/scim/v2/Users"),
        ("HEAD", "/scim/v2/Users"),
        ("GET", &user),
        ("GET", "/scim/v2/Schemas"),
    ] {
        assert_eq!(
            edge.send(method, path, &[], Body::empty()).await.status,
            200,
            "{method} {path}"
        );
    }
    edge.core.asked();
    for (method, path) in [
        ("POST", "/scim/v2/Users"),
        ("PUT", &user),
        ("PATCH", &user),
        ("DELETE", &user),
    ] {
        let answer = edge.send(method, path, &[], "{").await;
        answer.check_error(403, None, method);
        assert!(answer.body.contains("scim.write"), "{}", answer.body);
    }
    assert!(edge.core.asked().iter().all(|asked| *asked == Asked::Authenticate));
}

#[tokio::test]
async fn a_good_token_is_remembered_for_a_moment_and_a_bad_one_never() {
    let mut edge = Fixture::new().await;
    let authentications = |edge: &Fixture| {
        let asked = edge.core.asked();
        asked.iter().filter(|asked| **asked == Asked::Authenticate).count()
    };
    edge.get("/scim/v2/Schemas").await;
    assert_eq!(authentications(&edge), 1);
    let mut remembered = false;
    for _ in 0..20 {
        edge.get("/scim/v2/Schemas").await;
        remembered |= authentications(&edge) == 0;
    }
    assert!(remembered);
    edge.token = Some(credential::Kind::Token.write([9; 32]));
    for _ in 0..2 {
        edge.get("/scim/v2/Schemas").await.check_error(401, None, "unknown");
        assert_eq!(authentications(&edge), 1);
    }
}

#[tokio::test]
async fn health_needs_no_token() {
    let mut edge = Fixture::new().await;
    edge.token = None;
    assert_eq!(edge.get("/healthz").await.status, 200);
    assert_eq!(edge.readiness_becomes(200).await.status, 200);
    edge = Fixture::with(|config| config.service_key = Some(Secret::new("another-service-key"))).await;
    edge.readiness_becomes(503)
        .await
        .check_error(503, None, "the core does not know this edge");
    assert_eq!(edge.get("/healthz").await.status, 200);
}
