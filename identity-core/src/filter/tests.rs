use std::sync::{LazyLock, Mutex, PoisonError};

use identity_proto::identity::v1::comparison::Operator::{self, Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
use identity_proto::identity::v1::{AttributePath, ErrorReason, Filter, FilterList, Value, filter::Expression};
use identity_proto::schema::{ENTERPRISE_URN, USER};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::Runtime;

use super::*;

mod groups;

/// `schema:attribute.sub`, without the schema for the core.
fn path(text: &str) -> AttributePath {
    let (schema, rest) = match text.strip_prefix(ENTERPRISE_URN) {
        Some(rest) => (ENTERPRISE_URN, rest.trim_start_matches(':')),
        None => ("", text),
    };
    let (attribute, sub) = rest.split_once('.').unwrap_or((rest, ""));
    AttributePath {
        schema: schema.to_owned(),
        attribute: attribute.to_owned(),
        sub_attribute: sub.to_owned(),
    }
}

fn compare(name: &str, operator: Operator, value: Json) -> Filter {
    Filter::compare(path(name), operator, Value::from(value))
}

fn in_values(name: &str, inner: Vec<Filter>) -> Filter {
    Filter::value_path(path(name), Filter::and(inner))
}

fn pr(name: &str) -> Filter {
    Filter::present(path(name))
}

fn enterprise(rest: &str) -> String {
    format!("{ENTERPRISE_URN}:{rest}")
}

fn binds(predicate: &Predicate) -> Vec<String> {
    let bind = |fragment: &Fragment| match fragment {
        Fragment::Sql(_) => None,
        Fragment::Text(text) => Some(text.clone()),
        Fragment::Boolean(boolean) => Some(boolean.to_string()),
        Fragment::Instant(instant) => Some(instant.to_string()),
        Fragment::Uuid(uuid) => Some(uuid.to_string()),
    };
    predicate.0.iter().filter_map(bind).collect()
}

fn check(filter: &Filter, sql: &str, expect: &[&str]) {
    check_on(&USERS, filter, sql, expect);
}

fn check_on(layout: &'static Layout, filter: &Filter, sql: &str, expect: &[&str]) {
    let predicate = compile(layout, filter).unwrap();
    assert_eq!(predicate.to_string(), sql, "{filter}");
    assert_eq!(binds(&predicate), expect, "{filter}");
    let mut query = QueryBuilder::new("");
    predicate.push(&mut query);
    assert_eq!(
        query.into_string(),
        format!("({sql})"),
        "what is pushed is what is shown"
    );
    explain(layout, &predicate);
}

/// PostgreSQL plans the statement: every name, operator and type in it is real.
fn explain(layout: &Layout, predicate: &Predicate) {
    static DATABASE: LazyLock<Mutex<(Runtime, PgConnection)>> = LazyLock::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connection = runtime.block_on(async {
            let migrate = async |url: &str| crate::migrate(&runtime::Secret::new(url)).await;
            let url = local_stack::test::Postgres::shared().database("core", migrate).await;
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let tenant = "SET portcullis.tenant_id = '00000000-0000-0000-0000-000000000001'";
            connection.execute(tenant).await.unwrap();
            connection
        });
        Mutex::new((runtime, connection))
    });
    let mut held = DATABASE.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, connection) = &mut *held;
    let mut query = QueryBuilder::new("EXPLAIN SELECT FROM ");
    query.push(layout.table).push(" WHERE ").push(layout.alias());
    query
        .push(".tenant_id = ")
        .push_bind(uuid::Uuid::from_u128(1))
        .push(" AND ");
    predicate.push(&mut query);
    let plan = runtime
        .block_on(query.build().fetch_all(connection))
        .unwrap_or_else(|error| panic!("{predicate}: {error}"));
    assert!(!plan.is_empty());
}

#[test]
fn key_columns_answer_with_their_index() {
    check(
        &compare("userName", Eq, json!("ÉVA@Ex")),
        "u.user_name_key = $1",
        &["éva@ex"],
    );
    check(
        &compare("userName", Sw, json!("Ann")),
        "(u.user_name_key >= $1 AND u.user_name_key < $2)",
        &["ann", "ano"],
    );
    check(
        &compare("userName", Ne, json!("a")),
        "u.user_name_key IS DISTINCT FROM $1",
        &["a"],
    );
    check(
        &compare("userName", Co, json!("%_")),
        "strpos(u.user_name_key, $1) > 0",
        &["%_"],
    );
    check(
        &compare("userName", Ew, json!("@Ex")),
        "right(u.user_name_key, length($1)) = $2",
        &["@ex", "@ex"],
    );
    check(&compare("userName", Ge, json!("M")), "u.user_name_key >= $1", &["m"]);
    check(&compare("externalId", Eq, json!("AbC")), "u.external_id = $1", &["AbC"]);
    check(&pr("externalId"), "u.external_id IS NOT NULL", &[]);
    check(&compare("active", Eq, json!(false)), "u.active = $1", &["false"]);
    check(
        &compare("active", Ne, json!(true)),
        "u.active IS DISTINCT FROM $1",
        &["true"],
    );
}

