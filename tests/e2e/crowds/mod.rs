//! Groups as large as they come, and many requests at the same moment: nobody is lost, nobody comes twice, and what is cut
//! off does not look whole. Users and members are made in SQL, so that the requests are the work.

mod broken_off;
mod parallel;

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::Tenant;
use e2e::scim::{Scim, send};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const CROWD: usize = 100_000;
/// How long an answer of a crowd may take on a slow machine: a bound, not a promise.
const LONG: Duration = Duration::from_mins(2);

/// The users' ids by their numbers.
fn id(number: usize) -> String {
    format!("01990000-0000-7000-8000-{number:012}")
}

/// Users with the numbers 0 up to but without `users`: their ids.
pub async fn people(database: &str, tenant: &Tenant, users: usize) -> Vec<String> {
    let made = format!(
        "CREATE TEMPORARY TABLE one ON COMMIT DROP AS
        SELECT ('01990000-0000-7000-8000-' || lpad(number::text, 12, '0'))::uuid AS id, names.names
        FROM generate_series(0, {users} - 1) AS number,
             LATERAL (SELECT jsonb_build_object('userName', 'crowd' || number || '@x.test', 'active', true) AS names) AS names;
        INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
        SELECT '{tenant}', id, names, names, clock_timestamp(), clock_timestamp() FROM one;
        INSERT INTO user_access (tenant_id, user_id, epoch, state, changed_xid, changed_at)
        SELECT '{tenant}', id, next_epoch(NULL), 'active', pg_current_xact_id(), clock_timestamp() FROM one;",
        tenant = tenant.id,
    );
    run(database, tenant, &made).await;
    (0..users).map(id).collect()
}

/// The same, of whom the first `members` are members of the group.
async fn fill(database: &str, tenant: &Tenant, users: usize, group: &str, members: usize) {
    people(database, tenant, users).await;
    let last = id(members);
    let joined = format!(
        "INSERT INTO member (tenant_id, group_id, member_id, is_group)
        SELECT tenant_id, '{group}', user_id, false FROM users WHERE tenant_id = '{}' AND user_id < '{last}'",
        tenant.id,
    );
    run(database, tenant, &joined).await;
}

/// Runs statements in a transaction of the tenant: row-level security binds the owner too.
async fn run(database: &str, tenant: &Tenant, statements: &str) {
    let mut database = PgConnection::connect(database).await.expect("PostgreSQL");
    let all = format!(
        "BEGIN; SELECT set_config('portcullis.tenant_id', '{}', true); {statements}; COMMIT",
        tenant.id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(all))
        .execute(&mut database)
        .await
        .expect("rows can be made");
}

/// A new group of the tenant: its id.
async fn group(scim: &Scim) -> String {
    let answer = scim
        .post("/Groups", &json!({"schemas": [GROUP], "displayName": "Crowd"}))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.id()
}

/// Who is in the group, read in one answer. Nobody may be in it twice.
async fn members_of(scim: &Scim, group: &str) -> BTreeSet<String> {
    let path = format!("/Groups/{group}?attributes=members.value");
    let answer = send(scim.request(Method::GET, &path).timeout(LONG)).await;
    assert_eq!(answer.status, 200);
    let members = answer.json["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids = members
        .iter()
        .map(|one| one["value"].as_str().expect("a value").to_owned());
    let ids: BTreeSet<String> = ids.collect();
    assert_eq!(ids.len(), members.len(), "somebody is a member twice");
    ids
}

/// An operation on members.
fn op(op: &str, ids: &[String]) -> Value {
    let values: Vec<_> = ids.iter().map(|id| json!({"value": id})).collect();
    json!({"op": op, "path": "members", "value": values})
}

/// The two sets are one; what differs is told in a few ids.
fn is_exactly(found: &BTreeSet<String>, expect: &BTreeSet<String>) {
    let some = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).take(5).cloned().collect()
    };
    let (missing, extra) = (some(expect, found), some(found, expect));
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{} of {}; missing {missing:?}, too many {extra:?}",
        found.len(),
        expect.len()
    );
}
