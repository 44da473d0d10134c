//! What the core is asked about groups, and what is made of its answers.

use identity_proto::identity::v1::{
    CreateGroupRequest, Group, GroupView, Member, Quirk, QuirkSetting, UnknownMembers, UserView,
};
use serde_json::json;

use super::fake_core::{Asked, AskedOfGroups, GROUP_ID, USER_ID, member_id, reader};
use super::*;

const GROUPS: &str = "/scim/v2/Groups";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

fn path() -> String {
    format!("{GROUPS}/{GROUP_ID}")
}

fn with_members(count: usize) -> String {
    let members: Vec<_> = (0..count).map(|number| json!({"value": member_id(number)})).collect();
    json!({"schemas": [SCHEMA], "displayName": "Team", "members": members}).to_string()
}

fn patch() -> String {
    let operation = json!({"op": "add", "path": "members", "value": [{"value": USER_ID}]});
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}).to_string()
}

/// What was asked about groups since the last time.
fn asked(edge: &Fixture) -> Vec<AskedOfGroups> {
    let asked = edge.core.asked().into_iter();
    let groups = asked.filter_map(|asked| match asked {
        Asked::Groups(asked) => Some(asked),
        _ => None,
    });
    groups.collect()
}

/// The views in which groups were read.
fn views(edge: &Fixture) -> Vec<GroupView> {
    let views = asked(edge).into_iter().filter_map(|asked| match asked {
        AskedOfGroups::Get(request) => Some(request.view()),
        AskedOfGroups::List(request) => Some(request.view()),
        _ => None,
    });
    views.collect()
}

fn ids(resource: &Json) -> Vec<&str> {
    let members = resource["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    members.iter().filter_map(|member| member["value"].as_str()).collect()
}

#[tokio::test]
async fn create_answers_201_with_the_members() {
    let edge = Fixture::new().await;
    edge.core.set_members(2);
    let answer = edge.send("POST", GROUPS, &[], with_members(2)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let location = format!("http://scim.test:8080{}", path());
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(answer.header("etag"), Some("W/\"7\""));
    assert_eq!(ids(&answer.json()), [member_id(0), member_id(1)]);
    let member = |number| Member {
        id: member_id(number),
        ..Member::default()
    };
    let expect = CreateGroupRequest {
        tenant_id: String::new(),
        group: Some(Group {
            display_name: "Team".to_owned(),
            members: vec![member(0), member(1)],
            ..Group::default()
        }),
        unknown_members: UnknownMembers::LeaveOut.into(),
    };
    let all = asked(&edge);
    assert_eq!(all.first(), Some(&AskedOfGroups::Create(expect)));
    assert_eq!(all.len(), 2, "it is read after the write");
    for (path, body) in [
        (format!("{GROUPS}?excludedAttributes=members"), with_members(2)),
        (GROUPS.to_owned(), with_members(0)),
    ] {
        let answer = edge.send("POST", &path, &[], body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["members"].is_null()),
            (201, true)
        );
        assert_eq!(views(&edge), [], "{path}: there is nothing to read");
    }
}

#[tokio::test]
async fn a_new_group_that_cannot_be_read_is_still_answered_as_created() {
    let edge = Fixture::new().await;
    edge.core.set_members(2);
    edge.core.fail_reads_of_groups();
    let answer = edge.send("POST", GROUPS, &[], with_members(2)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["id"].as_str()),
        (201, Some(GROUP_ID))
    );
    assert!(answer.json()["members"].is_null());
    let answer = edge
        .send("PATCH", &format!("{}?attributes=members", path()), &[], patch())
        .await;
    answer.check_error(503, None, "a change that can be repeated");
}

#[tokio::test]
async fn members_are_asked_for_where_the_answer_holds_them() {
    let edge = Fixture::new().await;
    edge.core.set_members(2);
    for (query, view) in [
        ("", GroupView::Full),
        ("?attributes=members", GroupView::Full),
        ("?attributes=members.value", GroupView::Full),
        ("?excludedAttributes=displayName", GroupView::Full),
        ("?attributes=displayName", GroupView::Basic),
        ("?excludedAttributes=members", GroupView::Basic),
    ] {
        for path in [path(), GROUPS.to_owned()] {
            let answer = edge.get(&format!("{path}{query}")).await.json();
            assert_eq!(views(&edge), [view], "{path}{query}");
            let one = if path == GROUPS {
                &answer["Resources"][1]
            } else {
                &answer
            };
            assert_eq!(
                ids(one).len(),
                if view == GroupView::Full { 2 } else { 0 },
                "{path}{query}: {answer}"
            );
        }
    }
    let answer = edge.get(&format!("{}?attributes=members.value", path())).await.json();
    assert_eq!(answer["members"][0], json!({"value": member_id(0)}));
}

