//! The filter compiler against a real PostgreSQL: what the SQL finds is what the filter means, and the filters by which
//! identity providers match are read from an index.

#![expect(clippy::unwrap_used, reason = "what a test relies on may panic")]

mod generated;
mod groups;

use identity_core::filter::{USERS, compile, matches};
use identity_core::keys;
use identity_proto::identity::v1::comparison::Operator::Sw;
use identity_proto::identity::v1::{AttributePath, Filter, Value};
use identity_proto::schema::{ENTERPRISE_URN, USER, USER_URN};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use runtime::Secret;
use serde_json::{Map, Value as Json, json};
use sqlx::{Connection, PgConnection, Postgres, QueryBuilder, Row};
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

async fn database() -> PgConnection {
    let migrate = async |url: &str| identity_core::migrate(&Secret::new(url)).await;
    let url = local_stack::test::Postgres::shared().database("core", migrate).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for tenant in [TENANT, OTHER] {
        let insert = sqlx::query("INSERT INTO tenant (tenant_id, name) VALUES ($1, $1::text)").bind(tenant);
        insert.execute(&mut connection).await.unwrap();
    }
    connection
}

/// Fills `user_value` as the core does, and gives the planner its statistics. From here on the connection is what the
/// core's own are: the tenant's role, behind row-level security.
async fn become_tenant(connection: &mut PgConnection) {
    for tenant in [OTHER, TENANT] {
        let set = sqlx::query("SELECT set_config('portcullis.tenant_id', $1, false)").bind(tenant.to_string());
        set.execute(&mut *connection).await.unwrap();
        sqlx::query(SEARCHABLE)
            .bind(tenant)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    sqlx::query("ANALYZE").execute(&mut *connection).await.unwrap();
    sqlx::query("SET ROLE portcullis_tenant")
        .execute(connection)
        .await
        .unwrap();
}

const SEARCHABLE: &str = "INSERT INTO user_value
    SELECT u.tenant_id, u.user_id, path, e.value ->> 'value', e.value ->> 'type'
    FROM users u, unnest(ARRAY['emails', 'phoneNumbers']) AS path, jsonb_array_elements(u.keys -> path) AS e (value)
    WHERE u.tenant_id = $1 AND e.value ? 'value'
    UNION ALL
    SELECT u.tenant_id, u.user_id, 'displayName', u.keys ->> 'displayName', NULL
    FROM users u WHERE u.tenant_id = $1 AND u.keys ? 'displayName'";

fn pruned(json: &Json) -> Json {
    match json {
        Json::Object(map) => {
            let kept = map.iter().filter(|(_, value)| keys::is_assigned(value));
            kept.map(|(name, value)| (name.clone(), pruned(value))).collect()
        }
        Json::Array(values) => values
            .iter()
            .filter(|value| keys::is_assigned(value))
            .map(pruned)
            .collect(),
        other => other.clone(),
    }
}

/// Stores the user and answers its resource, as a client would see it.
async fn store(connection: &mut PgConnection, number: u32, user: &Json) -> Map<String, Json> {
    let Json::Object(mut document) = pruned(user) else {
        panic!("a user is an object")
    };
    let user_name = document["userName"].as_str().unwrap_or_default();
    document.insert("userName".to_owned(), json!(format!("{user_name}{number}")));
    let id = Uuid::from_u128(u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
    let created = format!("2026-01-{:02}T{:02}:00:00Z", 1 + number / 24, number % 24);
    let keys = Json::Object(keys::document(&document));
    // The other tenant's twin must never be found.
    for (tenant, user_id) in [(TENANT, id), (OTHER, Uuid::from_u128(!id.as_u128()))] {
        let insert = "INSERT INTO users (tenant_id, user_id, attributes, keys, version, created_at, last_modified_at)
                      VALUES ($1, $2, $3, $4, $5, $6::timestamptz, $6::timestamptz + interval '1 hour')";
        let insert = sqlx::query(insert)
            .bind(tenant)
            .bind(user_id)
            .bind(Json::Object(document.clone()))
            .bind(&keys);
        insert
            .bind(i64::from(number))
            .bind(&created)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    let mut schemas = vec![USER_URN];
    schemas.extend(document.contains_key(ENTERPRISE_URN).then_some(ENTERPRISE_URN));
    let modified = format!("2026-01-{:02}T{:02}:00:00Z", 1 + (number + 1) / 24, (number + 1) % 24);
    document.insert("schemas".to_owned(), json!(schemas));
    document.insert("id".to_owned(), json!(id));
    let version = format!("W/\"{number}\"");
    let meta = json!({"created": created, "lastModified": modified, "resourceType": "User", "version": version});
    document.insert("meta".to_owned(), meta);
    document
}

fn statement(start: &str, filter: &Filter) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(start);
    query
        .push(" FROM users u WHERE u.tenant_id = ")
        .push_bind(TENANT)
        .push(" AND ");
    compile(&USERS, filter).unwrap().push(&mut query);
    query
}

/// New users and filters in each run; a failure shows the seed, and `PORTCULLIS_SEED=<seed>` repeats it.
fn seed() -> u64 {
    let given = std::env::var("PORTCULLIS_SEED").ok();
    let given = given.map(|seed| seed.parse().expect("PORTCULLIS_SEED is a number"));
    given.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0)
}

fn runner(cases: u32, seed: u64) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = seed.to_le_bytes().repeat(4);
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

#[test]
fn sql_finds_what_the_filter_means() {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut connection = tokio.block_on(database());
    let seed = seed();
    let mut users = runner(1, seed);
    let users: Vec<Map<String, Json>> = (0..60)
        .map(|number| {
            let user = generated::user().new_tree(&mut users).unwrap().current();
            tokio.block_on(store(&mut connection, number, &user))
        })
        .collect();
    tokio.block_on(become_tenant(&mut connection));
    let (mut some, mut none) = (0, 0);
    let connection = std::cell::RefCell::new(connection);
    let counts = std::cell::RefCell::new((&mut some, &mut none));
    let result = runner(4_000, seed).run(&generated::filter(), |filter| {
        let mut query = statement("SELECT u.user_id", &filter);
        let mut connection = connection.borrow_mut();
        let rows = tokio.block_on(query.build_query_scalar::<Uuid>().fetch_all(&mut *connection));
        let mut found: Vec<String> = rows
            .map_err(|error| TestCaseError::fail(error.to_string()))?
            .iter()
            .map(Uuid::to_string)
            .collect();
        let holds = |user: &&Map<String, Json>| matches(&USER, &filter, user).unwrap();
        let mut expect: Vec<String> = users
            .iter()
            .filter(holds)
            .map(|user| user["id"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        expect.sort();
        let (some, none) = &mut *counts.borrow_mut();
        **(if expect.is_empty() { none } else { some }) += 1;
        prop_assert_eq!(found, expect, "{}", filter);
        Ok(())
    });
    if let Err(TestError::Fail(reason, filter)) = result {
        panic!(
            "PORTCULLIS_SEED={seed}: {reason}\n{filter}\n{}",
            compile(&USERS, &filter).unwrap()
        );
    }
    assert!(
        some > 800 && none > 300,
        "filters must find some users and none: {some}, {none}"
    );
}

#[tokio::test]
async fn matching_filters_are_read_from_an_index() {
    let mut connection = database().await;
    for (tenant, count) in [(TENANT, 20_000), (OTHER, 1_000)] {
        let fill = "INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
            SELECT $1, gen_random_uuid(), document, document, now(), now() FROM (
                SELECT jsonb_build_object('userName', 'u' || n, 'active', true, 'externalId', 'e' || n,
                    'displayName', 'person ' || n, 'emails', jsonb_build_array(
                        jsonb_build_object('value', 'u' || n || '@work', 'type', 'work'),
                        jsonb_build_object('value', 'u' || n || '@home', 'type', 'home'))) AS document
                FROM generate_series(1, $2) AS n) AS made";
        sqlx::query(fill)
            .bind(tenant)
            .bind(count)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    become_tenant(&mut connection).await;

    let at = |attribute: &str, sub: &str| AttributePath::core(attribute).with_sub(sub);
    let text = |operator, path: AttributePath, text: &str| Filter::compare(path, operator, Value::from(json!(text)));
    let work = Filter::and(vec![
        Filter::eq(at("type", ""), "work"),
        Filter::eq(at("value", ""), "u7@work"),
    ]);
    let by_email = Filter::eq(at("emails", "value"), "u7@home");
    let by_name = Filter::eq(at("userName", ""), "U7");
    let user_value = &["user_value_by_value"][..];
    for (filter, indexes, condition) in [
        (by_name.clone(), &["users_user_name_key"][..], "user_name_key = "),
        (
            text(Sw, at("userName", ""), "U777"),
            &["users_user_name_key"],
            "user_name_key >= ",
        ),
        (
            Filter::eq(at("externalId", ""), "e7"),
            &["users_external_id"],
            "external_id = ",
        ),
        (Filter::value_path(at("emails", ""), work), user_value, "type_key = "),
        (by_email.clone(), user_value, "value_key = "),
        (text(Sw, at("emails", "value"), "u777"), user_value, "value_key >= "),
        (
            Filter::eq(at("displayName", ""), "Person 7"),
            user_value,
            "value_key = ",
        ),
        (
            Filter::or(vec![by_name, by_email]),
            &["users_user_name_key", "user_value_by_value", "users_pkey"],
            "value_key = ",
        ),
    ] {
        let mut query = statement("EXPLAIN (COSTS OFF) SELECT u.user_id", &filter);
        let rows = query.build().fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        for index in indexes {
            assert!(plan.contains(index), "{filter}\n{plan}");
        }
        let read_by = |line: &str| line.contains("Index Cond") && line.contains(condition);
        assert!(
            plan.lines().any(read_by) && !plan.contains("Seq Scan"),
            "{filter}\n{plan}"
        );
        let mut query = statement("SELECT count(*)", &filter);
        let found: i64 = query.build_query_scalar().fetch_one(&mut connection).await.unwrap();
        assert!(found >= 1, "{filter} finds nobody");
    }
}
