//! What leads back to where it began, and what leads to the same place on two ways: RFC 7644 sections 3.5.1 and 3.5.2.

use e2e::fence_model::rng::Rng;
use e2e::scim::{Answer, Scim};
use identity_proto::schema::{Attribute, ENTERPRISE_URN, Type, USER_URN};
use serde_json::{Map, Value, json};

use super::{generated, one_of_each_profile, rng};

async fn create(scim: &Scim, body: &Value) -> Answer {
    let created = scim.post("/Users", body).await;
    assert_eq!(created.status, 201, "{body}: {created:?}");
    created
}

#[tokio::test]
async fn putting_back_what_was_read_changes_nothing() {
    let (tenants, mut rng) = (one_of_each_profile().await, rng());
    for number in 0..60 {
        let scim = &rng.pick(&tenants.each_ref()).scim;
        let body = generated::user(&mut rng, &format!("u{number}"));
        let id = create(scim, &body).await.id();
        let path = format!("/Users/{id}");
        let read = scim.get(&path).await;
        let put = scim.put(&path, &read.json).await;
        assert_eq!(
            (put.status, put.header("etag")),
            (200, read.header("etag")),
            "{body}: {put:?}"
        );
        assert_eq!(put.json, read.json, "{body}");
        // Nor does what was sent at first, if it said whether the user is active.
        let again = scim.put(&path, &body).await;
        assert_eq!((again.status, again.json), (200, read.json), "{body}");
    }
}

/// Operations that add something to the user, and those that remove it again.
fn there_and_back(rng: &mut Rng, user: &Value) -> (Value, Value) {
    loop {
        let attributes = generated::attributes();
        let (schema, attribute) = rng.pick(&attributes);
        let holder = if schema.is_empty() { user } else { &user[schema] };
        let colon = if schema.is_empty() { "" } else { ":" };
        let path = format!("{schema}{colon}{}", attribute.name);
        let (path, value, back) = if attribute.multi_valued {
            let (value, filter) = distinct_value(rng, attribute);
            (path.clone(), value, format!("{path}[{filter}]"))
        } else if attribute.kind == Type::Complex {
            let subs = attribute.sub_attributes.iter().filter(|sub| generated::is_plain(sub));
            let sub = rng.pick(&subs.collect::<Vec<_>>());
            if holder[attribute.name].get(sub.name).is_some() {
                continue;
            }
            let path = format!("{path}.{}", sub.name);
            (path.clone(), generated::one_value(rng, sub), path)
        } else if holder.get(attribute.name).is_none() && attribute.name != "active" {
            (path.clone(), generated::one_value(rng, attribute), path)
        } else {
            continue;
        };
        let remove = json!([{"op": "remove", "path": back}]);
        return (json!([{"op": "add", "path": path, "value": value}]), remove);
    }
}

/// A value that no user has yet, and the filter that selects it alone.
fn distinct_value(rng: &mut Rng, attribute: &Attribute) -> (Value, String) {
    let mut value = generated::one_value(rng, attribute);
    let mut names = ["value", "formatted"].into_iter();
    let name = match names.find_map(|name| attribute.sub_attribute(name)) {
        Some(sub) if sub.kind != Type::Binary => sub.name,
        _ => "display",
    };
    let text = format!("new-{}", rng.bits());
    value[name] = text.as_str().into();
    (value, format!("{name} eq \"{text}\""))
}

/// The resource without what tells one write from another.
fn content(answer: &Answer) -> Value {
    let mut content = answer.json.clone();
    let resource = content.as_object_mut().unwrap_or_else(|| panic!("{answer:?}"));
    resource.remove("meta");
    content
}

#[tokio::test]
async fn adding_and_removing_leads_back_to_the_start() {
    let (tenants, mut rng) = (one_of_each_profile().await, rng());
    for number in 0..25 {
        let scim = &rng.pick(&tenants.each_ref()).scim;
        let body = generated::user(&mut rng, &format!("u{number}"));
        let start = create(scim, &body).await;
        let path = format!("/Users/{}", start.id());
        for _ in 0..3 {
            let before = scim.get(&path).await;
            let (add, remove) = there_and_back(&mut rng, &before.json);
            let both = [add.as_array().cloned(), remove.as_array().cloned()];
            let both: Vec<Value> = both.into_iter().flatten().flatten().collect();
            let at_once = scim.patch(&path, &json!(both)).await;
            assert_eq!(
                (at_once.status, &at_once.json),
                (200, &before.json),
                "{body} {both:?}: {at_once:?}"
            );
            let there = scim.patch(&path, &add).await;
            assert_eq!(there.status, 200, "{body} {add}: {there:?}");
            assert_ne!(content(&there), content(&before), "{body} {add}");
            assert_ne!(there.header("etag"), before.header("etag"), "{body} {add}");
            let back = scim.patch(&path, &remove).await;
            assert_eq!(
                (back.status, content(&back)),
                (200, content(&before)),
                "{body} {add} {remove}"
            );
        }
    }
}

/// The value of an operation without path, in one of the forms that mean the same, and the operations with paths.
fn two_ways(rng: &mut Rng, op: &str, changes: Map<String, Value>) -> (Map<String, Value>, Vec<Value>) {
    let (mut value, mut operations) = (Map::new(), Vec::new());
    let mut with_path = |path: &str, value: &Value| operations.push(json!({"op": op, "path": path, "value": value}));
    for (name, change) in changes {
        match &change {
            Value::Object(inside) if name == ENTERPRISE_URN || rng.chance(5_000) => {
                let separator = if name == ENTERPRISE_URN { ":" } else { "." };
                let as_object = name == ENTERPRISE_URN && rng.chance(5_000);
                for (sub, change) in inside {
                    let path = format!("{name}{separator}{sub}");
                    with_path(&path, change);
                    if !as_object {
                        value.insert(path, change.clone());
                    }
                }
                if as_object {
                    value.insert(name, change);
                }
            }
            _ => {
                with_path(&name, &change);
                let urn = if rng.chance(2_000) {
                    format!("{USER_URN}:")
                } else {
                    String::new()
                };
                value.insert(format!("{urn}{name}"), change);
            }
        }
    }
    (value, operations)
}

#[tokio::test]
async fn a_patch_without_paths_is_the_same_with_paths() {
    let (tenants, mut rng) = (one_of_each_profile().await, rng());
    for number in 0..40 {
        let scim = &rng.pick(&tenants.each_ref()).scim;
        let mut body = generated::user(&mut rng, &format!("without{number}"));
        let without = format!("/Users/{}", create(scim, &body).await.id());
        body["userName"] = format!("with{number}").into();
        let with = format!("/Users/{}", create(scim, &body).await.id());
        for _ in 0..2 {
            let op = rng.pick(&["add", "replace"]);
            let changes = generated::changes(&mut rng, 3_000);
            let (value, operations) = two_ways(&mut rng, op, changes);
            if operations.is_empty() {
                continue;
            }
            let without = scim.patch(&without, &json!([{"op": op, "value": value}])).await;
            let with = scim.patch(&with, &json!(operations)).await;
            assert_eq!(
                (without.status, with.status),
                (200, 200),
                "{body} {operations:?}: {without:?} {with:?}"
            );
            let [without, with] = [without, with].map(|answer| {
                let mut content = content(&answer);
                content["id"].take();
                content["userName"].take();
                content
            });
            assert_eq!(without, with, "{body} {value:?} {operations:?}");
        }
    }
}