#[tokio::test]
async fn a_change_is_answered_with_members_for_who_names_them_or_has_no_use_for_brief_answers() {
    let edge = Fixture::new().await;
    edge.core.set_members(2);
    let check = async |query: &str, shown: bool| {
        for (method, body) in [("PUT", with_members(2)), ("PATCH", patch())] {
            let answer = edge.send(method, &format!("{}{query}", path()), &[], body).await;
            assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, Some("W/\"7\"")));
            assert_eq!(
                ids(&answer.json()).len(),
                if shown { 2 } else { 0 },
                "{method} {query}: {answer:?}"
            );
            let expect = if shown { vec![GroupView::Full] } else { vec![] };
            assert_eq!(views(&edge), expect, "{method} {query}");
        }
    };
    for (query, shown) in [
        ("", false),
        ("?attributes=displayName", false),
        ("?excludedAttributes=displayName", false),
        ("?attributes=members", true),
        ("?attributes=displayName,members.value", true),
    ] {
        check(query, shown).await;
    }
    edge.core.set_quirk(QuirkSetting {
        quirk: Quirk::BriefGroups.into(),
        enabled: false,
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    for (query, shown) in [
        ("", true),
        ("?excludedAttributes=members", false),
        ("?attributes=displayName", false),
        ("?excludedAttributes=displayName", true),
    ] {
        check(query, shown).await;
    }
}

#[tokio::test]
async fn unknown_members_are_left_out_or_refused_as_the_tenant_has_it() {
    let edge = Fixture::new().await;
    for expect in [UnknownMembers::LeaveOut, UnknownMembers::Refuse] {
        for (method, path, body) in [
            ("POST", GROUPS, with_members(1)),
            ("PUT", &path(), with_members(1)),
            ("PATCH", &path(), patch()),
        ] {
            edge.send(method, path, &[], body).await;
            let found = match asked(&edge).remove(0) {
                AskedOfGroups::Create(request) => request.unknown_members(),
                AskedOfGroups::Update(request) => request.unknown_members(),
                AskedOfGroups::Patch(request) => request.unknown_members(),
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expect, "{method}");
        }
        edge.core.set_quirk(QuirkSetting {
            quirk: Quirk::UnknownMembers.into(),
            enabled: false,
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn versions_and_scopes_are_those_of_users() {
    let mut edge = Fixture::new().await;
    for (tags, status) in [("W/\"7\"", 304), ("W/\"6\"", 200)] {
        let answer = edge
            .send("GET", &path(), &[("if-none-match", tags)], Body::empty())
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("etag")),
            (status, Some("W/\"7\""))
        );
    }
    asked(&edge);
    for (method, body) in [("PUT", with_members(1)), ("PATCH", patch()), ("DELETE", String::new())] {
        let answer = edge
            .send(method, &path(), &[("if-none-match", "*")], body.clone())
            .await;
        answer.check_error(412, None, method);
        assert_eq!(views(&edge), [GroupView::Basic], "{method}");
        let answer = edge.send(method, &path(), &[("if-match", "W/\"7\"")], body).await;
        assert!(answer.status.is_success(), "{method}: {answer:?}");
        let if_match = match asked(&edge).remove(0) {
            AskedOfGroups::Update(request) => request.if_match,
            AskedOfGroups::Patch(request) => request.if_match,
            AskedOfGroups::Delete(request) => request.if_match,
            other => panic!("{other:?}"),
        };
        assert_eq!(if_match, [7], "{method}");
    }
    let other = format!("{GROUPS}/00000000-0000-4000-8000-000000000000");
    edge.get(&other).await.check_error(404, None, "unknown");
    edge.token = Some(reader());
    assert_eq!(edge.get(GROUPS).await.status, 200);
    asked(&edge);
    for (method, path) in [
        ("POST", GROUPS),
        ("PUT", &path()),
        ("PATCH", &path()),
        ("DELETE", &path()),
    ] {
        edge.send(method, path, &[], "{").await.check_error(403, None, method);
    }
    assert_eq!(asked(&edge), []);
}

#[tokio::test]
async fn a_user_shows_its_groups_where_they_are_asked_for() {
    let edge = Fixture::new().await;
    let user = format!("/scim/v2/Users/{USER_ID}");
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    let body = json!({"schemas": schemas, "userName": "ann", "groups": [{"value": GROUP_ID}]}).to_string();
    let value = json!([{
        "value": GROUP_ID, "$ref": format!("http://scim.test:8080{}", path()), "display": "Team", "type": "direct",
    }]);
    for (method, path, shown) in [
        ("GET", user.clone(), true),
        ("GET", format!("{user}?attributes=groups"), true),
        ("GET", format!("{user}?attributes=userName"), false),
        ("GET", format!("{user}?excludedAttributes=groups"), false),
        ("GET", "/scim/v2/Users".to_owned(), false),
        ("GET", "/scim/v2/Users?attributes=groups".to_owned(), true),
        ("GET", "/scim/v2/Users?excludedAttributes=userName".to_owned(), false),
        ("PUT", user.clone(), false),
        ("PUT", format!("{user}?attributes=groups"), true),
    ] {
        let answer = edge.send(method, &path, &[], body.clone()).await.json();
        let one = answer.get("Resources").map_or(&answer, |list| &list[0]);
        let expect = if shown { value.clone() } else { Json::Null };
        assert_eq!(one["groups"], expect, "{method} {path}");
        let was_full = edge.core.asked().into_iter().any(|asked| match asked {
            Asked::Get(request) => request.view() == UserView::Full,
            Asked::List(request) => request.view() == UserView::Full,
            _ => false,
        });
        assert_eq!(was_full, shown, "{method} {path}");
    }
}

#[tokio::test]
async fn a_search_of_groups_is_their_list() {
    let edge = Fixture::new().await;
    edge.core.set_members(5);
    let list = edge
        .get(&format!("{GROUPS}?filter=displayName+eq+%22x%22&count=5"))
        .await
        .json();
    let asked_by_get = asked(&edge);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "displayName eq \"x\"", "count": 5,
    });
    let answer = edge
        .send("POST", &format!("{GROUPS}/.search"), &[], body.to_string())
        .await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, list));
    assert_eq!(asked(&edge), asked_by_get);
    edge.get(&format!("{GROUPS}?filter=userName+pr")).await.check_error(
        400,
        Some("invalidFilter"),
        "no attribute of a group",
    );
}

