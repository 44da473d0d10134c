//! Bad requests: each gets its status and a SCIM error, and the core is not asked.

use super::fake_core::{Asked, GROUP_ID, USER_ID, neighbour, writer};
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
    let group = format!("/scim/v2/Groups/{GROUP_ID}");
    for (path, allowed) in [
        (USERS, "GET,HEAD,POST"),
        ("/scim/v2/Users/", "GET,HEAD,POST"),
        (user.as_str(), "GET,HEAD,PUT,PATCH,DELETE"),
        ("/scim/v2/Groups", "GET,HEAD,POST"),
        (group.as_str(), "GET,HEAD,PUT,PATCH,DELETE"),
        ("/scim/v2/.search", "POST"),
        ("/scim/v2/Groups/.search", "POST"),
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
async fn every_line_of_a_header_counts() {
    let edge = Fixture::new().await;
    for (name, lines, status) in [
        ("content-encoding", ["identity", "identity"], 201),
        ("content-encoding", ["identity", "gzip"], 415),
        ("content-encoding", ["gzip", "identity"], 415),
        ("content-encoding", ["identity, gzip", "identity"], 415),
        ("content-type", ["application/scim+json", "text/plain"], 415),
        ("content-type", ["application/scim+json", "application/json"], 415),
    ] {
        let answer = edge.send("POST", USERS, &lines.map(|line| (name, line)), MINIMAL).await;
        assert_eq!(answer.status, status, "{name}: {lines:?}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_not_offered_says_so() {
    let mut edge = Fixture::new().await;
    for path in ["/scim/v2/Me", "/scim/v2/Me/", "/scim/v2/Bulk"] {
        for method in methods() {
            let answer = edge.send(method.as_str(), path, &[], "{}").await;
            assert_eq!(answer.status, 501, "{method} {path}");
            if method != Method::HEAD {
                answer.check_error(501, None, path);
                assert!(answer.body.contains("is not offered"), "{}", answer.body);
            }
        }
    }
    edge.token = None;
    for path in ["/scim/v2/Me", "/scim/v2/Bulk"] {
        edge.get(path).await.check_error(401, None, path);
    }
    check_untouched(&edge);
}

#[tokio::test]
async fn a_request_id_is_kept_if_it_is_plain() {
    let edge = Fixture::new().await;
    let (longest, too_long) = ("a".repeat(128), "a".repeat(129));
    for (sent, kept) in [
        ("2819c223-7f76", true),
        ("A.b_c-9", true),
        (longest.as_str(), true),
        (too_long.as_str(), false),
        ("", false),
        ("a b", false),
        ("a\tb", false),
        ("a=b", false),
        ("\u{e9}", false),
    ] {
        let headers = [("x-request-id", sent)];
        let answer = edge.send("GET", "/scim/v2/Users", &headers, Body::empty()).await;
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(id == sent, kept, "{sent:?}: {id}");
        assert!(kept || uuid::Uuid::try_parse(id).is_ok(), "{sent:?}: {id}");
    }
    let lines = [("x-request-id", "a"), ("x-request-id", "b c")];
    let answer = edge.send("GET", "/scim/v2/Users", &lines, Body::empty()).await;
    assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
    let (one, another) = (edge.get("/scim/v2/Users").await, edge.get("/scim/v2/Users").await);
    assert_ne!(one.header("x-request-id"), another.header("x-request-id"));
}

#[tokio::test]
async fn no_answer_may_be_cached() {
    let mut edge = Fixture::new().await;
    let user = format!("{USERS}/{USER_ID}");
    for (method, path, tag, status) in [
        ("GET", USERS, "", 200),
        ("GET", &user, "*", 304),
        ("POST", USERS, "", 201),
        ("DELETE", &user, "", 204),
        ("GET", "/nope", "", 404),
        ("GET", "/healthz", "", 200),
    ] {
        let answer = edge.send(method, path, &[("if-none-match", tag)], MINIMAL).await;
        let found = (answer.status.as_u16(), answer.header("cache-control"));
        assert_eq!(found, (status, Some("no-store")), "{method} {path}");
    }
    edge.token = None;
    let refused = edge.get(USERS).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("cache-control")),
        (401, Some("no-store"))
    );
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
    let never = || Body::from_stream(futures_util::stream::pending::<std::io::Result<String>>());
    for more in [vec![], vec![("expect", "100-continue")]] {
        let headers = [vec![("content-length", "100000000")], more].concat();
        let at_once = edge.send("POST", USERS, &headers, never());
        let answer = tokio::time::timeout(std::time::Duration::from_secs(4), at_once).await;
        answer.unwrap().check_error(413, None, "announced, and then nothing");
    }
    check_untouched(&edge);
}

/// A body of so many bytes that comes slowly, and never to its end.
fn slow(length: usize) -> Body {
    let some = futures_util::stream::iter([Ok::<_, std::io::Error>(" ".repeat(length))]);
    Body::from_stream(futures_util::StreamExt::chain(some, futures_util::stream::pending()))
}

#[tokio::test]
async fn some_large_bodies_are_read_at_once_and_of_one_tenant_half_of_them() {
    let edge = Fixture::with(|config| config.max_body = 1024 * 1024).await;
    let of = |token: String| format!("Bearer {token}");
    let (ours, theirs) = (of(writer()), of(neighbour()));
    let send = |token, body| {
        let headers = [("authorization", token)];
        let edge = &edge;
        async move { edge.send("POST", USERS, &headers, body).await.status }
    };
    let large = || Body::from(format!("{MINIMAL}{}", " ".repeat(300 * 1024)));
    let begin = |token, count| {
        let begun = (0..count).map(|_| send(token, slow(300 * 1024)));
        Box::pin(futures_util::future::join_all(begun))
    };
    let check_full = async |token| {
        let one_more = tokio::time::timeout(Duration::from_secs(1), send(token, large()));
        assert!(one_more.await.is_err(), "all places are taken");
        assert_eq!(send(token, Body::from(MINIMAL)).await, 201);
    };
    let soon = Duration::from_millis(300);
    let asked = async {
        tokio::time::sleep(soon).await;
        check_full(&ours).await;
        assert_eq!(send(&theirs, large()).await, 201, "the other tenant has its own");
        let also_begun = begin(&theirs, 8);
        let also_asked = async {
            tokio::time::sleep(soon).await;
            check_full(&theirs).await;
        };
        tokio::select! {
            biased;
            _ = also_begun => panic!("they never end"),
            () = also_asked => {}
        }
    };
    tokio::select! {
        biased;
        // More than the tenant may have: the rest waits, and takes no place of others.
        _ = begin(&ours, 16) => panic!("they never end"),
        () = asked => {}
    }
    assert_eq!(send(&ours, large()).await, 201, "the places are free again");
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
        "/scim/v2/ResourceTypes/Group",
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
        (&3.into(), 3)
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
