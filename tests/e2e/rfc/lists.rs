//! RFC 7644 sections 3.4.1 to 3.4.3: reads, pages, sorting, searches by POST.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

/// A tenant with this many users, u1 to un.
async fn with_users(number: usize) -> Scim {
    let scim = client().await;
    for one in 1..=number {
        create(&scim, &json!({"userName": format!("u{one}"), "displayName": "Same"})).await;
    }
    scim
}

/// RFC 7644 section 3.4.2.
#[tokio::test]
async fn unknown_query_parameters_are_ignored() {
    let scim = with_users(2).await;
    let plain = scim.get("/Users").await;
    for query in [
        "aadOptscim062020",
        "x=y&x=z",
        "&",
        "sortOrder=sideways",
        "password=x",
        "cursor",
    ] {
        assert_eq!(scim.get(&format!("/Users?{query}")).await.json, plain.json, "{query}");
    }
    let user = path(&create(&scim, &json!({})).await);
    assert_eq!(scim.get(&format!("{user}?filter=nonsense&count=0")).await.status, 200);
}

/// RFC 7644 section 3.4.2.4: each page says what it is, and the numbers are moved into range.
#[tokio::test]
async fn a_page_says_what_it_holds() {
    let scim = with_users(5).await;
    for (query, start, items) in [
        ("", 1, 5),
        ("count=2", 1, 2),
        ("startIndex=1&count=2", 1, 2),
        ("startIndex=4&count=2", 4, 2),
        ("startIndex=5&count=2", 5, 1),
        ("startIndex=0&count=2", 1, 2),
        ("startIndex=-7&count=2", 1, 2),
        ("startIndex=6", 6, 0),
        ("startIndex=600&count=2", 600, 0),
        ("count=0", 1, 0),
        ("count=-3", 1, 0),
        ("count=1000000", 1, 5),
        ("count=2&filter=displayName+eq+%22same%22", 1, 2),
    ] {
        let list = scim.get(&format!("/Users?{query}")).await.json;
        let resources = list["Resources"].as_array().map_or(0, Vec::len);
        assert_eq!(list["schemas"], json!([LIST]), "{query}");
        assert_eq!(
            (
                &list["totalResults"],
                &list["startIndex"],
                &list["itemsPerPage"],
                resources
            ),
            (&json!(5), &json!(start), &json!(items), items),
            "{query}: {list}"
        );
    }
    let none = scim.find("userName eq \"nobody\"").await;
    assert_eq!(
        (none.status, &none.json["totalResults"]),
        (200, &json!(0)),
        "no match is no error"
    );
}

/// RFC 7644 section 3.4.2.4, table 6.
#[tokio::test]
async fn pages_are_asked_for_by_integers() {
    let scim = client().await;
    for query in [
        "startIndex=a",
        "count=b",
        "count=1.5",
        "startIndex=1e1",
        "count=",
        "startIndex=0x1",
    ] {
        is_error(
            &scim.get(&format!("/Users?{query}")).await,
            &[400],
            "invalidValue",
            query,
        );
    }
    for (member, value) in [("count", json!("5")), ("count", json!(1.5)), ("startIndex", json!([1]))] {
        let body = json!({"schemas": [SEARCH], member: value});
        is_error(
            &scim.post("/Users/.search", &body).await,
            &[400],
            "invalidValue",
            &body.to_string(),
        );
    }
}

/// RFC 7644 section 3.4.2.4.
#[tokio::test]
async fn pages_together_hold_every_user_once() {
    let scim = with_users(11).await;
    for (size, filter) in [
        (1, ""),
        (3, ""),
        (5, "&filter=displayName+pr"),
        (11, ""),
        (4, "&sortBy=displayName"),
    ] {
        let mut seen = BTreeSet::new();
        let mut start = 1;
        loop {
            let list = scim
                .get(&format!("/Users?startIndex={start}&count={size}{filter}"))
                .await;
            let page = names(&list);
            assert_eq!(list.json["totalResults"], 11);
            start += page.len();
            let number = page.len();
            for name in page {
                assert!(seen.insert(name.clone()), "{name} twice, {size} a page");
            }
            if number < size || start > 11 {
                break;
            }
        }
        assert_eq!(seen.len(), 11, "{size} a page");
    }
}

