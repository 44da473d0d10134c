use identity_proto::identity::v1::comparison::Operator;

use super::*;
use crate::harness::{Core, refused};

fn filter(attribute: &str, sub: &str, operator: Operator, value: impl Into<serde_json::Value>) -> Filter {
    let path = match sub {
        "" => AttributePath::core(attribute),
        sub => AttributePath::core(attribute).with_sub(sub),
    };
    Filter::compare(path, operator, value.into().into())
}

fn member_with(sub: &str, value: &str) -> Filter {
    Filter::value_path(
        AttributePath::core("members"),
        Filter::eq(AttributePath::core(sub), value),
    )
}

async fn found(acme: &mut Provider, filter: Filter) -> Result<Vec<String>, Status> {
    let request = ListGroupsRequest {
        filter: Some(filter),
        ..Default::default()
    };
    let list = acme.groups.list_groups(request).await?.into_inner();
    assert_eq!(i64::try_from(list.groups.len()).unwrap(), list.total_size);
    let mut names: Vec<_> = list.groups.into_iter().map(|group| group.display_name).collect();
    names.sort();
    Ok(names)
}

#[tokio::test]
async fn groups_are_found_by_what_identity_providers_ask() {
    use Operator::{Co, Eq, Ne, Sw};
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let (ann, bob) = (acme.user("ann").await, acme.user("bob").await);
    let sales = acme.group("Sales", &[&ann]).await;
    acme.group("Sales EU", &[&ann, &bob, &sales]).await;
    acme.group("Empty", &[]).await;
    let all = ["Empty", "Sales", "Sales EU"];
    for (filter, expect) in [
        (filter("displayName", "", Eq, "sales"), &["Sales"][..]),
        (filter("displayName", "", Sw, "SALES"), &["Sales", "Sales EU"]),
        (filter("displayName", "", Co, "mpt"), &["Empty"]),
        (filter("id", "", Eq, sales.as_str()), &["Sales"]),
        (filter("externalId", "", Eq, "x"), &[]),
        (filter("meta", "resourceType", Eq, "Group"), &all),
        (filter("meta", "resourceType", Eq, "User"), &[]),
        (filter("members", "value", Eq, ann.as_str()), &["Sales", "Sales EU"]),
        (filter("members", "value", Eq, sales.as_str()), &["Sales EU"]),
        (filter("members", "value", Eq, "nobody"), &[]),
        (filter("members", "value", Ne, ann.as_str()), &["Empty", "Sales EU"]),
        (filter("members", "type", Eq, "group"), &["Sales EU"]),
        (member_with("value", &bob), &["Sales EU"]),
        (member_with("type", "User"), &["Sales", "Sales EU"]),
        (Filter::present(AttributePath::core("members")), &["Sales", "Sales EU"]),
        (Filter::not(filter("members", "value", Eq, ann.as_str())), &["Empty"]),
        (
            Filter::and(vec![
                filter("id", "", Eq, sales.as_str()),
                filter("members", "value", Eq, bob.as_str()),
            ]),
            &[],
        ),
        (
            Filter::and(vec![
                filter("id", "", Eq, sales.as_str()),
                filter("members", "value", Eq, ann.as_str()),
            ]),
            &["Sales"],
        ),
        (
            Filter::or(vec![
                filter("members", "value", Eq, bob.as_str()),
                filter("displayName", "", Eq, "empty"),
            ]),
            &["Empty", "Sales EU"],
        ),
    ] {
        let shown = filter.to_string();
        assert_eq!(found(&mut acme, filter).await.unwrap(), expect, "{shown}");
    }
    for unfit in [
        filter("members", "display", Eq, "ann"),
        filter("members", "$ref", Eq, "x"),
        member_with("display", "ann"),
        filter("userName", "", Eq, "ann"),
        filter("members", "", Eq, "ann"),
    ] {
        refused(found(&mut acme, unfit).await, ErrorReason::InvalidFilter);
    }
}

#[tokio::test]
async fn pages_of_groups_hold_each_group_once() {
    let core = Core::start().await;
    let mut acme = core.provider("acme").await;
    let mut all = Vec::new();
    for number in 0..7 {
        all.push(acme.group(&format!("Group {number}"), &[]).await);
    }
    all.sort();
    let (mut seen, mut request) = (
        Vec::new(),
        ListGroupsRequest {
            page_size: 3,
            ..Default::default()
        },
    );
    loop {
        let page = acme.groups.list_groups(request.clone()).await.unwrap().into_inner();
        assert_eq!(page.total_size, 7);
        seen.extend(page.groups.into_iter().map(|group| group.id));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, all);
    let counted = ListGroupsRequest {
        count_only: true,
        ..Default::default()
    };
    let counted = acme.groups.list_groups(counted).await.unwrap().into_inner();
    assert_eq!((counted.groups.len(), counted.total_size), (0, 7));
    let skipped = ListGroupsRequest {
        skip: 5,
        ..Default::default()
    };
    assert_eq!(
        acme.groups.list_groups(skipped).await.unwrap().get_ref().groups.len(),
        2
    );
}
