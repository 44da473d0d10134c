use super::*;
use crate::harness::{Core, refused, replace};

#[tokio::test]
async fn every_form_of_removal_takes_out_whom_it_names() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d"] {
        ids.push(acme.user(name).await);
    }
    let [a, b, c, d] = [0, 1, 2, 3].map(|number: usize| ids[number].as_str());
    let all = [a, b, c];
    for (operations, expect) in [
        (vec![without(&[b])], vec![a, c]),
        (vec![without(&[a, c, d])], vec![b]),
        (vec![without_anyone()], vec![]),
        (vec![exactly(&[])], vec![]),
        (vec![exactly(&[d, a])], vec![a, d]),
        (vec![add(&[d]), without(&[a, d])], vec![b, c]),
        (vec![without(&[a]), add(&[a, d])], vec![a, b, c, d]),
        (vec![without_anyone(), add(&[d]), add(&[d])], vec![d]),
        (
            vec![add(&[d]), without_anyone(), replace("displayName", "Empty")],
            vec![],
        ),
    ] {
        let id = acme.group("Sales", &all).await;
        let shown = format!("{operations:?}");
        let answer = acme.patch_group(&id, operations).await.unwrap();
        assert_eq!(version(&answer), 2, "{shown}");
        assert_eq!(acme.members(&id).await, sorted(&expect), "{shown}");
    }
}

#[tokio::test]
async fn who_is_nobody_is_refused_by_name_or_left_out_and_told() {
    let core = Core::start().await;
    let (mut acme, mut other) = (core.provider("acme").await, core.provider("other").await);
    let (ann, foreign, never) = (acme.user("ann").await, other.user("ann").await, nobody());
    let id = acme.group("Sales", &[]).await;
    for nobody in [foreign.as_str(), &never, "no id", &ann.to_uppercase()] {
        let answer = acme
            .patch_group(&id, vec![replace("displayName", "x"), add(&[&ann, nobody])])
            .await;
        let status = refused(answer, ErrorReason::InvalidValue);
        assert!(status.message().contains(nobody), "{}", status.message());
        refused(acme.put_group(&id, of("x", &[nobody])).await, ErrorReason::InvalidValue);
        refused(
            acme.create_group("x", &[nobody], UnknownMembers::Unspecified).await,
            ErrorReason::InvalidValue,
        );
    }
    assert!(acme.members(&id).await.is_empty(), "all or none");

    let all = [ann.as_str(), &foreign, &never, "no id"];
    let answer = acme
        .patch_group_with(&id, vec![add(&all)], UnknownMembers::LeaveOut)
        .await
        .unwrap();
    assert_eq!(version(&answer), 2);
    assert_eq!(acme.members(&id).await, std::slice::from_ref(&ann));
    let Some(Payload::GroupPatched(GroupPatched {
        members: Some(told), ..
    })) = acme.group_events(&id).await.pop()
    else {
        panic!("no event")
    };
    assert_eq!(told.added, std::slice::from_ref(&ann));
    assert_eq!(
        sorted(&told.left_out.iter().map(String::as_str).collect::<Vec<_>>()),
        sorted(&[&foreign, &never, "no id"])
    );

    let made = acme
        .create_group("Other", &all, UnknownMembers::LeaveOut)
        .await
        .unwrap();
    assert_eq!(acme.members(&made.id).await, [ann]);
    let nothing = acme
        .patch_group_with(&id, vec![add(&[&never])], UnknownMembers::LeaveOut)
        .await
        .unwrap();
    assert_eq!(version(&nothing), 2, "nobody came");
}

#[tokio::test]
async fn who_is_deleted_is_a_member_of_nothing() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let (ann, bob) = (acme.user("ann").await, acme.user("bob").await);
    let inner = acme.group("Inner", &[&ann]).await;
    let id = acme.group("Outer", &[&ann, &bob, &inner]).await;
    acme.delete(&ann).await.unwrap();
    assert_eq!(acme.members(&id).await, sorted(&[&bob, &inner]));
    assert!(acme.members(&inner).await.is_empty());
    acme.delete_group(&inner).await.unwrap();
    assert_eq!(acme.members(&id).await, [bob]);
}

