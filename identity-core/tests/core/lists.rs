//! Lists, filters and pages.

use identity_proto::identity::v1::*;

use crate::harness::*;

async fn list(provider: &mut Provider, request: ListUsersRequest) -> ListUsersResponse {
    provider.users.list_users(request).await.unwrap().into_inner()
}

async fn filled(core: &Core, count: usize) -> Provider {
    let mut provider = core.provider("acme").await;
    for number in 0..count {
        let user = User {
            title: Some(if number % 2 == 0 { "even" } else { "odd" }.to_owned()),
            external_id: Some(format!("X{number}")),
            emails: vec![Email {
                value: Some(format!("U{number}@Example.org")),
                r#type: Some("work".into()),
                ..Email::default()
            }],
            ..named(&format!("User{number}"))
        };
        provider.create(user).await.unwrap();
    }
    provider
}

fn names(page: &ListUsersResponse) -> Vec<&str> {
    page.users.iter().map(|user| user.user_name.as_str()).collect()
}

#[tokio::test]
async fn pages_by_token_and_by_skip_are_the_whole_list() {
    let core = Core::start().await;
    let mut provider = filled(&core, 7).await;
    let all = list(&mut provider, ListUsersRequest::default()).await;
    assert_eq!(
        (all.total_size, all.users.len(), all.next_page_token.as_str()),
        (7, 7, "")
    );
    assert!(all.users.is_sorted_by_key(|user| &user.id));

    let (mut by_token, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListUsersRequest {
            page_size: 3,
            page_token,
            ..Default::default()
        };
        let page = list(&mut provider, request).await;
        assert_eq!(page.total_size, 7);
        by_token.extend(page.users);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(by_token, all.users);

    let mut by_skip = Vec::new();
    for skip in [0, 3, 6, 9] {
        let request = ListUsersRequest {
            page_size: 3,
            skip,
            ..Default::default()
        };
        let page = list(&mut provider, request).await;
        assert_eq!(page.total_size, 7);
        by_skip.extend(page.users);
    }
    assert_eq!(by_skip, all.users);
}

#[tokio::test]
async fn a_count_alone_reads_no_users() {
    let core = Core::start().await;
    let mut provider = filled(&core, 3).await;
    let request = ListUsersRequest {
        count_only: true,
        page_size: 10,
        ..Default::default()
    };
    let page = list(&mut provider, request).await;
    assert_eq!(
        (page.total_size, page.users.len(), page.next_page_token.as_str()),
        (3, 0, "")
    );
}

#[tokio::test]
async fn the_ways_in_which_identity_providers_match_find_their_user() {
    let core = Core::start().await;
    let mut provider = filled(&core, 6).await;
    let email = Filter::value_path(
        AttributePath::core("emails"),
        Filter::and(vec![
            Filter::eq(AttributePath::core("type"), "work"),
            Filter::eq(AttributePath::core("value"), "u4@example.ORG"),
        ]),
    );
    for (filter, expect) in [
        (Filter::eq(AttributePath::core("userName"), "uSER2"), vec!["User2"]),
        (Filter::eq(AttributePath::core("externalId"), "X3"), vec!["User3"]),
        (Filter::eq(AttributePath::core("externalId"), "x3"), vec![]),
        (email, vec!["User4"]),
        (
            Filter::eq(AttributePath::core("title"), "odd"),
            vec!["User1", "User3", "User5"],
        ),
    ] {
        let text = filter.to_string();
        let request = ListUsersRequest {
            filter: Some(filter),
            ..Default::default()
        };
        let page = list(&mut provider, request).await;
        assert_eq!(names(&page), expect, "{text}");
        assert_eq!(page.total_size, i64::try_from(expect.len()).unwrap(), "{text}");
    }
}

#[tokio::test]
async fn searchable_values_follow_the_document() {
    let core = Core::start().await;
    let mut provider = filled(&core, 1).await;
    let by_email = |value: &str| ListUsersRequest {
        filter: Some(Filter::eq(AttributePath::core("emails").with_sub("value"), value)),
        ..Default::default()
    };
    let user = list(&mut provider, by_email("u0@example.org")).await.users.remove(0);
    let new = serde_json::json!([{"value": "new@example.org"}]);
    provider.patch(&user.id, vec![replace("emails", new)]).await.unwrap();
    assert_eq!(list(&mut provider, by_email("u0@example.org")).await.total_size, 0);
    assert_eq!(list(&mut provider, by_email("NEW@example.org")).await.total_size, 1);
}

#[tokio::test]
async fn a_page_token_serves_its_own_list_only() {
    let core = Core::start().await;
    let mut provider = filled(&core, 4).await;
    let odd = Filter::eq(AttributePath::core("title"), "odd");
    let request = |filter: Option<&Filter>, page_token: &str| ListUsersRequest {
        page_size: 1,
        filter: filter.cloned(),
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    let token = list(&mut provider, request(Some(&odd), "")).await.next_page_token;
    assert_eq!(list(&mut provider, request(Some(&odd), &token)).await.users.len(), 1);
    let even = Filter::eq(AttributePath::core("title"), "even");
    let mut other = core.provider("other").await;
    for (provider, filter, token) in [
        (&mut provider.clone(), None, token.as_str()),
        (&mut provider.clone(), Some(&even), &token),
        (&mut other, Some(&odd), &token),
        (&mut provider.clone(), Some(&odd), "nonsense"),
    ] {
        refused(
            provider.users.list_users(request(filter, token)).await,
            ErrorReason::PageTokenInvalid,
        );
    }
}

#[tokio::test]
async fn an_unknown_attribute_is_refused_and_never_matches_nothing() {
    let core = Core::start().await;
    let mut provider = filled(&core, 1).await;
    for filter in [
        Filter::eq(AttributePath::core("noSuchAttribute"), "x"),
        Filter::eq(AttributePath::core("password"), "x"),
        (0..40).fold(Filter::present(AttributePath::core("title")), |filter, _| {
            Filter::not(filter)
        }),
    ] {
        let request = ListUsersRequest {
            filter: Some(filter),
            ..Default::default()
        };
        let refused = refused(provider.users.list_users(request).await, ErrorReason::InvalidFilter);
        assert!(!refused.message().to_lowercase().contains("select"), "{refused:?}");
    }
}
