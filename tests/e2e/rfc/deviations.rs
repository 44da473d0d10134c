//! What contradicts the RFCs, each by its own switch: `portcullis tenant profile NAME --set QUIRK=on|off`.

use std::collections::BTreeSet;

use serde_json::json;
use uuid::Uuid;

use super::groups::{create_group, group_body, group_path};
use super::*;

/// What a client sends that the RFCs do not have.
enum Deviation {
    Post(Value),
    /// To a user with roles a and b.
    Patch(Value),
    Filter(&'static str),
    /// A deactivation with this before the name.
    Tombstone(&'static str),
    /// A group with a member that is nobody.
    UnknownMember,
    /// A patch of a group whose answer leaves the members out.
    BriefGroup,
}

use Deviation::{BriefGroup, Filter, Patch, Post, Tombstone, UnknownMember};

fn deviations() -> [(&'static str, Deviation); 12] {
    let read_only = json!({"title": "t", "groups": [], "meta": {"created": "x"}});
    [
        ("op-case", Patch(json!([{"op": "Add", "path": "title", "value": "t"}]))),
        ("string-booleans", Post(json!({"active": "False"}))),
        ("manager-forms", Post(json!({ENTERPRISE: {"manager": "1"}}))),
        ("single-value", Post(json!({"emails": {"value": "a@x"}}))),
        ("foreign-schemas", Post(json!({"schemas": [USER, "urn:x"]}))),
        (
            "read-only-in-value",
            Patch(json!([{"op": "replace", "value": read_only}])),
        ),
        (
            "create-on-no-match",
            Patch(json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a@x"}])),
        ),
        (
            "remove-by-value",
            Patch(json!([{"op": "remove", "path": "roles", "value": [{"value": "a"}]}])),
        ),
        (
            "condition-behind-value-filter",
            Filter("emails[type eq \"work\"].value eq \"a@x\""),
        ),
        ("tombstone-name", Tombstone("0123456789abcdef0123456789abcdef")),
        ("unknown-members", UnknownMember),
        ("brief-groups", BriefGroup),
    ]
}

async fn is_understood(scim: &Scim, deviation: &Deviation) -> bool {
    let user = create(scim, &json!({"roles": [{"value": "a"}, {"value": "b"}]})).await;
    let answer = match deviation {
        Post(attributes) => scim.post("/Users", &user_with(attributes)).await,
        Patch(operations) => scim.patch(&path(&user), operations).await,
        Filter(filter) => scim.find(filter).await,
        Tombstone(prefix) => {
            let name = format!("{prefix}{}", user.json["userName"].as_str().unwrap_or_default());
            let value = json!({"active": false, "userName": name});
            let patched = scim
                .patch(&path(&user), &json!([{"op": "replace", "value": value}]))
                .await;
            assert_eq!(
                (patched.status, &patched.json["active"]),
                (200, &json!(false)),
                "{patched:?}"
            );
            return patched.json["userName"] == user.json["userName"];
        }
        UnknownMember => {
            scim.post("/Groups", &group_body("Team", &[Uuid::now_v7().to_string()]))
                .await
        }
        BriefGroup => {
            let group = create_group(scim, "Team", &[user.id()]).await;
            let renamed = json!([{"op": "replace", "path": "displayName", "value": "Crew"}]);
            let patched = scim.patch(&group_path(&group), &renamed).await;
            assert!([200, 204].contains(&patched.status), "{patched:?}");
            assert_eq!(
                patched.status == 200,
                patched.json["displayName"] == "Crew",
                "{patched:?}"
            );
            return patched.json.get("members").is_none();
        }
    };
    assert!([200, 201, 400].contains(&answer.status), "{answer:?}");
    answer.status != 400
}

/// A tenant of this preset with one quirk switched.
async fn switched(preset: &str, quirk: &str, state: &str) -> Scim {
    let tenant = Tenant::create(system()).await;
    let setting = format!("{quirk}={state}");
    let arguments = ["tenant", "profile", &tenant.name, "--preset", preset, "--set", &setting];
    system().cli(&arguments).await.done();
    tenant.scim
}

#[tokio::test]
async fn each_deviation_is_switched_by_itself() {
    let (interop, strict) = (client().await, strict().await);
    for (quirk, deviation) in deviations() {
        assert!(is_understood(&interop, &deviation).await, "{quirk} in interop");
        assert!(!is_understood(&strict, &deviation).await, "{quirk} in strict");
        assert!(
            !is_understood(&switched("interop", quirk, "off").await, &deviation).await,
            "{quirk} switched off"
        );
        assert!(
            is_understood(&switched("strict", quirk, "on").await, &deviation).await,
            "{quirk} switched on"
        );
    }
}

#[tokio::test]
async fn every_quirk_has_its_deviation_here() {
    let tenant = Tenant::create(system()).await;
    let profile = system().cli(&["tenant", "profile", &tenant.name]).await.done();
    let quirks: BTreeSet<_> = profile["quirks"].as_object().expect("quirks").keys().cloned().collect();
    assert_eq!(
        deviations()
            .map(|(quirk, _)| quirk.to_owned())
            .into_iter()
            .collect::<BTreeSet<_>>(),
        quirks
    );
}
