use super::*;
use crate::harness::{As, Core, PLATFORM, refused};
use identity_proto::identity::v1::group_service_client::GroupServiceClient;

async fn user(acme: &mut Provider, id: &str) -> Vec<(String, bool)> {
    let request = GetUserRequest {
        id: id.to_owned(),
        view: UserView::Full.into(),
        ..Default::default()
    };
    let groups = acme.users.get_user(request).await.unwrap().into_inner().groups;
    groups.into_iter().map(|group| (group.display, group.direct)).collect()
}

#[tokio::test]
async fn a_user_is_in_its_groups_and_in_those_that_hold_them() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let (ann, bob) = (acme.user("ann").await, acme.user("bob").await);
    let inner = acme.group("Inner", &[&ann]).await;
    let middle = acme.group("Middle", &[&inner]).await;
    let outer = acme.group("Outer", &[&middle, &ann, &bob]).await;
    let name = |name: &str, direct| (name.to_owned(), direct);
    let mut direct = user(&mut acme, &ann).await;
    let indirect = direct.split_off(2);
    direct.sort();
    assert_eq!(
        (direct, indirect),
        (
            vec![name("Inner", true), name("Outer", true)],
            vec![name("Middle", false)]
        )
    );
    assert_eq!(user(&mut acme, &bob).await, [name("Outer", true)]);

    let list = ListUsersRequest {
        view: UserView::Full.into(),
        ..Default::default()
    };
    let listed = acme.users.list_users(list).await.unwrap().into_inner().users;
    assert_eq!(listed.iter().map(|user| user.groups.len()).sum::<usize>(), 4);
    assert!(
        acme.get(&ann).await.unwrap().groups.is_empty(),
        "the view BASIC has none"
    );

    let mut platform = GroupServiceClient::with_interceptor(core.channel.clone(), As::service(PLATFORM));
    let tenant_id = acme.tenant.to_string();
    for (group, member, direct_only, expect) in [
        (&inner, &ann, false, true),
        (&middle, &ann, false, true),
        (&middle, &ann, true, false),
        (&outer, &ann, true, true),
        (&outer, &inner, false, true),
        (&inner, &bob, false, false),
        (&inner, &nobody(), false, false),
        (&nobody(), &ann, false, false),
        (&inner, &"x".to_owned(), false, false),
    ] {
        let request = IsMemberRequest {
            tenant_id: tenant_id.clone(),
            group_id: group.clone(),
            member_id: member.clone(),
            direct_only,
        };
        let answer = platform.is_member(request).await.unwrap().into_inner();
        assert_eq!(answer.is_member, expect, "{group} {member} {direct_only}");
    }

    let mut names = Vec::new();
    let mut request = ListGroupsOfUserRequest {
        tenant_id: tenant_id.clone(),
        user_id: ann.clone(),
        page_size: 1,
        ..Default::default()
    };
    loop {
        let page = platform
            .list_groups_of_user(request.clone())
            .await
            .unwrap()
            .into_inner();
        names.extend(page.groups.into_iter().map(|group| (group.display, group.direct)));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    names.sort();
    assert_eq!(names, [name("Inner", true), name("Middle", false), name("Outer", true)]);
    request.direct_only = true;
    request.page_size = 0;
    let direct = platform
        .list_groups_of_user(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(direct.groups.len(), 2);
    request.user_id = nobody();
    refused(platform.list_groups_of_user(request).await, ErrorReason::NotFound);
}

#[tokio::test]
async fn groups_that_hold_each_other_hang_nothing() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let ann = acme.user("ann").await;
    let a = acme.group("A", &[&ann]).await;
    let b = acme.group("B", &[&a]).await;
    let c = acme.group("C", &[&b]).await;
    acme.patch_group(&a, vec![add(&[&c, &a])]).await.unwrap();
    let mut found = user(&mut acme, &ann).await;
    found.sort();
    let expect = [("A", true), ("B", false), ("C", false)];
    assert_eq!(found, expect.map(|(name, direct)| (name.to_owned(), direct)));
    assert_eq!(acme.members(&a).await, sorted(&[&ann, &c, &a]));
    for member in [&a, &b, &c, &ann] {
        let request = IsMemberRequest {
            tenant_id: acme.tenant.to_string(),
            group_id: c.clone(),
            member_id: member.clone(),
            direct_only: false,
        };
        let mut platform = GroupServiceClient::with_interceptor(core.channel.clone(), As::service(PLATFORM));
        assert!(platform.is_member(request).await.unwrap().into_inner().is_member);
    }
    acme.delete_group(&b).await.unwrap();
    assert_eq!(user(&mut acme, &ann).await.len(), 1);
}

#[tokio::test]
async fn the_groups_of_a_user_are_bounded() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let ann = acme.user("ann").await;
    let mut tx = acme.database.begin().await.unwrap();
    let set = sqlx::query("SELECT set_config('portcullis.tenant_id', $1, true)").bind(acme.tenant.to_string());
    set.execute(&mut *tx).await.unwrap();
    sqlx::query(
        "WITH made AS (
             INSERT INTO groups (tenant_id, group_id, display_name, display_name_key, created_at, last_modified_at)
             SELECT $1, gen_random_uuid(), 'g' || n, 'g' || n, now(), now() FROM generate_series(1, 1500) AS n
             RETURNING group_id
         )
         INSERT INTO member (tenant_id, group_id, member_id, is_group) SELECT $1, group_id, $2::uuid, false FROM made",
    )
    .bind(acme.tenant)
    .bind(&ann)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(user(&mut acme, &ann).await.len(), 1_000);
}
