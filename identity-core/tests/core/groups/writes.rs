use super::*;
use crate::harness::{Core, refused, replace};

#[tokio::test]
async fn a_group_lives_from_create_to_delete() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let (ann, bob) = (acme.user("ann").await, acme.user("bob").await);
    let created = acme
        .create_group("Sales", &[&ann, &ann], UnknownMembers::Refuse)
        .await
        .unwrap();
    let id = created.id.clone();
    assert_eq!((version(&created), created.display_name.as_str()), (1, "Sales"));
    assert!(created.members.is_empty(), "writes answer without members");
    assert_eq!(acme.members(&id).await, std::slice::from_ref(&ann));

    let group = Group {
        external_id: Some("x1".to_owned()),
        ..of("Sales EU", &[&bob])
    };
    let put = acme.put_group(&id, group).await.unwrap();
    assert_eq!((version(&put), put.external_id.as_deref()), (2, Some("x1")));
    assert_eq!(acme.members(&id).await, std::slice::from_ref(&bob));
    let basic = acme.get_group(&id, GroupView::Basic).await.unwrap();
    assert_eq!(basic, put);

    let patched = acme
        .patch_group(&id, vec![replace("displayName", "Sales US"), add(&[&ann])])
        .await
        .unwrap();
    assert_eq!((version(&patched), patched.display_name.as_str()), (3, "Sales US"));
    assert_eq!(acme.members(&id).await, sorted(&[&ann, &bob]));
    let modified = |group: &Group| group.meta.unwrap().last_modified.map(|time| (time.seconds, time.nanos));
    assert!(modified(&patched) > modified(&created));

    acme.delete_group(&id).await.unwrap();
    refused(acme.get_group(&id, GroupView::Basic).await, ErrorReason::NotFound);
    refused(acme.patch_group(&id, vec![add(&[&ann])]).await, ErrorReason::NotFound);
    refused(acme.delete_group(&id).await, ErrorReason::NotFound);
    acme.get(&ann).await.unwrap();
    let events = acme.group_events(&id).await;
    let told = |members: MemberChange| Some(members);
    match events.as_slice() {
        [
            Payload::GroupCreated(first),
            Payload::GroupReplaced(second),
            Payload::GroupPatched(third),
            Payload::GroupDeleted(_),
        ] => {
            assert_eq!(
                first.members,
                told(MemberChange {
                    all_removed: true,
                    added: vec![ann.clone()],
                    ..Default::default()
                })
            );
            assert_eq!(
                second.members,
                told(MemberChange {
                    all_removed: true,
                    added: vec![bob],
                    ..Default::default()
                })
            );
            assert_eq!(
                third.members,
                told(MemberChange {
                    added: vec![ann],
                    ..Default::default()
                })
            );
            assert_eq!(version(third.group.as_ref().unwrap()), 3);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let (ann, bob) = (acme.user("ann").await, acme.user("bob").await);
    let id = acme.group("Sales", &[&ann]).await;
    let before = acme.get_group(&id, GroupView::Full).await.unwrap();
    for operations in [
        vec![add(&[&ann])],
        vec![add(&[])],
        vec![without(&[&bob])],
        vec![without(&[])],
        vec![without(&[&nobody(), "no id"])],
        vec![exactly(&[&ann])],
        vec![without(&[&ann]), add(&[&ann])],
        vec![add(&[&bob]), without(&[&bob])],
        vec![without_anyone(), add(&[&ann])],
        vec![replace("displayName", "Sales")],
        vec![replace("schemas", json!(["urn:x"]))],
    ] {
        let shown = format!("{operations:?}");
        let answer = acme.patch_group(&id, operations).await.unwrap();
        assert_eq!(version(&answer), 1, "{shown}");
    }
    let answer = acme.put_group(&id, of("Sales", &[&ann])).await.unwrap();
    assert_eq!(version(&answer), 1);
    assert_eq!(acme.get_group(&id, GroupView::Full).await.unwrap(), before);
    assert_eq!(acme.group_events(&id).await.len(), 1);
}

#[tokio::test]
async fn attributes_are_held_to_the_schema() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let id = acme.group("Sales", &[]).await;
    for (operations, reason) in [
        (vec![remove("displayName")], ErrorReason::Mutability),
        (vec![replace("displayName", "")], ErrorReason::InvalidValue),
        (
            vec![replace("displayName", "x".repeat(1_001))],
            ErrorReason::InvalidValue,
        ),
        (vec![replace("displayName", "a\0b")], ErrorReason::InvalidValue),
        (
            vec![replace("externalId", "x".repeat(1_001))],
            ErrorReason::InvalidValue,
        ),
        (vec![replace("id", "x")], ErrorReason::Mutability),
        (vec![replace("userName", "x")], ErrorReason::InvalidPath),
        (
            vec![operation(Op::Add, AttributePath::core("members"), json!("x"))],
            ErrorReason::InvalidValue,
        ),
        (
            vec![operation(
                Op::Add,
                AttributePath::core("members"),
                json!([{"value": "x"}]),
            )],
            ErrorReason::InvalidValue,
        ),
        (
            vec![operation(
                Op::Replace,
                AttributePath::core("members").with_sub("value"),
                json!("x"),
            )],
            ErrorReason::Mutability,
        ),
        // The operations of one request stand or fall together.
        (
            vec![replace("displayName", "Other"), replace("externalId", "\0")],
            ErrorReason::InvalidValue,
        ),
    ] {
        let shown = format!("{operations:.200?}");
        let status = refused(acme.patch_group(&id, operations).await, reason);
        assert!(!status.message().is_empty(), "{shown}");
    }
    refused(
        acme.create_group(" ", &[], UnknownMembers::Refuse).await,
        ErrorReason::InvalidValue,
    );
    let after = acme.get_group(&id, GroupView::Basic).await.unwrap();
    assert_eq!((version(&after), after.display_name.as_str()), (1, "Sales"));
    let cleared = acme
        .patch_group(&id, vec![replace("externalId", "x1"), remove("externalId")])
        .await
        .unwrap();
    assert_eq!(version(&cleared), 1);
}

