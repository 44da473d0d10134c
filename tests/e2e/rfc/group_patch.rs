//! RFC 7644 section 3.5.2 on the members of a group: every form in which identity providers say who comes and who goes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::groups::{create_group, group_path, members_in, members_of, people, set, values};
use super::patch::op;
use super::*;

/// Ann, Bob and Cat are members, Dan and Eve are not.
struct People([String; 5]);

impl People {
    async fn of(scim: &Scim) -> People {
        People(people(scim).await)
    }

    /// Those whose initials these are.
    fn ids(&self, initials: &str) -> Vec<String> {
        let number = |initial| "abcde".find(initial).expect("one of five");
        initials
            .chars()
            .map(|initial| self.0[number(initial)].clone())
            .collect()
    }

    fn id(&self, initial: &str) -> String {
        self.ids(initial).remove(0)
    }

    fn values(&self, initials: &str) -> Value {
        values(&self.ids(initials))
    }
}

/// What must come of operations.
#[derive(Clone, Copy)]
enum Members {
    /// These are members.
    Are(&'static str),
    /// As before, and the version too.
    Same,
    Refused(&'static str),
}

use Members::{Are, Refused, Same};

/// Tries operations on a group of its own.
async fn check(scim: &Scim, people: &People, operations: &Value, then: Members) {
    let before = create_group(scim, "Team", &people.ids("abc")).await;
    let answer = scim.patch(&group_path(&before), operations).await;
    let now = scim.get(&group_path(&before)).await;
    let named = people.0.iter().zip("abcde".chars());
    let what = named.fold(operations.to_string(), |text, (id, initial)| {
        text.replace(id, &initial.to_string())
    });
    match then {
        Are(initials) => {
            assert!([200, 204].contains(&answer.status), "{what}: {answer:?}");
            assert_eq!(members_in(&now.json), set(&people.ids(initials)), "{what}");
            assert_ne!(now.header("etag"), before.header("etag"), "{what}");
        }
        Same => {
            assert!([200, 204].contains(&answer.status), "{what}: {answer:?}");
            assert_eq!(now.json, before.json, "{what}");
        }
        Refused(scim_type) => {
            is_error(&answer, &[400], scim_type, &what);
            assert_eq!(now.json, before.json, "{what}");
        }
    }
    if answer.status == 200 {
        assert_eq!(answer.header("etag"), now.header("etag"), "{what}");
    }
}

async fn run_everywhere(table: impl Fn(&People) -> Vec<(Value, Members)>) {
    for scim in [client().await, strict().await] {
        let people = People::of(&scim).await;
        for (operations, then) in table(&people) {
            check(&scim, &people, &operations, then).await;
        }
    }
}

fn remove(path: &str) -> Value {
    json!([{"op": "remove", "path": path}])
}

/// Section 3.5.2.2.
#[tokio::test]
async fn members_leave_by_every_path() {
    run_everywhere(|people| {
        let [a, b, d] = ["a", "b", "d"].map(|initial| people.id(initial));
        let nobody = Uuid::now_v7();
        vec![
            (remove(&format!("members[value eq \"{a}\"]")), Are("bc")),
            (remove(&format!("MEMBERS[Value EQ \"{a}\"]")), Are("bc")),
            (remove(&format!("{GROUP}:members[value eq \"{a}\"]")), Are("bc")),
            (
                remove(&format!("members[value eq \"{a}\" or value eq \"{b}\"]")),
                Are("c"),
            ),
            (
                remove(&format!("members[value eq \"{a}\" or value eq \"{d}\"]")),
                Are("bc"),
            ),
            (remove(&format!("members[value eq \"{d}\"]")), Same),
            (remove(&format!("members[value eq \"{nobody}\"]")), Same),
            (remove("members[value eq \"x\"]"), Same),
            (remove("members"), Are("")),
            (json!([{"op": "remove", "path": "members", "value": null}]), Are("")),
            (json!([op("replace", "members", &json!([]))]), Are("")),
            (json!([op("replace", "members", &Value::Null)]), Are("")),
            (json!([{"op": "replace", "value": {"members": []}}]), Are("")),
            (
                json!([{"op": "remove", "path": format!("members[value eq \"{a}\"]")},
                    {"op": "remove", "path": format!("members[value eq \"{b}\"]")}]),
                Are("c"),
            ),
            (json!([{"op": "remove"}]), Refused("noTarget")),
            (remove("members.value"), Refused("mutability")),
            (
                remove(&format!("members[value eq \"{a}\"].display")),
                Refused("mutability"),
            ),
            (remove("members[type eq \"User\"]"), Refused("invalidFilter")),
            (
                remove(&format!("members[not (value eq \"{a}\")]")),
                Refused("invalidFilter"),
            ),
            (remove("members[value pr]"), Refused("invalidFilter")),
            (remove("members["), Refused("invalidFilter")),
            (remove("members]"), Refused("invalidPath")),
        ]
    })
    .await;
}

/// Entra ID and JumpCloud say in the value who leaves, see remove-by-value. Taken for a removal of all, it would empty groups.
#[tokio::test]
async fn members_leave_by_value_where_that_is_understood() {
    let table = |people: &People| {
        let remove = |value: &Value| json!([{"op": "remove", "path": "members", "value": value}]);
        let id = people.id("a");
        vec![
            (remove(&people.values("a")), Are("bc")),
            (remove(&people.values("abd")), Are("c")),
            (remove(&people.values("abc")), Are("")),
            (remove(&json!([{"$ref": null, "value": id}])), Are("bc")),
            (
                remove(&json!([{"value": id, "display": "whatever", "type": "Group"}])),
                Are("bc"),
            ),
            (remove(&json!({"value": id})), Are("bc")),
            (remove(&json!([id])), Are("bc")),
            (remove(&json!(id)), Are("bc")),
            (remove(&people.values("d")), Same),
            (remove(&json!([{"value": "x"}])), Same),
            (remove(&json!([])), Same),
            (remove(&json!([{"display": "Ann"}])), Refused("invalidValue")),
            (remove(&json!([5])), Refused("invalidValue")),
            (remove(&json!(5)), Refused("invalidValue")),
        ]
    };
    let (interop, strict) = (client().await, strict().await);
    let (ours, theirs) = (People::of(&interop).await, People::of(&strict).await);
    for (operations, then) in table(&ours) {
        check(&interop, &ours, &operations, then).await;
    }
    for (operations, _) in table(&theirs) {
        check(&strict, &theirs, &operations, Refused("invalidValue")).await;
    }
}

/// Sections 3.5.2.1 and 3.5.2.3.
#[tokio::test]
async fn members_come_by_every_form_and_each_once() {
    run_everywhere(|people| {
        let d = people.id("d");
        vec![
            (json!([op("add", "members", &people.values("d"))]), Are("abcd")),
            (json!([op("add", "members", &people.values("ddaed"))]), Are("abcde")),
            (json!([op("add", "members", &people.values("ab"))]), Same),
            (json!([op("add", "members", &json!({"value": d}))]), Are("abcd")),
            (
                json!([op(
                    "add",
                    "members",
                    &json!([{"$ref": null, "value": d, "display": null}])
                )]),
                Are("abcd"),
            ),
            (json!([op("add", "members", &json!([]))]), Same),
            (
                json!([op("add", &format!("{GROUP}:members"), &people.values("d"))]),
                Are("abcd"),
            ),
            (
                json!([{"op": "add", "value": {"members": people.values("de")}}]),
                Are("abcde"),
            ),
            (
                json!([{"op": "add", "value": {"Members": people.values("d"), "unknown": 1}}]),
                Are("abcd"),
            ),
            (json!([op("replace", "members", &people.values("ad"))]), Are("ad")),
            (json!([op("replace", "members", &people.values("cba"))]), Same),
            (json!([op("replace", "members", &json!({"value": d}))]), Are("d")),
            (
                json!([{"op": "replace", "value": {"members": people.values("e"), "displayName": "x"}}]),
                Are("e"),
            ),
            (json!([op("add", "members", &Value::Null)]), Refused("invalidValue")),
            (json!([op("add", "members", &json!("x"))]), Refused("invalidValue")),
            (json!([op("add", "members", &json!([d]))]), Refused("invalidValue")),
            (
                json!([op("add", "members", &json!([{"display": "Dan"}]))]),
                Refused("invalidValue"),
            ),
            (
                json!([op("add", "members", &json!([{"value": 5}]))]),
                Refused("invalidValue"),
            ),
            (json!([{"op": "add", "path": "members"}]), Refused("invalidValue")),
            (
                json!([op("replace", "members.value", &json!(d))]),
                Refused("mutability"),
            ),
            (
                json!([op(
                    "replace",
                    &format!("members[value eq \"{}\"].display", people.id("a")),
                    &json!("x")
                )]),
                Refused("mutability"),
            ),
            (
                json!([op("add", "members[value eq \"x\"]", &json!({"value": d}))]),
                Refused("mutability"),
            ),
        ]
    })
    .await;
}

/// Section 3.5.2: operations see what the ones before did.
#[tokio::test]
async fn operations_on_members_are_done_in_their_order() {
    run_everywhere(|people| {
        let by_path =
            |initial| json!({"op": "remove", "path": format!("members[value eq \"{}\"]", people.id(initial))});
        let add = |initials| op("add", "members", &people.values(initials));
        let replace = |initials| op("replace", "members", &people.values(initials));
        let clear = || json!({"op": "remove", "path": "members"});
        vec![
            (json!([add("d"), by_path("d")]), Same),
            (json!([by_path("a"), add("a")]), Same),
            (json!([by_path("a"), add("ad"), by_path("d")]), Same),
            (json!([add("d"), clear()]), Are("")),
            (json!([clear(), add("d")]), Are("d")),
            (json!([clear(), add("abc")]), Same),
            (json!([replace("de"), by_path("e"), add("a")]), Are("ad")),
            (json!([by_path("a"), by_path("b"), add("de")]), Are("cde")),
            (json!([add("d"), replace("a"), add("e")]), Are("ae")),
            (
                json!([op("replace", "displayName", &json!("New")), add("d"), by_path("c")]),
                Are("abd"),
            ),
        ]
    })
    .await;
}

/// Section 3.5.2: all or nothing, members, name and version alike.
#[tokio::test]
async fn a_patch_of_a_group_that_fails_at_the_end_changes_nothing() {
    run_everywhere(|people| {
        let good = [
            op("replace", "displayName", &json!("New")),
            op("add", "members", &people.values("de")),
            json!({"op": "remove", "path": format!("members[value eq \"{}\"]", people.id("a"))}),
            json!({"op": "remove", "path": "members"}),
        ];
        let ending = |bad: Value| json!([good[0], good[1], good[2], good[3], bad]);
        vec![
            (ending(op("add", "nothing", &json!("x"))), Refused("invalidPath")),
            (
                ending(op("add", "members", &json!([{"value": 5}]))),
                Refused("invalidValue"),
            ),
            (ending(op("replace", "displayName", &json!(5))), Refused("invalidValue")),
            (
                ending(op("replace", "displayName", &json!("nul\u{0}"))),
                Refused("invalidValue"),
            ),
            (
                ending(json!({"op": "remove", "path": "displayName"})),
                Refused("mutability"),
            ),
            (ending(op("replace", "id", &json!("x"))), Refused("mutability")),
            (ending(json!({"op": "remove"})), Refused("noTarget")),
        ]
    })
    .await;
    let scim = strict().await;
    let people = People::of(&scim).await;
    let operations = json!([{"op": "remove", "path": "members"}, op("add", "members", &people.values("d")),
        op("add", "members", &values(&[Uuid::now_v7().to_string()]))]);
    check(&scim, &people, &operations, Refused("invalidValue")).await;
}

/// Okta sends name and id with every change of members; see read-only-in-value.
#[tokio::test]
async fn a_name_and_members_change_together() {
    let scim = client().await;
    let people = People::of(&scim).await;
    let group = create_group(&scim, "Team", &people.ids("abc")).await;
    let operations = json!([{"op": "replace", "value": {"id": group.id(), "displayName": "Crew"}},
        op("add", "members", &people.values("d"))]);
    let patched = scim.patch(&group_path(&group), &operations).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(scim.get(&group_path(&group)).await.json["displayName"], "Crew");
    assert_eq!(members_of(&scim, &group_path(&group)).await, set(&people.ids("abcd")));
    let other = json!([{"op": "replace", "value": {"id": Uuid::now_v7(), "displayName": "Other"}}]);
    is_error(
        &scim.patch(&group_path(&group), &other).await,
        &[400],
        "mutability",
        "another id",
    );
}

/// 4,000 members in one operation, and 2,500 removals, each by its own path, as Okta and Entra ID send them.
#[tokio::test]
async fn a_patch_takes_many_members_in_one_operation_and_many_operations() {
    let scim = client().await;
    let group = create_group(&scim, "Team", &[]).await;
    let path = group_path(&group);
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(create(&scim, &json!({})).await.id());
    }
    let many: Vec<_> = (0..4_000).map(|number: usize| ids[number % 40].clone()).collect();
    let added = scim.patch(&path, &json!([op("add", "members", &values(&many))])).await;
    assert_eq!(added.status, 200, "{added:?}");
    assert_eq!(members_of(&scim, &path).await, set(&ids));
    let by_path =
        |number: usize| json!({"op": "remove", "path": format!("members[value eq \"{}\"]", ids[number % 39])});
    let removals: Vec<_> = (0..2_500).map(by_path).collect();
    assert_eq!(scim.patch(&path, &json!(removals)).await.status, 200);
    assert_eq!(members_of(&scim, &path).await, BTreeSet::from([ids[39].clone()]));
}