#[tokio::test]
async fn members_are_listed_in_pages_with_their_names() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let (ann, inner) = (acme.user("ann").await, acme.group("Inner", &[]).await);
    let patch = vec![replace("displayName", "Ann B.")];
    acme.patch(&ann, patch).await.unwrap();
    let mut all = vec![ann.clone(), inner.clone()];
    for number in 0..5 {
        all.push(acme.user(&format!("user{number}")).await);
    }
    all.sort();
    let refs: Vec<_> = all.iter().map(String::as_str).collect();
    let id = acme.group("Outer", &refs).await;
    let (mut found, mut request) = (
        Vec::new(),
        ListMembersRequest {
            group_id: id.clone(),
            page_size: 3,
            ..Default::default()
        },
    );
    loop {
        let page = acme.groups.list_members(request.clone()).await.unwrap().into_inner();
        found.extend(page.members);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found.iter().map(|member| member.id.clone()).collect::<Vec<_>>(), all);
    let of = |id: &str| found.iter().find(|member| member.id == id).unwrap();
    assert_eq!(
        (of(&ann).display.as_str(), of(&ann).r#type()),
        ("Ann B.", member::Type::User)
    );
    assert_eq!(
        (of(&inner).display.as_str(), of(&inner).r#type()),
        ("Inner", member::Type::Group)
    );
    assert_eq!(
        of(refs.iter().find(|id| ***id != *ann && ***id != *inner).unwrap())
            .display
            .get(..4),
        Some("user")
    );

    request.page_token = acme
        .groups
        .list_members(ListMembersRequest {
            group_id: id.clone(),
            page_size: 3,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner()
        .next_page_token;
    request.group_id = inner;
    refused(acme.groups.list_members(request).await, ErrorReason::PageTokenInvalid);
}

#[tokio::test]
async fn a_group_that_is_read_whole_says_where_its_members_go_on() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    sqlx::query(
        "INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
         SELECT $1, gen_random_uuid(), jsonb_build_object('userName', 'u' || n), jsonb_build_object('userName', 'u' || n), now(), now()
         FROM generate_series(1, 1200) AS n",
    )
    .bind(acme.tenant)
    .execute(&acme.database)
    .await
    .unwrap();
    let all: Vec<String> = sqlx::query_scalar("SELECT user_id::text FROM users WHERE tenant_id = $1 ORDER BY user_id")
        .bind(acme.tenant)
        .fetch_all(&acme.database)
        .await
        .unwrap();
    let refs: Vec<_> = all.iter().map(String::as_str).collect();
    let id = acme.group("Large", &refs).await;
    let small = acme.group("Small", &refs[..1]).await;
    let read = acme.get_group(&id, GroupView::Full).await.unwrap();
    assert_eq!(read.members.len(), 1_000);
    let rest = ListMembersRequest {
        group_id: id.clone(),
        page_token: read.next_members_token.clone(),
        ..Default::default()
    };
    let rest = acme.groups.list_members(rest).await.unwrap().into_inner();
    let found = read
        .members
        .iter()
        .chain(&rest.members)
        .map(|member| member.id.as_str());
    assert_eq!(found.collect::<Vec<_>>(), refs);
    assert_eq!(rest.next_page_token, "");

    let full = ListGroupsRequest {
        view: GroupView::Full.into(),
        ..Default::default()
    };
    let list = acme.groups.list_groups(full).await.unwrap().into_inner().groups;
    let of = |id: &str| list.iter().find(|group| group.id == id).unwrap();
    assert_eq!(
        (of(&id).members.len(), of(&id).next_members_token.is_empty()),
        (100, false)
    );
    assert_eq!(
        (of(&small).members.len(), of(&small).next_members_token.as_str()),
        (1, "")
    );
    let basic = acme
        .groups
        .list_groups(ListGroupsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .groups;
    assert!(
        basic
            .iter()
            .all(|group| group.members.is_empty() && group.next_members_token.is_empty())
    );
}

#[tokio::test]
async fn a_member_is_shown_by_the_name_that_it_was_given() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let (ann, bob, cho) = (acme.user("ann").await, acme.user("bob").await, acme.user("cho").await);
    let mut group = of("Sales", &[&ann, &bob]);
    group.members[0].display = "Ann of Sales".to_owned();
    let request = CreateGroupRequest {
        group: Some(group),
        ..Default::default()
    };
    let id = acme.groups.create_group(request).await.unwrap().into_inner().id;
    let value = json!([{"value": cho, "display": "Cho of Sales"}, {"value": ann, "display": "Another"}]);
    let operations = vec![operation(Op::Add, AttributePath::core("members"), value)];
    acme.patch_group(&id, operations).await.unwrap();
    let shown = acme.get_group(&id, GroupView::Full).await.unwrap().members;
    let name = |id: &str| shown.iter().find(|member| member.id == id).unwrap().display.clone();
    assert_eq!(
        (name(&ann), name(&bob), name(&cho)),
        ("Ann of Sales".into(), "bob".into(), "Cho of Sales".into())
    );
    let long = json!([{"value": bob, "display": "x".repeat(1_001)}]);
    let operations = vec![operation(Op::Add, AttributePath::core("members"), long)];
    refused(acme.patch_group(&id, operations).await, ErrorReason::InvalidValue);
}

/// What the group holds matters to none of these, though what PostgreSQL knows is of a time when it held one member.
#[tokio::test]
async fn no_change_reads_the_members() {
    const MEMBERS: i64 = 30_000;
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let (ann, bob) = (acme.user("ann").await, acme.user("bob").await);
    let id = acme.group("Large", &[&ann]).await;
    for once in ["ALTER TABLE member SET (autovacuum_enabled = off)", "ANALYZE member"] {
        sqlx::query(once).execute(&acme.database).await.unwrap();
    }
    let mut tx = acme.database.begin().await.unwrap();
    let set = sqlx::query("SELECT set_config('portcullis.tenant_id', $1, true)").bind(acme.tenant.to_string());
    set.execute(&mut *tx).await.unwrap();
    sqlx::query(
        "WITH made AS (
             INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
             SELECT $1, gen_random_uuid(), document, document, now(), now()
             FROM generate_series(1, $3) AS n, jsonb_build_object('userName', 'u' || n) AS document
             RETURNING user_id
         )
         INSERT INTO member (tenant_id, group_id, member_id, is_group) SELECT $1, $2::uuid, user_id, false FROM made",
    )
    .bind(acme.tenant)
    .bind(&id)
    .bind(MEMBERS)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let before = read(&acme).await;
    for _ in 0..8 {
        acme.patch_group(&id, vec![add(&[&bob])]).await.unwrap();
        acme.patch_group(&id, vec![without(&[&bob])]).await.unwrap();
        acme.patch_group(&id, vec![without(&[&ann]), add(&[&ann, &bob]), without(&[&bob])])
            .await
            .unwrap();
    }
    // Statistics are told a second late at most.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    let read = read(&acme).await - before;
    assert!(
        (1..MEMBERS / 10).contains(&read),
        "{read} rows of members and users were read for a few changes"
    );
}

/// How many rows of `member` and `users` all statements read so far.
async fn read(acme: &Provider) -> i64 {
    sqlx::query_scalar(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables
         WHERE relname IN ('member', 'users')",
    )
    .fetch_one(&acme.database)
    .await
    .unwrap()
}
