//! What the core is asked, and what is made of its answers.

use identity_proto::identity::v1::{CreateUserRequest, DeleteUserRequest, ErrorReason, GetUserRequest, User, UserView};
use serde_json::json;
use tonic::Code;

use super::fake_core::{Asked, USER_ID, reader};
use super::*;

const LOCATION: &str = "http://scim.test:8080/scim/v2/Users/2819c223-7f76-453a-919d-413861904646";

fn path() -> String {
    format!("/scim/v2/Users/{USER_ID}")
}

fn minimal() -> Json {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann"})
}

fn patch(operation: &Json) -> String {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}).to_string()
}

/// The last question, which is never one about a token.
fn last_asked(edge: &Fixture) -> Asked {
    edge.core.asked().pop().unwrap()
}

#[tokio::test]
async fn create_answers_201_with_location_and_tag() {
    let edge = Fixture::new().await;
    let mut body = minimal();
    body["password"] = "secret".into();
    let answer = edge.send("POST", "/scim/v2/Users", &[], body.to_string()).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    assert_eq!(answer.header("location"), Some(LOCATION));
    assert_eq!(answer.header("etag"), Some("W/\"7\""));
    assert_eq!(answer.json()["meta"]["location"], LOCATION);
    assert_eq!(answer.json()["meta"]["version"], "W/\"7\"");
    assert!(!answer.body.contains("secret") && !answer.body.contains("password"));
    let expect = CreateUserRequest {
        tenant_id: String::new(),
        user: Some(User {
            user_name: "ann".to_owned(),
            ..User::default()
        }),
        password: Some("secret".to_owned()),
    };
    assert_eq!(last_asked(&edge), Asked::Create(expect));
}

#[tokio::test]
async fn read_knows_versions() {
    let edge = Fixture::new().await;
    let answer = edge.get(&path()).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, Some("W/\"7\"")));
    let expect = GetUserRequest {
        id: USER_ID.to_owned(),
        view: UserView::Full.into(),
        ..GetUserRequest::default()
    };
    assert_eq!(last_asked(&edge), Asked::Get(expect));
    for (tags, status) in [("W/\"7\"", 304), ("*", 304), ("W/\"6\", \"7\"", 304), ("W/\"6\"", 200)] {
        let answer = edge
            .send("GET", &path(), &[("if-none-match", tags)], Body::empty())
            .await;
        assert_eq!(answer.status, status, "{tags}");
        assert_eq!(answer.body.is_empty(), status == 304, "{tags}");
        assert_eq!(answer.header("etag"), Some("W/\"7\""), "{tags}");
    }
    let head = edge.send("HEAD", &path(), &[], Body::empty()).await;
    assert_eq!(
        (head.status.as_u16(), head.body.as_str(), head.header("etag")),
        (200, "", Some("W/\"7\""))
    );
    let other = "/scim/v2/Users/00000000-0000-4000-8000-000000000000";
    let (unknown, never) = (edge.get(other).await, edge.get("/scim/v2/Users/x").await);
    unknown.check_error(404, None, other);
    assert_eq!(
        unknown.body, never.body,
        "an id that cannot be is answered as one that is not"
    );
}

#[tokio::test]
async fn if_match_is_passed_on() {
    let edge = Fixture::new().await;
    for (tags, expect) in [
        (vec![], vec![]),
        (vec!["*"], vec![]),
        (vec!["W/\"7\""], vec![7]),
        (vec!["W/\"7\"", "\"8\", \"x\""], vec![7, 8]),
        (vec!["stale"], vec![-1]),
    ] {
        let headers: Vec<_> = tags.iter().map(|tag| ("if-match", *tag)).collect();
        let operation = json!({"op": "remove", "path": "title"});
        for (method, body) in [
            ("PUT", minimal().to_string()),
            ("PATCH", patch(&operation)),
            ("DELETE", String::new()),
        ] {
            let answer = edge.send(method, &path(), &headers, body).await;
            assert!(answer.status.is_success(), "{method}: {answer:?}");
            let if_match = match last_asked(&edge) {
                Asked::Update(request) => request.if_match,
                Asked::Patch(request) => request.if_match,
                Asked::Delete(request) => request.if_match,
                other => panic!("{other:?}"),
            };
            assert_eq!(if_match, expect, "{method} {tags:?}");
        }
    }
}