#[test]
fn id_and_meta_compare_exactly() {
    let id = "0192f0c1-2b3c-4d5e-8f60-718293a4b5c6";
    check(&compare("id", Eq, json!(id)), "u.user_id = $1", &[id]);
    check(&compare("id", Eq, json!(id.to_uppercase())), "false", &[]);
    check(&compare("id", Eq, json!("nobody")), "false", &[]);
    check(&compare("id", Ne, json!("nobody")), "((false) IS NOT TRUE)", &[]);
    check(
        &compare("id", Sw, json!("0192")),
        "((u.user_id::text COLLATE \"C\") >= $1 AND (u.user_id::text COLLATE \"C\") < $2)",
        &["0192", "0193"],
    );
    let instant = "2026-01-31T08:00:00Z";
    for written in [
        "2026-01-31T10:00:00+02:00",
        "2026-01-31T08:00:00",
        "2026-01-31T08:00:00.000Z",
    ] {
        check(
            &compare("meta.created", Lt, json!(written)),
            "u.created_at < $1",
            &[instant],
        );
    }
    check(
        &compare("meta.lastModified", Gt, json!(instant)),
        "u.last_modified_at > $1",
        &[instant],
    );
    check(&compare("meta.resourceType", Eq, json!("User")), "true", &[]);
    check(&compare("meta.resourceType", Eq, json!("user")), "false", &[]);
    check(
        &compare("meta.version", Eq, json!("W/\"3\"")),
        "('W/\"' || u.version || '\"' COLLATE \"C\") = $1",
        &["W/\"3\""],
    );
    check(
        &compare("schemas", Eq, json!(ENTERPRISE_URN)),
        &format!("(false OR ((u.keys -> '{ENTERPRISE_URN}') IS NOT NULL AND true))"),
        &[],
    );
}

const BY_VALUE: &str =
    "SELECT v.user_id FROM user_value v WHERE v.tenant_id = current_setting('portcullis.tenant_id')::uuid";

#[test]
fn searchable_values_start_from_their_index() {
    let work = |value: Filter| in_values("emails", vec![compare("type", Eq, json!("Work")), value]);
    check(
        &work(compare("value", Eq, json!("A@B"))),
        &format!("u.user_id = ANY (ARRAY({BY_VALUE} AND v.path = 'emails' AND v.value_key = $1 AND v.type_key = $2))"),
        &["a@b", "work"],
    );
    check(
        &compare("phoneNumbers.value", Eq, json!("+1")),
        &format!("u.user_id = ANY (ARRAY({BY_VALUE} AND v.path = 'phoneNumbers' AND v.value_key = $1))"),
        &["+1"],
    );
    check(
        &in_values("emails", vec![compare("value", Sw, json!("a"))]),
        &format!("u.user_id IN ({BY_VALUE} AND v.path = 'emails' AND (v.value_key >= $1 AND v.value_key < $2))"),
        &["a", "b"],
    );
    check(
        &compare("displayName", Eq, json!("Ann B")),
        &format!("u.user_id = ANY (ARRAY({BY_VALUE} AND v.path = 'displayName' AND v.value_key = $1))"),
        &["ann b"],
    );
    check(
        &Filter::not(compare("displayName", Eq, json!("Ann"))),
        "(((u.keys ->> 'displayName') COLLATE \"C\" = $1) IS NOT TRUE)",
        &["ann"],
    );
    check(
        &compare("displayName", Co, json!("nn")),
        "strpos((u.keys ->> 'displayName'), $1) > 0",
        &["nn"],
    );
}

