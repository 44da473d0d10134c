//! The same of groups: every filter of a set over a few groups, and the plans of those that identity providers send.

use identity_core::filter::GROUPS;
use identity_proto::identity::v1::comparison::Operator::{self, Co, Eq, Ew, Gt, Ne};
use identity_proto::schema::{GROUP, GROUP_URN};

use super::*;

/// User `n` and group `n`.
fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128((kind << 64 | number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

fn user(number: u128) -> Uuid {
    id(1, number)
}

fn group(number: u128) -> Uuid {
    id(2, number)
}

/// Group `n` of seven holds the users and the groups whose number its own has as a bit, and so does its twin elsewhere.
async fn fill(connection: &mut PgConnection) -> Vec<Map<String, Json>> {
    let mut resources = Vec::new();
    for tenant in [OTHER, TENANT] {
        let set = sqlx::query("SELECT set_config('portcullis.tenant_id', $1, false)").bind(tenant.to_string());
        set.execute(&mut *connection).await.unwrap();
        for number in 0..3 {
            let insert = "INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
                SELECT $1, $2, document, document, now(), now() FROM jsonb_build_object('userName', $2::text) AS document";
            sqlx::query(insert)
                .bind(tenant)
                .bind(user(number))
                .execute(&mut *connection)
                .await
                .unwrap();
        }
        for number in 0..8 {
            let insert =
                "INSERT INTO groups (tenant_id, group_id, display_name, display_name_key, external_id, version,
                    created_at, last_modified_at)
                VALUES ($1, $2, $3, lower($3), CASE WHEN $4 > 4 THEN 'X' || $4 END, $4, '2026-01-01', '2026-01-02')";
            let insert = sqlx::query(insert)
                .bind(tenant)
                .bind(group(number))
                .bind(format!("Group {}", number % 3));
            insert
                .bind(i64::try_from(number).unwrap())
                .execute(&mut *connection)
                .await
                .unwrap();
        }
        for number in 0..8 {
            let bits = (0..3).filter(|bit| number & (1 << bit) != 0);
            let members = bits.map(|bit| if bit < 2 { (user(bit), false) } else { (group(1), true) });
            let members: Vec<_> = members.collect();
            for (member, is_group) in &members {
                let insert = "INSERT INTO member (tenant_id, group_id, member_id, is_group) VALUES ($1, $2, $3, $4)";
                let insert = sqlx::query(insert)
                    .bind(tenant)
                    .bind(group(number))
                    .bind(member)
                    .bind(is_group);
                insert.execute(&mut *connection).await.unwrap();
            }
            let member =
                |(id, is_group): &(Uuid, bool)| json!({"value": id, "type": if *is_group { "Group" } else { "User" }});
            let mut resource = json!({
                "schemas": [GROUP_URN], "id": group(number), "displayName": format!("Group {}", number % 3),
                "members": members.iter().map(member).collect::<Vec<_>>(),
                "meta": {"resourceType": "Group", "created": "2026-01-01T00:00:00Z", "lastModified": "2026-01-02T00:00:00Z",
                         "version": format!("W/\"{number}\"")},
            });
            if number > 4 {
                resource["externalId"] = json!(format!("X{number}"));
            }
            if tenant == TENANT {
                resources.push(resource.as_object().unwrap().clone());
            }
        }
    }
    connection_of_tenant(connection).await;
    resources
}

async fn connection_of_tenant(connection: &mut PgConnection) {
    sqlx::query("ANALYZE").execute(&mut *connection).await.unwrap();
    sqlx::query("SET TIME ZONE 'UTC'")
        .execute(&mut *connection)
        .await
        .unwrap();
    sqlx::query("SET ROLE portcullis_tenant")
        .execute(connection)
        .await
        .unwrap();
}

fn statement(start: &str, filter: &Filter) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(start);
    query
        .push(" FROM groups g WHERE g.tenant_id = ")
        .push_bind(TENANT)
        .push(" AND ");
    compile(&GROUPS, filter).unwrap().push(&mut query);
    query
}

fn leaves() -> Vec<Filter> {
    let compare = |attribute: &str, sub: &str, operator: Operator, value: String| {
        let path = AttributePath::core(attribute).with_sub(sub);
        Filter::compare(path, operator, Value::from(json!(value)))
    };
    let mut leaves = vec![
        Filter::present(AttributePath::core("members")),
        Filter::present(AttributePath::core("externalId")),
        Filter::compare(AttributePath::core("externalId"), Eq, Value::from(Json::Null)),
    ];
    for operator in [Eq, Ne, Co, Ew, Gt, Sw] {
        leaves.push(compare("displayName", "", operator, "group 1".to_owned()));
        leaves.push(compare("externalId", "", operator, "X6".to_owned()));
        leaves.push(compare("id", "", operator, group(3).to_string()));
        leaves.push(compare("members", "type", operator, "user".to_owned()));
        leaves.push(compare("meta", "version", operator, "W/\"5\"".to_owned()));
        for member in [
            user(0).to_string(),
            user(1).to_string(),
            group(1).to_string(),
            user(2).to_string(),
            "x".to_owned(),
        ] {
            leaves.push(compare("members", "value", operator, member.clone()));
            let inner = |other: Option<Filter>| {
                let value = compare("value", "", operator, member.clone());
                let all = std::iter::once(value).chain(other).collect();
                Filter::value_path(AttributePath::core("members"), Filter::and(all))
            };
            leaves.push(inner(None));
            leaves.push(inner(Some(compare("type", "", Eq, "Group".to_owned()))));
        }
    }
    leaves
}

