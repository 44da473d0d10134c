//! Laws that hold for generated operations.

use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = Json> {
    let text = || prop::sample::select(vec!["a", "b", "A", "work", ""]);
    (text(), prop::option::of(text()), any::<Option<bool>>()).prop_map(|(value, kind, primary)| {
        let mut email = map(json!({"value": value}));
        email.extend(kind.map(|kind| ("type".to_owned(), json!(kind))));
        email.extend(primary.map(|primary| ("primary".to_owned(), json!(primary))));
        Json::Object(email)
    })
}

fn any_operation() -> impl Strategy<Value = PatchOperation> {
    let at = prop::sample::select(vec![
        "emails",
        "emails.value",
        "emails.primary",
        "emails.type",
        "name",
        "title",
        "+",
        "+manager",
    ]);
    let given = prop_oneof![
        value(),
        value().prop_map(|one| json!([one])),
        Just(json!(true)),
        Just(json!("x")),
        Just(Json::Null)
    ];
    let op = prop::sample::select(vec![Op::Add, Op::Replace, Op::Remove]);
    (op, at, given, any::<bool>(), any::<bool>()).prop_map(|(op, at, given, filtered, create)| {
        let operation = operation(op, at, (op != Op::Remove).then_some(given));
        let operation = if filtered {
            operation.filtered(eq("type", json!("work")))
        } else {
            operation
        };
        if create { operation.or_create() } else { operation }
    })
}

proptest! {
    #[test]
    fn adding_and_removing_a_value_restores_the_document(kind in "[c-z]{1,8}") {
        prop_assume!(kind != "work" && kind != "home");
        let added = json!({"value": "new", "type": kind});
        check(vec![add("emails", added), remove("emails").filtered(eq("type", json!(kind)))], json!({}));
    }

    #[test]
    fn adding_twice_is_adding_once(given in prop::collection::vec(value(), 0..4)) {
        let once = |times: usize| {
            let mut document = map(start());
            apply(&USER, &mut document, vec![add("emails", given.clone().into()); times]).map(|_| document).ok()
        };
        prop_assert_eq!(once(1), once(2));
    }

    #[test]
    fn nothing_unassigned_and_no_second_primary_is_left(operations in prop::collection::vec(any_operation(), 0..6)) {
        let mut document = map(start());
        if apply(&USER, &mut document, operations).is_ok() {
            let mut pruned = document.clone();
            prune(&mut pruned);
            prop_assert_eq!(&document, &pruned);
            let emails = document.get("emails").and_then(Json::as_array).cloned().unwrap_or_default();
            prop_assert!(emails.iter().filter(|email| crate::validate::is_primary(email)).count() <= 1);
        }
    }
}
