//! userNames that differ in case or form are one name, RFC 7643 section 4.1.1: whoever has it is found by each of its
//! spellings, and nobody else can have it.

use e2e::Tenant;
use e2e::fence_model::rng::Rng;
use e2e::scim::{Scim, user};
use serde_json::json;

use super::rng;
use crate::system;

/// Letters, each with its spellings; no two of them are the same letter.
const LETTERS: [&[&str]; 14] = [
    &["a", "A", "ａ", "Ａ"],
    &["z", "Z", "ｚ", "Ｚ"],
    &["k", "K", "\u{212A}"],
    &["é", "É", "e\u{301}", "E\u{301}"],
    &["å", "Å", "\u{212B}", "a\u{30A}"],
    &["ñ", "Ñ", "n\u{303}"],
    &["ß", "ẞ", "ss", "SS", "ſs"],
    &["ﬁ", "fi", "FI", "Fi"],
    &["ﬄ", "ffl", "FFL"],
    &["σ", "ς", "Σ"],
    &["ж", "Ж"],
    &["が", "か\u{3099}"],
    &["7", "７"],
    &["@", "＠"],
];

/// Two spellings of one name. The number in it keeps it apart from the names of other pairs.
fn pair(rng: &mut Rng, number: u32) -> (String, String) {
    let (mut left, mut right) = (format!("{number}."), format!("{number}."));
    for _ in 0..=rng.below(6) {
        let letter = rng.pick(&LETTERS);
        left += rng.pick(letter);
        right += rng.pick(letter);
    }
    (left, right)
}

/// The names of those whom `userName eq` finds.
async fn found(scim: &Scim, name: &str) -> Vec<String> {
    let answer = scim.find(&format!("userName eq {}", json!(name))).await;
    assert_eq!(answer.status, 200, "{name}: {answer:?}");
    let users = answer.json["Resources"].as_array().into_iter().flatten();
    users
        .filter_map(|user| user["userName"].as_str().map(str::to_owned))
        .collect()
}

async fn are_one_name(scim: &Scim, left: &str, right: &str) {
    let id = scim.create_user(left).await;
    assert_eq!(found(scim, right).await, [left], "{left:?} is not found as {right:?}");
    let second = scim.post("/Users", &user(right)).await;
    assert_eq!(
        (second.status, &second.json["scimType"]),
        (409, &json!("uniqueness")),
        "{left:?} {right:?}: {second:?}"
    );
    let other = scim.create_user(&format!("other than {left}")).await;
    let other = format!("/Users/{other}");
    let renamed = [
        scim.put(&other, &user(right)).await,
        scim.patch(&other, &json!([{"op": "replace", "path": "userName", "value": right}]))
            .await,
    ];
    for renamed in renamed {
        assert_eq!(renamed.status, 409, "{left:?} {right:?}: {renamed:?}");
    }
    // Its owner may spell it anew.
    let respelt = scim.put(&format!("/Users/{id}"), &user(right)).await;
    assert_eq!(
        (respelt.status, respelt.json["userName"].as_str()),
        (200, Some(right)),
        "{respelt:?}"
    );
    assert_eq!(found(scim, left).await, [right], "{right:?} is not found as {left:?}");
}

#[tokio::test]
async fn spellings_of_one_name_find_its_owner_and_nobody_else_gets_it() {
    let scim = Tenant::create(system()).await.scim;
    for (left, right) in [
        ("ann@example.test", "Ann@Example.TEST"),
        ("ａｄｍｉｎ", "admin"),
        ("ﬁnance", "FINANCE"),
        ("straße", "STRASSE"),
        ("Zoe\u{308}", "zoë"),
        ("\u{212A}elvin", "kelvin"),
        ("ΟΔΟΣ", "οδος"),
        ("Ǆ", "ǆ"),
        ("o\u{2019}neil \u{FF21}", "O\u{2019}NEIL A"),
    ] {
        are_one_name(&scim, left, right).await;
    }
    let mut rng = rng();
    for number in 0..25 {
        let (left, right) = pair(&mut rng, number);
        are_one_name(&scim, &left, &right).await;
    }
}

#[tokio::test]
async fn names_of_other_letters_are_other_names() {
    let scim = Tenant::create(system()).await.scim;
    let mut rng = rng();
    let check = async |left: &str, right: &str| {
        scim.create_user(left).await;
        assert_eq!(found(&scim, right).await, [""; 0], "{left:?} is found as {right:?}");
        scim.create_user(right).await;
        assert_eq!(found(&scim, left).await, [left]);
    };
    for (left, right) in [
        ("José", "Jose"),
        ("a", "а"),
        ("dotless ı", "dotless i"),
        ("x y", "x  y"),
        ("%", "_"),
        ("a%", "ab"),
    ] {
        check(left, right).await;
    }
    for number in 0..20 {
        let (left, right) = pair(&mut rng, number);
        check(&left, &format!("{right}+")).await;
    }
}

#[tokio::test]
async fn of_two_at_once_one_gets_the_name() {
    let scim = Tenant::create(system()).await.scim;
    let mut rng = rng();
    for number in 0..20 {
        let (left, right) = pair(&mut rng, number);
        let bodies = [user(&left), user(&right)];
        let (one, other) = tokio::join!(scim.post("/Users", &bodies[0]), scim.post("/Users", &bodies[1]));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{left:?} {right:?}: {one:?} {other:?}");
    }
}