#[tokio::test]
async fn sql_finds_the_groups_that_the_filter_means() {
    let mut connection = database().await;
    let resources = fill(&mut connection).await;
    let leaves = leaves();
    let negated: Vec<_> = leaves.iter().cloned().map(Filter::not).collect();
    let pairs = leaves.iter().zip(negated.iter().rev());
    let pairs =
        pairs.flat_map(|(one, other)| [Filter::and, Filter::or].map(|join| join(vec![one.clone(), other.clone()])));
    let all: Vec<_> = leaves.iter().chain(&negated).cloned().chain(pairs).collect();
    let mut some = 0;
    for filter in &all {
        let mut query = statement("SELECT g.group_id::text", filter);
        let mut found: Vec<String> = query.build_query_scalar().fetch_all(&mut connection).await.unwrap();
        let holds = |group: &&Map<String, Json>| matches(&GROUP, filter, group).unwrap();
        let expect = resources
            .iter()
            .filter(holds)
            .map(|group| group["id"].as_str().unwrap().to_owned());
        let mut expect: Vec<String> = expect.collect();
        found.sort();
        expect.sort();
        assert_eq!(found, expect, "{filter}\n{}", compile(&GROUPS, filter).unwrap());
        some += usize::from(!expect.is_empty() && expect.len() < resources.len());
    }
    assert!(
        some > all.len() / 4,
        "most filters must tell groups apart: {some} of {}",
        all.len()
    );
}

#[tokio::test]
async fn filters_on_groups_are_read_from_an_index() {
    let mut connection = database().await;
    let set = sqlx::query("SELECT set_config('portcullis.tenant_id', $1, false)").bind(TENANT.to_string());
    set.execute(&mut connection).await.unwrap();
    let fill = "WITH made AS (
            INSERT INTO groups (tenant_id, group_id, display_name, display_name_key, external_id, created_at, last_modified_at)
            SELECT $1, gen_random_uuid(), 'G' || n, 'g' || n, 'x' || n, now(), now() FROM generate_series(1, 5000) AS n
            RETURNING group_id
        ), one AS (
            INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
            SELECT $1, gen_random_uuid(), document, document, now(), now()
            FROM generate_series(1, 5000) AS n, jsonb_build_object('userName', 'u' || n) AS document
            RETURNING user_id
        )
        INSERT INTO member (tenant_id, group_id, member_id, is_group)
        SELECT $1, made.group_id, one.user_id, false
        FROM (SELECT group_id, row_number() OVER () AS n FROM made) AS made
        JOIN (SELECT user_id, row_number() OVER () AS n FROM one) AS one ON one.n % 500 = made.n % 500";
    sqlx::query(fill).bind(TENANT).execute(&mut connection).await.unwrap();
    let (group, member): (String, String) =
        sqlx::query_as("SELECT group_id::text, member_id::text FROM member LIMIT 1")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    connection_of_tenant(&mut connection).await;
    let at = AttributePath::core;
    let has_member = Filter::eq(at("members").with_sub("value"), member.as_str());
    let is_group = Filter::eq(at("id"), group.as_str());
    let by_value = Filter::value_path(at("members"), Filter::eq(at("value"), member.as_str()));
    for (filter, indexes) in [
        (Filter::eq(at("displayName"), "G7"), &["groups_display_name"][..]),
        (Filter::eq(at("externalId"), "x7"), &["groups_external_id"]),
        (has_member.clone(), &["member_user", "member_group", "groups_pkey"]),
        (by_value, &["member_user", "member_group", "groups_pkey"]),
        (Filter::and(vec![is_group, has_member]), &["member_user", "groups_pkey"]),
    ] {
        let mut query = statement("EXPLAIN (COSTS OFF) SELECT g.group_id", &filter);
        let rows = query.build().fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        let by_index = indexes.iter().all(|index| plan.contains(index));
        assert!(by_index && !plan.contains("Seq Scan"), "{filter}\n{plan}");
        let mut query = statement("SELECT count(*)", &filter);
        let found: i64 = query.build_query_scalar().fetch_one(&mut connection).await.unwrap();
        assert!(found >= 1, "{filter} finds nothing");
    }
}
