//! A tenant of many users with a session each. By SQL and straight into Redis: as many logins would take an hour.

use anyhow::{Context, Result};
use e2e::Tenant;
use identity_proto::access::{bucket, prefix};
use uuid::Uuid;

use crate::calls::User;
use crate::world::World;

/// How many go to Redis in one round trip.
const BATCH: usize = 1_000;
/// Twelve hours, as a real one has.
const LIFE_MS: i64 = 12 * 3_600 * 1_000;

/// Adds so many users like this one to the tenant.
pub async fn gather(world: &World, tenant: &Tenant, model: &User, count: u32) -> Result<()> {
    world.psql(&format!(
        "SET ROLE portcullis_tenant;
         SELECT set_config('portcullis.tenant_id', '{tenant}', false);
         WITH one AS MATERIALIZED (
             SELECT gen_random_uuid() AS user_id, number || '@crowd.test' AS name FROM generate_series(1, {count}) AS number
         ), made AS (
             INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
             SELECT tenant_id, one.user_id, jsonb_set(attributes, '{{userName}}', to_jsonb(one.name)),
                    jsonb_set(keys, '{{userName}}', to_jsonb(one.name)), created_at, last_modified_at
             FROM users AS model, one WHERE tenant_id = '{tenant}' AND model.user_id = '{model}'
         )
         INSERT INTO user_access (tenant_id, user_id, epoch, state, changed_xid, changed_at)
         SELECT tenant_id, one.user_id, epoch, state, pg_current_xact_id(), changed_at
         FROM user_access AS model, one WHERE tenant_id = '{tenant}' AND model.user_id = '{model}'",
        tenant = tenant.id,
        model = model.id,
    ))?;
    sessions(world, tenant.id.parse()?).await
}

/// As `sessions/create.lua` of the session service writes them.
async fn sessions(world: &World, tenant: Uuid) -> Result<()> {
    let mut sql = world.sql().await?;
    let (epoch, now): (i64, i64) = sqlx::query_as(
        "SELECT epoch, (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM tenant_access WHERE tenant_id = $1",
    )
    .bind(tenant)
    .fetch_optional(&mut sql)
    .await?
    .context("the tenant has no access")?;
    let users: Vec<(Uuid, i64)> = sqlx::query_as("SELECT user_id, epoch FROM user_access WHERE tenant_id = $1")
        .bind(tenant)
        .fetch_all(&mut sql)
        .await?;
    let mut registers = world.registers().await?;
    for users in users.chunks(BATCH) {
        let mut pipe = redis::pipe();
        for (user, user_epoch) in users {
            let (prefix, id) = (prefix(bucket(tenant, *user)), Uuid::new_v4().simple());
            let owner = format!("{}:{}", tenant.simple(), user.simple());
            let (session, expires) = (format!("{prefix}:s:{id}"), now + LIFE_MS);
            let fields = [("te", epoch), ("ue", *user_epoch), ("at", now), ("exp", expires)];
            pipe.hset_multiple(&session, &fields).ignore();
            pipe.cmd("PEXPIREAT").arg(&session).arg(expires).ignore();
            pipe.zadd(format!("{prefix}:us:{owner}"), id.to_string(), now).ignore();
            pipe.zadd(format!("{prefix}:users"), owner, 0).ignore();
        }
        pipe.query_async::<()>(&mut registers).await?;
    }
    Ok(())
}