/// RFC 7643 section 5 and RFC 7644 section 3.4.2: filter.maxResults caps a page, whatever is asked for.
#[tokio::test]
async fn a_page_is_never_longer_than_is_announced() {
    let scim = client().await;
    let max = scim.get("/ServiceProviderConfig").await.json["filter"]["maxResults"].as_u64();
    let max = usize::try_from(max.expect("maxResults")).expect("a number");
    let creators = (0..8).map(|creator| {
        let scim = scim.clone();
        tokio::spawn(async move {
            for one in (creator..=max).step_by(8) {
                create(&scim, &json!({"userName": format!("u{one}")})).await;
            }
        })
    });
    for creator in creators.collect::<Vec<_>>() {
        creator.await.expect("users");
    }
    for query in [
        "count=1000000",
        &format!("count={}", max + 1),
        "count=1000000&filter=userName+pr",
    ] {
        let list = scim.get(&format!("/Users?{query}")).await.json;
        let held = list["Resources"].as_array().map_or(0, Vec::len);
        assert_eq!(
            (held, &list["itemsPerPage"], &list["totalResults"]),
            (max, &json!(max), &json!(max + 1)),
            "{query}"
        );
    }
}

/// RFC 7644 section 3.4.2.3: sort.supported is false, so its parameters are ignored, even unknown ones.
#[tokio::test]
async fn sorting_is_not_offered_and_its_parameters_are_ignored() {
    let scim = with_users(3).await;
    assert_eq!(
        scim.get("/ServiceProviderConfig").await.json["sort"]["supported"],
        false
    );
    let plain = scim.get("/Users").await.json;
    for query in [
        "sortBy=userName&sortOrder=descending",
        "sortBy=nothing",
        "sortOrder=descending",
        "sortBy=emails.value",
        "sortBy=password",
    ] {
        assert_eq!(scim.get(&format!("/Users?{query}")).await.json, plain, "{query}");
    }
    let search = json!({"schemas": [SEARCH], "sortBy": "userName", "sortOrder": "descending"});
    assert_eq!(scim.post("/Users/.search", &search).await.json, plain);
}

/// RFC 7644 section 3.4.3.
#[tokio::test]
async fn a_search_by_post_is_the_same_query() {
    let scim = with_users(5).await;
    for (body, query) in [
        (json!({}), ""),
        (json!({"filter": "userName eq \"U3\""}), "filter=userName+eq+%22U3%22"),
        (json!({"startIndex": 2, "count": 2}), "startIndex=2&count=2"),
        (json!({"count": 0}), "count=0"),
        (
            json!({"attributes": ["userName", "meta.location"]}),
            "attributes=userName,meta.location",
        ),
        (
            json!({"excludedAttributes": ["displayName"]}),
            "excludedAttributes=displayName",
        ),
    ] {
        let expect = scim.get(&format!("/Users?{query}")).await;
        let mut search = body.clone();
        search["schemas"] = json!([SEARCH]);
        for path in [
            "/Users/.search",
            "/.search",
            "/Users/.search/",
            "/Users/.search?filter=nonsense&count=0",
        ] {
            let found = scim.post(path, &search).await;
            assert_eq!((found.status, &found.json), (200, &expect.json), "{path} {body}");
        }
    }
    for schemas in [Value::Null, json!([]), json!(SEARCH), json!([USER])] {
        let answer = scim.post("/Users/.search", &json!({"schemas": schemas})).await;
        is_error(&answer, &[400], "invalidSyntax", &schemas.to_string());
    }
    let answer = scim
        .post("/Users/.search", &json!({"schemas": [SEARCH], "filter": "userName"}))
        .await;
    is_error(&answer, &[400], "invalidFilter", "a filter that is none");
}

/// RFC 7644 section 3.4.2.1: a search at the root is one of all types. Here are users, and no groups.
#[tokio::test]
async fn a_search_at_the_root_finds_each_resource_with_its_type() {
    let scim = with_users(2).await;
    let search = |filter: &str| json!({"schemas": [SEARCH], "filter": filter});
    for (filter, expect) in [
        ("meta.resourceType eq \"User\"", vec!["u1", "u2"]),
        ("meta.resourceType eq \"Group\"", vec![]),
        ("userName ne \"u1\"", vec!["u2"]),
        ("displayName eq \"same\" and userName eq \"u1\"", vec!["u1"]),
    ] {
        assert_eq!(names(&scim.post("/.search", &search(filter)).await), expect, "{filter}");
    }
    let found = scim.post("/.search", &search("userName pr")).await;
    for one in found.json["Resources"].as_array().expect("resources") {
        assert_eq!(
            (&one["schemas"], &one["meta"]["resourceType"]),
            (&json!([USER]), &json!("User"))
        );
    }
}
