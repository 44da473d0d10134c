//! Filters, pages and versions that make no sense.

use e2e::raw_http;
use e2e::replay::variables::percent;
use e2e::scim::{SCIM_JSON, send, user};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::{Scene, is_error};

#[tokio::test]
async fn filters_and_pages_that_make_no_sense() {
    let scene = Scene::set().await;
    let scim = &scene.tenant.scim;
    let nested = |depth: usize| format!("{}userName pr{}", "(".repeat(depth), ")".repeat(depth));
    let nots = |depth: usize| format!("{}userName pr{}", "not (".repeat(depth), ")".repeat(depth));
    for filter in [
        "userName eq",
        "userName",
        "",
        "eq \"x\"",
        "userName eq \"x",
        "userName eq x",
        "userName zz \"x\"",
        "noSuchAttribute eq \"x\"",
        "userName eq \"x\" and",
        "(userName pr",
        "userName pr)",
        "emails[type eq \"work\"",
        "emails[emails[type pr]]",
        "active gt true",
        "userName eq \"nul\\u0000\"",
        "userName eq \"' OR 1=1 --\" or",
        &nested(100),
        &nots(100),
        &vec!["userName pr"; 2_000].join(" or "),
    ] {
        is_error(
            &scim.find(filter).await,
            &[400],
            "invalidFilter",
            &filter.chars().take(80).collect::<String>(),
        );
    }
    // Longer than a URI may be: refused as that, or as a filter, but refused by a server that lives.
    let bearer = format!("Bearer {}", scim.token().expect("a token"));
    for filter in [nested(10_000), nots(10_000)] {
        let target = format!("/scim/v2/Users?filter={}", percent(&filter));
        let answer = raw_http::send(scim.base(), "GET", &target, &[("Authorization", &bearer)]).await;
        assert!([400, 414, 431].contains(&answer.status), "{answer:?}");
    }
    for query in ["startIndex=1e3", "count=abc", "startIndex=x"] {
        is_error(
            &scim.get(&format!("/Users?{query}")).await,
            &[400],
            "invalidValue",
            query,
        );
    }
    // RFC 7644 section 3.4.2.4: below 1 is 1, a negative count is 0.
    for (query, found) in [
        ("startIndex=-5", 1),
        ("count=-1", 0),
        ("count=2147483648", 1),
        ("count=99999999999999999999999", 1),
        ("startIndex=2147483647", 0),
    ] {
        let answer = scim.get(&format!("/Users?{query}")).await;
        let resources = answer.json["Resources"].as_array().map_or(0, Vec::len);
        assert_eq!(
            (answer.status, resources, &answer.json["totalResults"]),
            (200, found, &json!(1)),
            "{answer:?}"
        );
    }
    // A quote in a value is a value.
    assert_eq!(scim.find("userName eq \"' OR 1=1 --\"").await.json["totalResults"], 0);
    assert_eq!(scim.find("userName sw \"%\"").await.json["totalResults"], 0);
    scene.is_unchanged("bad filters").await;
}

#[tokio::test]
async fn versions_that_are_not_the_current_one() {
    let scene = Scene::set().await;
    let (scim, path) = (&scene.tenant.scim, scene.path.as_str());
    let name = scene.before.json["userName"].as_str().expect("a name").to_owned();
    let rename = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "title", "value": "x"}],
    });
    let changes = [
        (Method::PATCH, rename.to_string()),
        (Method::PUT, user(&name).to_string()),
        (Method::DELETE, String::new()),
    ];
    for (method, body) in changes {
        for stale in ["W/\"999\"", "\"0\"", "W/\"0\", W/\"77\""] {
            let request = scim
                .request(method.clone(), path)
                .header("If-Match", stale)
                .header(CONTENT_TYPE, SCIM_JSON);
            is_error(
                &send(request.body(body.clone())).await,
                &[412],
                "",
                &format!("{method} If-Match {stale}"),
            );
        }
    }
    scene.is_unchanged("stale versions").await;
    let request = scim
        .request(Method::GET, path)
        .header("If-None-Match", scene.before.header("etag"));
    assert_eq!(send(request).await.status, 304);
    let request = scim
        .request(Method::PATCH, path)
        .header("If-Match", scene.before.header("etag"));
    let current = send(request.header(CONTENT_TYPE, SCIM_JSON).body(rename.to_string())).await;
    assert_eq!(current.status, 200, "{current:?}");
}