#[tokio::test]
async fn a_version_that_is_not_the_current_one_is_refused() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let id = acme.group("Sales", &[]).await;
    for (if_match, expect) in [(vec![7], Some(ErrorReason::VersionMismatch)), (vec![7, 1], None)] {
        let request = PatchGroupRequest {
            id: id.clone(),
            operations: vec![replace("displayName", format!("Sales {}", if_match.len()))],
            if_match,
            ..Default::default()
        };
        let answer = acme.groups.patch_group(request).await;
        match expect {
            Some(reason) => drop(refused(answer, reason)),
            None => assert_eq!(version(answer.unwrap().get_ref()), 2),
        }
    }
    let delete = |if_match| DeleteGroupRequest {
        id: id.clone(),
        if_match,
        ..Default::default()
    };
    refused(
        acme.groups.delete_group(delete(vec![1])).await,
        ErrorReason::VersionMismatch,
    );
    acme.groups.delete_group(delete(vec![2])).await.unwrap();
}

#[tokio::test]
async fn another_tenant_s_group_is_no_group() {
    let core = Core::start().await;
    let (mut acme, mut other) = (core.provider("acme").await, core.provider("other").await);
    let id = acme.group("Sales", &[]).await;
    let ann = other.user("ann").await;
    for id in [id.as_str(), &id.to_uppercase(), &nobody(), "", "x"] {
        refused(other.get_group(id, GroupView::Full).await, ErrorReason::NotFound);
        refused(other.put_group(id, of("x", &[])).await, ErrorReason::NotFound);
        refused(other.patch_group(id, vec![add(&[&ann])]).await, ErrorReason::NotFound);
        refused(other.delete_group(id).await, ErrorReason::NotFound);
        let members = ListMembersRequest {
            group_id: id.to_owned(),
            ..Default::default()
        };
        refused(other.groups.list_members(members).await, ErrorReason::NotFound);
    }
    let list = other.groups.list_groups(ListGroupsRequest::default()).await.unwrap();
    assert_eq!(list.get_ref().total_size, 0);
    acme.get_group(&id, GroupView::Basic).await.unwrap();
}