#[tokio::test]
async fn if_none_match_keeps_what_it_names_from_being_changed() {
    let edge = Fixture::new().await;
    let other = "/scim/v2/Users/00000000-0000-4000-8000-000000000000";
    let remove = patch(&json!({"op": "remove", "path": "title"}));
    for (method, body) in [
        ("PUT", minimal().to_string()),
        ("PATCH", remove),
        ("DELETE", String::new()),
    ] {
        for (tags, refused) in [
            (vec!["*"], true),
            (vec!["W/\"7\""], true),
            (vec!["W/\"6\"", "\"7\""], true),
            (vec!["W/\"6\""], false),
            (vec!["junk"], false),
            (vec![], false),
        ] {
            let headers: Vec<_> = tags.iter().map(|tag| ("if-none-match", *tag)).collect();
            let answer = edge.send(method, &path(), &headers, body.clone()).await;
            let was_read = matches!(last_asked(&edge), Asked::Get(_));
            assert_eq!(
                was_read, refused,
                "{method} {tags:?}: nothing else is asked after a refusal"
            );
            if refused {
                answer.check_error(412, None, method);
            } else {
                assert!(answer.status.is_success(), "{method} {tags:?}: {answer:?}");
            }
        }
        let answer = edge.send(method, other, &[("if-none-match", "*")], body).await;
        answer.check_error(404, None, method);
    }
    let answer = edge
        .send(
            "POST",
            "/scim/v2/Users",
            &[("if-none-match", "*")],
            minimal().to_string(),
        )
        .await;
    assert_eq!(answer.status, 201, "there is nothing there before");
}

#[tokio::test]
async fn replace_names_the_user_by_the_path() {
    let edge = Fixture::new().await;
    let mut body = minimal();
    body["id"] = "another".into();
    let answer = edge.send("PUT", &path(), &[], body.to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, Some("W/\"7\"")));
    let Asked::Update(request) = last_asked(&edge) else {
        panic!()
    };
    assert_eq!(request.user.unwrap().id, USER_ID);
    assert_eq!(request.update_mask.unwrap().paths, ["*"]);
    assert_eq!((request.tenant_id.as_str(), request.password), ("", None));
}

#[tokio::test]
async fn patch_answers_200_with_the_resource() {
    let mut edge = Fixture::new().await;
    let operation = json!({"op": "Replace", "path": "active", "value": "False"});
    let answer = edge.send("PATCH", &path(), &[], patch(&operation)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["id"].as_str()),
        (200, Some(USER_ID))
    );
    let Asked::Patch(request) = last_asked(&edge) else {
        panic!()
    };
    assert_eq!((request.id.as_str(), request.operations.len()), (USER_ID, 1));
    edge.token = Some(reader());
    let answer = edge
        .get("/scim/v2/Users?filter=emails%5Btype%20eq%20%22work%22%5D.value%20eq%20%22x%22")
        .await;
    answer.check_error(400, Some("invalidFilter"), "the profile comes with the token");
}

#[tokio::test]
async fn delete_answers_204_without_a_body() {
    let edge = Fixture::new().await;
    let answer = edge.send("DELETE", &path(), &[], Body::empty()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""));
    let expect = DeleteUserRequest {
        tenant_id: String::new(),
        id: USER_ID.to_owned(),
        if_match: vec![],
    };
    assert_eq!(last_asked(&edge), Asked::Delete(expect));
}

