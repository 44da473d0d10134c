//! Bad requests: each gets its status and a SCIM error, and the core is not asked.

use super::fake_core::{Asked, USER_ID};
use super::*;

const USERS: &str = "/scim/v2/Users";
const MINIMAL: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann"}"#;

fn check_untouched(edge: &Fixture) {
    assert!(edge.core.asked().iter().all(|asked| *asked == Asked::Authenticate));
}

#[tokio::test]
async fn a_wrong_method_is_405_and_says_which_are_right() {
    let edge = Fixture::new().await;
    let user = format!("{USERS}/{USER_ID}");
    for (path, allowed) in [
        (USERS, "GET,HEAD,POST"),
        ("/scim/v2/Users/", "GET,HEAD,POST"),
        (user.as_str(), "GET,HEAD,PUT,PATCH,DELETE"),
        ("/scim/v2/.search", "POST"),
        ("/scim/v2/Users/.search/", "POST"),
        ("/scim/v2/Schemas", "GET,HEAD"),
        ("/scim/v2/ServiceProviderConfig", "GET,HEAD"),
    ] {
        let is_allowed = |method: &Method| allowed.split(',').any(|one| one == method.as_str());
        for method in methods().iter().filter(|method| !is_allowed(method)) {
            let answer = edge
                .send(method.as_str(), path, &[("x-http-method-override", "GET")], MINIMAL)
                .await;
            if *method != Method::HEAD {
                answer.check_error(405, None, path);
            }
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
    }
    check_untouched(&edge);
}

#[tokio::test]
async fn media_types_are_negotiated() {
    let edge = Fixture::new().await;
    for (name, value, status) in [
        ("content-type", "application/json; charset=utf-8", 201),
        ("content-type", "text/plain", 415),
        ("content-type", "application/x-www-form-urlencoded", 415),
        ("content-type", "application/json; charset=utf-16", 415),
        ("content-type", "", 415),
        ("content-encoding", "gzip", 415),
        ("accept", "application/json", 201),
        ("accept", "*/*", 201),
        ("accept", "text/html", 406),
    ] {
        let answer = edge.send("POST", USERS, &[(name, value)], MINIMAL).await;
        assert_eq!(answer.status, status, "{name}: {value}: {answer:?}");
        if status != 201 {
            answer.check_error(status, None, value);
            check_untouched(&edge);
        }
        edge.core.asked();
    }
}

#[tokio::test]
async fn bodies_are_checked_before_the_core_is_asked() {
    let edge = Fixture::new().await;
    let deep = format!("{{\"a\":{}", "[".repeat(30_000));
    for (body, scim_type) in [
        ("", "invalidSyntax"),
        ("{\"userName\": ", "invalidSyntax"),
        ("[]", "invalidSyntax"),
        (r#"{"userName":"a","USERNAME":"b"}"#, "invalidSyntax"),
        (r#"{"userName":"a\u0000b"}"#, "invalidValue"),
        (r#"{"userName":"a"} {}"#, "invalidSyntax"),
        (&deep, "invalidSyntax"),
        (
            r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"displayName":"x"}"#,
            "invalidValue",
        ),
        (
            r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":5}"#,
            "invalidValue",
        ),
    ] {
        let answer = edge.send("POST", USERS, &[], body.to_owned()).await;
        answer.check_error(400, Some(scim_type), &body[..body.len().min(60)]);
    }
    let invalid_utf8: &[u8] = b"{\"userName\":\"\xff\"}";
    edge.send("POST", USERS, &[], invalid_utf8)
        .await
        .check_error(400, Some("invalidSyntax"), "UTF-8");
    check_untouched(&edge);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_the_limit_named() {
    let edge = Fixture::new().await;
    let limit = 64 * 1024;
    let padded = |length: usize| format!("{MINIMAL}{}", " ".repeat(length - MINIMAL.len()));
    assert_eq!(edge.send("POST", USERS, &[], padded(limit)).await.status, 201);
    edge.core.asked();
    let answer = edge.send("POST", USERS, &[], padded(limit + 1)).await;
    answer.check_error(413, None, "one byte too many");
    assert!(answer.body.contains("65536"), "{}", answer.body);
    let chunks = futures_util::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(" ".repeat(8 * 1024))));
    edge.send("POST", USERS, &[], Body::from_stream(chunks))
        .await
        .check_error(413, None, "without a length");
    check_untouched(&edge);
}

#[tokio::test]
async fn queries_are_checked() {
    let edge = Fixture::new().await;
    let nested = format!("filter={}", "(".repeat(10_000));
    for (query, scim_type) in [
        ("filter=", "invalidFilter"),
        ("filter=userName+eq", "invalidFilter"),
        ("filter=nope+eq+%22x%22", "invalidFilter"),
        ("filter=password+pr", "invalidFilter"),
        (&nested, "invalidFilter"),
        ("filter=%zz", "invalidSyntax"),
        ("x=%", "invalidSyntax"),
        ("count=x", "invalidValue"),
        ("startIndex=1e3", "invalidValue"),
        ("attributes=a&excludedAttributes=b", "invalidValue"),
    ] {
        let answer = edge.get(&format!("{USERS}?{query}")).await;
        answer.check_error(400, Some(scim_type), &query[..query.len().min(60)]);
    }
    check_untouched(&edge);
    for query in ["", "?", "?&", "?sortBy=userName%3BDROP", "?aadOptscim062020"] {
        assert_eq!(edge.get(&format!("{USERS}{query}")).await.status, 200, "{query}");
    }
}

#[tokio::test]
async fn discovery_is_whole_and_unfiltered() {
    let edge = Fixture::new().await;
    let user = "urn:ietf:params:scim:schemas:core:2.0:User";
    let schema = format!("/scim/v2/Schemas/{user}");
    let lower = schema.replace("User", "user");
    for path in [
        "/scim/v2/ServiceProviderConfig",
        "/scim/v2/Schemas",
        "/scim/v2/Schemas/?startIndex=9&count=0&sortBy=id",
        &schema,
        &lower,
        "/scim/v2/ResourceTypes",
        "/scim/v2/ResourceTypes/User/",
    ] {
        let answer = edge.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, Some("application/scim+json")),
            "{path}"
        );
        let filtered = format!("{}?filter=id+pr", path.split('?').next().unwrap());
        edge.get(&filtered).await.check_error(403, None, &filtered);
    }
    let schemas = edge.get("/scim/v2/Schemas?count=1").await.json();
    assert_eq!(
        (&schemas["totalResults"], schemas["Resources"].as_array().unwrap().len()),
        (&2.into(), 2)
    );
    for one in schemas["Resources"].as_array().unwrap() {
        let location = one["meta"]["location"].as_str().unwrap();
        let path = location.strip_prefix("http://scim.test:8080").unwrap();
        assert_eq!(edge.get(path).await.json(), *one, "{path}");
    }
    for path in [
        "/scim/v2/Schemas/urn:x",
        "/scim/v2/ResourceTypes/Nope",
        "/scim/v2/ServiceProviderConfig/x",
    ] {
        edge.get(path).await.check_error(404, None, path);
    }
}