#[test]
fn the_document_answers_the_rest() {
    check(
        &compare("name.familyName", Eq, json!("Ångström")),
        "(u.keys -> 'name' ->> 'familyName') COLLATE \"C\" = $1",
        &["ångström"],
    );
    check(
        &compare("title", Sw, json!("Dr")),
        "starts_with((u.keys ->> 'title'), $1)",
        &["dr"],
    );
    check(
        &compare("title", Ew, json!("r")),
        "right((u.keys ->> 'title'), length($1)) = $2",
        &["r", "r"],
    );
    check(
        &compare("title", Eq, Json::Null),
        "(((u.keys ->> 'title') IS NOT NULL) IS NOT TRUE)",
        &[],
    );
    check(
        &compare("title", Ne, Json::Null),
        "(u.keys ->> 'title') IS NOT NULL",
        &[],
    );
    check(
        &compare("locale", Le, json!("de")),
        "(u.keys ->> 'locale') COLLATE \"C\" <= $1",
        &["de"],
    );
    check(&pr("name"), "(u.keys -> 'name') IS NOT NULL", &[]);
    check(&pr("emails"), "(u.keys -> 'emails') IS NOT NULL", &[]);
    check(
        &compare(&enterprise("manager.value"), Eq, json!("M-1")),
        &format!("(u.keys -> '{ENTERPRISE_URN}' -> 'manager' ->> 'value') COLLATE \"C\" = $1"),
        &["M-1"],
    );
    check(
        &pr(&enterprise("department")),
        &format!("(u.keys -> '{ENTERPRISE_URN}' ->> 'department') IS NOT NULL"),
        &[],
    );
}

#[test]
fn one_element_satisfies_a_value_filter() {
    check(
        &in_values(
            "emails",
            vec![compare("type", Eq, json!("work")), compare("value", Co, json!("@b"))],
        ),
        "EXISTS (SELECT FROM jsonb_array_elements(u.keys -> 'emails') AS e (value) WHERE \
         ((e.value ->> 'type') COLLATE \"C\" = $1 AND strpos((e.value ->> 'value'), $2) > 0))",
        &["work", "@b"],
    );
    check(
        &compare("emails.type", Ne, json!("work")),
        "((u.keys -> 'emails') IS NULL OR EXISTS (SELECT FROM jsonb_array_elements(u.keys -> 'emails') AS e (value) WHERE \
         (e.value ->> 'type') COLLATE \"C\" IS DISTINCT FROM $1))",
        &["work"],
    );
    check(
        &in_values("roles", vec![compare("primary", Eq, json!(false))]),
        "EXISTS (SELECT FROM jsonb_array_elements(u.keys -> 'roles') AS e (value) WHERE \
         coalesce((e.value ->> 'primary')::boolean, false) = $1)",
        &["false"],
    );
}

#[test]
fn logic_nests_in_parentheses() {
    let filter = Filter::or(vec![
        Filter::and(vec![pr("title"), Filter::not(compare("active", Eq, json!(true)))]),
        compare("userName", Eq, json!("a")),
    ]);
    check(
        &filter,
        "(((u.keys ->> 'title') IS NOT NULL AND ((u.active = $1) IS NOT TRUE)) OR u.user_name_key = $2)",
        &["true", "a"],
    );
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let empty_list = Filter {
        expression: Some(Expression::Or(FilterList::default())),
    };
    let deep = (0..40).fold(pr("title"), |filter, _| Filter::not(filter));
    for (filter, expect) in [
        (pr("shoeSize"), "shoeSize"),
        (pr("username"), "username"),
        (pr("emails.shoe"), "emails.shoe"),
        (pr(&enterprise("")), "whole schema"),
        (compare("password", Eq, json!("x")), "password"),
        (pr("password"), "password"),
        (pr("groups"), "groups"),
        (compare("meta.location", Sw, json!("h")), "meta.location"),
        (compare("name", Eq, json!("x")), "name.formatted"),
        (compare("emails", Eq, json!("x")), "emails.value"),
        (compare("userName", Eq, json!(5)), "userName is compared with text"),
        (compare("userName", Gt, Json::Null), "null"),
        (compare("userName", Operator::Unspecified, json!("a")), "userName"),
        (compare("userName", Eq, json!("a\0b")), "NUL"),
        (compare("active", Eq, json!("true")), "quotation marks"),
        (compare("active", Gt, json!(true)), "active"),
        (compare("meta.created", Eq, json!("yesterday")), "meta.created"),
        (compare("meta.created", Gt, json!("2026-01-31")), "meta.created"),
        (
            compare("meta.created", Co, json!("2026-01-31T08:00:00Z")),
            "meta.created",
        ),
        (
            compare("x509Certificates.value", Lt, json!("MII")),
            "x509Certificates.value",
        ),
        (in_values("name", vec![compare("familyName", Eq, json!("x"))]), "name"),
        (
            in_values("emails", vec![in_values("emails", vec![pr("value")])]),
            "inside a value filter",
        ),
        (in_values("emails", vec![pr("emails.value")]), "emails"),
        (
            in_values("emails", vec![compare("primary", Sw, json!(true))]),
            "emails.primary",
        ),
        (empty_list, "empty"),
        (Filter::default(), "empty"),
        (deep, "nest 32 deep"),
    ] {
        let error = compile(&USERS, &filter).unwrap_err();
        assert_eq!(error.reason, ErrorReason::InvalidFilter, "{filter}");
        assert!(error.message.contains(expect), "{filter}: {}", error.message);
    }
}