/// What the two lists are asked for, as skip and page size, by a search at the root.
async fn searched(edge: &Fixture, body: Json) -> (Answer, Option<(i64, i32)>, Option<(i64, i32)>) {
    let mut body = body;
    body["schemas"] = json!(["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]);
    edge.core.asked();
    let answer = edge.send("POST", "/scim/v2/.search", &[], body.to_string()).await;
    let (mut users, mut groups) = (None, None);
    for asked in edge.core.asked() {
        match asked {
            Asked::List(request) => users = Some((request.skip, request.page_size)),
            Asked::Groups(AskedOfGroups::List(request)) => {
                assert_eq!(request.count_only, request.page_size == 0);
                groups = Some((request.skip, request.page_size));
            }
            _ => {}
        }
    }
    (answer, users, groups)
}

#[tokio::test]
async fn a_search_at_the_root_goes_across_users_and_groups() {
    let edge = Fixture::new().await;
    edge.core.set_members(5);
    // There are one user and two groups.
    for (body, users, groups, total, types) in [
        (
            json!({}),
            Some((0, 100)),
            Some((0, 99)),
            3,
            vec!["User", "Group", "Group"],
        ),
        (json!({"count": 1}), Some((0, 1)), Some((0, 0)), 3, vec!["User"]),
        (json!({"count": 0}), Some((0, 0)), Some((0, 0)), 3, vec![]),
        (
            json!({"startIndex": 2}),
            Some((1, 100)),
            Some((0, 100)),
            3,
            vec!["Group", "Group"],
        ),
        (json!({"startIndex": 4}), Some((3, 100)), Some((2, 100)), 3, vec![]),
        (
            json!({"filter": "meta.resourceType eq \"Group\""}),
            Some((0, 100)),
            Some((0, 99)),
            3,
            vec!["User", "Group", "Group"],
        ),
    ] {
        let (answer, of_users, of_groups) = searched(&edge, body.clone()).await;
        let answer = answer.json();
        assert_eq!((of_users, of_groups), (users, groups), "{body}");
        assert_eq!(answer["totalResults"], total, "{body}");
        let resources = answer["Resources"].as_array().unwrap();
        let found: Vec<_> = resources
            .iter()
            .map(|one| one["meta"]["resourceType"].as_str().unwrap())
            .collect();
        assert_eq!(found, types, "{body}");
        assert_eq!(answer["itemsPerPage"], types.len(), "{body}");
        let groups = resources.iter().filter(|one| one["meta"]["resourceType"] == "Group");
        assert!(groups.clone().all(|group| ids(group).len() == 5), "{answer}");
    }
    for filter in ["nope eq 1", "userName eq 1", "members[value eq 1]"] {
        let (answer, users, groups) = searched(&edge, json!({ "filter": filter })).await;
        answer.check_error(400, Some("invalidFilter"), filter);
        assert_eq!((users, groups), (None, None), "{filter}");
    }
}

#[tokio::test]
async fn a_filter_at_the_root_is_asked_of_each_type_in_its_own_way() {
    let edge = Fixture::new().await;
    let both = "displayName eq \"Red\" or userName eq \"ann\"";
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": both});
    let answer = edge.send("POST", "/scim/v2/.search", &[], body.to_string()).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["totalResults"]),
        (200, &json!(3))
    );
    let filters = edge.core.asked().into_iter().filter_map(|asked| match asked {
        Asked::List(request) => request.filter,
        Asked::Groups(AskedOfGroups::List(request)) => request.filter,
        _ => None,
    });
    let filters: Vec<_> = filters.map(|filter| filter.to_string()).collect();
    assert_eq!(filters, [both, "displayName eq \"Red\" or id eq \"\""]);
}