#[tokio::test]
async fn the_base_uri_is_the_clients_unless_it_is_set() {
    let location = async |edge: &Fixture, headers: &[(&str, &str)]| {
        let answer = edge
            .send("GET", "/scim/v2/ServiceProviderConfig", headers, Body::empty())
            .await;
        answer.json()["meta"]["location"].as_str().map(str::to_owned)
    };
    let forwarded = [("host", "x.test"), ("x-forwarded-proto", "https")];
    let end = "/scim/v2/ServiceProviderConfig";
    let edge = Fixture::new().await;
    assert_eq!(location(&edge, &forwarded).await, Some(format!("http://x.test{end}")));
    assert_eq!(location(&edge, &[("host", "a@x.test")]).await, None);
    assert_eq!(location(&edge, &[("host", "x/y")]).await, None);
    let trusting = Fixture::with(|config| config.trust_forwarded = true).await;
    assert_eq!(
        location(&trusting, &forwarded).await,
        Some(format!("https://x.test{end}"))
    );
    assert_eq!(
        location(&trusting, &[]).await,
        Some(format!("http://scim.test:8080{end}"))
    );
    let public = Fixture::with(|config| config.public_url = Some("https://scim.example.com/".to_owned())).await;
    assert_eq!(
        location(&public, &forwarded).await,
        Some(format!("https://scim.example.com{end}"))
    );
}