#[tokio::test]
async fn lists_are_filtered_paged_and_projected() {
    let edge = Fixture::new().await;
    let query = "?filter=USERNAME+Eq+%22ann%22&count=5&attributes=userName&aadOptscim062020&";
    let answer = edge.get(&format!("/scim/v2/Users/{query}")).await;
    let resource = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": USER_ID, "userName": "ann",
    });
    let expect = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 1, "startIndex": 1, "itemsPerPage": 1, "Resources": [resource],
    });
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expect));
    let Asked::List(request) = last_asked(&edge) else {
        panic!()
    };
    assert_eq!(request.filter.unwrap().to_string(), "userName eq \"ann\"");
    assert_eq!((request.page_size, request.skip, request.count_only), (5, 0, false));
    let answer = edge.get("/scim/v2/Users?startIndex=6&count=5").await.json();
    assert_eq!((&answer["startIndex"], &answer["itemsPerPage"]), (&json!(6), &json!(0)));
    let Asked::List(request) = last_asked(&edge) else {
        panic!()
    };
    assert_eq!((request.page_size, request.skip, request.count_only), (5, 5, false));
    let answer = edge.get("/scim/v2/Users?count=0").await;
    assert_eq!(
        (&answer.json()["totalResults"], &answer.json()["Resources"]),
        (&json!(1), &json!([]))
    );
    let Asked::List(request) = last_asked(&edge) else {
        panic!()
    };
    assert_eq!((request.page_size, request.count_only, request.filter), (0, true, None));
}

#[tokio::test]
async fn a_search_is_answered_as_the_same_query_in_a_url() {
    let mut edge = Fixture::new().await;
    edge.token = Some(reader());
    let query = "?filter=userName+sw+%22a%22&startIndex=6&count=5&attributes=userName";
    let expect = edge.get(&format!("/scim/v2/Users{query}")).await.json();
    let asked = last_asked(&edge);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "userName sw \"a\"", "startIndex": 6, "count": 5, "attributes": ["userName"],
    });
    for path in ["/scim/v2/Users/.search", "/scim/v2/Users/.search?count=x"] {
        let answer = edge.send("POST", path, &[], body.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, expect.clone()), "{path}");
        assert_eq!(last_asked(&edge), asked, "{path}");
    }
    let answer = edge.send("POST", "/scim/v2/Users/.search", &[], "{}").await;
    answer.check_error(400, Some("invalidSyntax"), "no SearchRequest");
}

#[tokio::test]
async fn projection_applies_to_writes_too() {
    let edge = Fixture::new().await;
    let operation = json!({"op": "remove", "path": "title"});
    let user = path();
    for (method, path, body) in [
        ("POST", "/scim/v2/Users", minimal().to_string()),
        ("PUT", &user, minimal().to_string()),
        ("PATCH", &user, patch(&operation)),
    ] {
        let query = format!("{path}?excludedAttributes=displayName,meta");
        let answer = edge.send(method, &query, &[], body).await.json();
        assert_eq!(answer["userName"], "ann", "{method}");
        assert!(
            answer["displayName"].is_null() && answer["meta"].is_null(),
            "{method}: {answer}"
        );
    }
}

#[tokio::test]
async fn the_cores_refusals_become_scim_errors() {
    use ErrorReason as R;
    let edge = Fixture::new().await;
    for (code, reason, status, scim_type) in [
        (Code::AlreadyExists, R::Uniqueness, 409, Some("uniqueness")),
        (Code::NotFound, R::NotFound, 404, None),
        (Code::FailedPrecondition, R::VersionMismatch, 412, None),
        (Code::InvalidArgument, R::InvalidValue, 400, Some("invalidValue")),
        (Code::InvalidArgument, R::Mutability, 400, Some("mutability")),
        (Code::InvalidArgument, R::NoTarget, 400, Some("noTarget")),
        (Code::PermissionDenied, R::ScimDisabled, 403, None),
        (Code::Unauthenticated, R::CredentialExpired, 401, None),
        (Code::Unavailable, R::Unavailable, 503, None),
        (Code::Internal, R::Internal, 500, None),
    ] {
        edge.core.fail(code, reason, "userName is taken");
        let answer = edge.send("POST", "/scim/v2/Users", &[], minimal().to_string()).await;
        answer.check_error(status, scim_type, reason.as_str_name());
        assert_eq!(answer.header("retry-after").is_some(), status == 503, "{reason:?}");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{reason:?}");
    }
}