/// The client's text never becomes SQL, whatever it holds.
#[test]
fn values_reach_sql_only_as_binds() {
    let attack = "x') OR 1=1; --$1";
    for operator in [Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le] {
        for name in [
            "userName",
            "externalId",
            "id",
            "displayName",
            "emails.value",
            "title",
            "meta.version",
            "meta.resourceType",
        ] {
            let sql = compile(&USERS, &compare(name, operator, json!(attack)))
                .unwrap()
                .to_string();
            assert!(!sql.contains("1=1"), "{sql}");
        }
    }
}

mod meaning {
    use proptest::prelude::*;

    use super::*;

    fn user() -> Json {
        json!({
            "id": "7f1c", "userName": "Ann@Ex.test", "externalId": "E-1", "active": true,
            "meta": {"created": "2026-01-31T08:00:00Z", "resourceType": "User"},
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "name": {"familyName": "Österreicher"},
            "emails": [{"value": "a@work.test", "type": "work", "primary": true}, {"value": "a@home.test", "type": "home"}],
            "roles": [],
        })
    }

    #[test]
    fn a_filter_means_what_the_rfc_says() {
        let both = |inner: &dyn Fn(&str) -> String| {
            vec![
                compare(&inner("type"), Eq, json!("work")),
                compare(&inner("value"), Co, json!("@home")),
            ]
        };
        let user = user();
        for (filter, expect) in [
            (compare("userName", Eq, json!("ann@ex.TEST")), true),
            (compare("externalId", Eq, json!("e-1")), false),
            (compare("name.familyName", Sw, json!("ÖSTER")), true),
            (compare("title", Ne, json!("x")), true),
            (compare("title", Eq, Json::Null), true),
            (compare("userName", Ne, Json::Null), true),
            (pr("title"), false),
            (pr("roles"), false),
            (pr("emails"), true),
            (Filter::and(both(&|sub| format!("emails.{sub}"))), true),
            (in_values("emails", both(&str::to_owned)), false),
            (compare("emails.type", Ne, json!("work")), true),
            (compare("roles.value", Ne, json!("x")), true),
            (compare("roles.value", Eq, json!("x")), false),
            (in_values("roles", vec![compare("value", Ne, json!("x"))]), false),
            (
                in_values(
                    "emails",
                    vec![compare("primary", Eq, json!(false)), compare("type", Eq, json!("home"))],
                ),
                true,
            ),
            (compare("meta.created", Eq, json!("2026-01-31T09:00:00+01:00")), true),
            (compare("meta.created", Gt, json!("2026-01-31T08:00:00Z")), false),
        ] {
            assert_eq!(
                matches(&USER, &filter, user.as_object().unwrap()).unwrap(),
                expect,
                "{filter}"
            );
        }
    }

    fn leaf() -> impl Strategy<Value = Filter> {
        let name = prop::sample::select(vec![
            "userName",
            "title",
            "externalId",
            "emails.type",
            "roles.value",
            "name.familyName",
        ]);
        let operator = prop::sample::select(vec![Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le]);
        let value = prop::sample::select(vec!["", "a", "work", "E-1", "österreicher", "ann@ex.test"]);
        prop_oneof![
            (name.clone(), operator, value).prop_map(|(name, operator, value)| compare(name, operator, json!(value))),
            name.prop_map(pr),
        ]
    }

    fn filter() -> impl Strategy<Value = Filter> {
        leaf().prop_recursive(4, 24, 4, |inner| {
            let some = prop::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                some.clone().prop_map(Filter::and),
                some.prop_map(Filter::or),
                inner.prop_map(Filter::not)
            ]
        })
    }

    proptest! {
        #[test]
        fn not_is_the_opposite(filter in filter()) {
            let user = user();
            let holds = |filter: &Filter| matches(&USER, filter, user.as_object().unwrap()).unwrap();
            prop_assert_eq!(holds(&Filter::not(filter.clone())), !holds(&filter));
        }

        #[test]
        fn a_comparison_and_its_opposite_split_single_values(value in "[A-Za-z@.]{0,6}") {
            let user = user();
            let holds = |operator| matches(&USER, &compare("userName", operator, json!(value)), user.as_object().unwrap()).unwrap();
            prop_assert_ne!(holds(Eq), holds(Ne));
            prop_assert_ne!(holds(Gt), holds(Le));
            prop_assert_ne!(holds(Ge), holds(Lt));
            prop_assert_eq!(holds(Ge), holds(Gt) || holds(Eq));
        }
    }
}
