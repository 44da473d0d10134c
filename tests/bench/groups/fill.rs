//! Groups of many members, made in SQL of one that the system made, without their events. They are compared with another
//! that the system made.

use anyhow::Result;

use crate::data::{Data, FIRST, GROUP, ID, id};
use crate::fill::{Form, id_in};
use crate::load;
use crate::requests;
use crate::stage::{DATABASE, Stage};

const GROUPS: Form = Form {
    resources: "groups",
    tables: &["groups", "member"],
    id: "group_id",
};

/// Members of the model, and of the group that is compared.
const MODEL: [u64; 3] = [FIRST, FIRST + 1, FIRST + 2];
const COMPARED: u64 = GROUP + 99;

/// Makes groups of these numbers and sizes, and copies the database. What PostgreSQL knows of members was gathered before,
/// when there were few, and it gathers nothing until [`settle`].
pub async fn make(stage: &mut Stage, data: &Data, groups: &[(u64, u32)]) -> Result<()> {
    let (model, model_id) = create(stage, data).await?;
    let (other, other_id) = create(stage, data).await?;
    stage.stop_system();
    stage.sql.run(
        DATABASE,
        "ALTER TABLE groups SET (autovacuum_enabled = off);
         ALTER TABLE member SET (autovacuum_enabled = off);
         ANALYZE groups, member;",
    )?;
    let rows = groups.iter().copied().chain([(COMPARED, 3)]);
    let rows: Vec<String> = rows.map(|(number, size)| format!("({number}, {size})")).collect();
    let made = of_model(&stage.tenant.id, model, &model_id, &rows.join(", "));
    stage.sql.run(DATABASE, &made)?;
    GROUPS.check(stage, (COMPARED, &id(COMPARED)), (other, &other_id))?;
    stage.sql.run(DATABASE, "CHECKPOINT")?;
    stage.copy_and_start()
}

/// Statistics as they are, and no work left over.
pub fn settle(stage: &mut Stage) -> Result<()> {
    stage.stop_system();
    stage.sql.run(
        DATABASE,
        "ALTER TABLE groups RESET (autovacuum_enabled); ALTER TABLE member RESET (autovacuum_enabled);",
    )?;
    stage.sql.run(DATABASE, "VACUUM (ANALYZE)")?;
    stage.sql.run(DATABASE, "CHECKPOINT")?;
    stage.copy_and_start()
}

/// A group of the system's own making: number and id.
async fn create(stage: &Stage, data: &Data) -> Result<(u64, String)> {
    let number = data.model();
    let request = requests::create_group(number, &MODEL);
    let body = load::once(&stage.target(), &request).await?;
    Ok((number, id_in(&body)?))
}

/// Copies of the model with other numbers, and the first users as members. Who they are needs no check, row by row.
fn of_model(tenant: &str, model: u64, model_id: &str, groups: &str) -> String {
    format!(
        "BEGIN;
        CREATE TEMPORARY TABLE one ON COMMIT DROP AS
        SELECT number::text AS number, ('{ID}' || number)::uuid AS group_id, size
        FROM (VALUES {groups}) AS made (number, size);

        INSERT INTO groups (tenant_id, group_id, display_name, display_name_key, external_id, version,
                            created_at, last_modified_at)
        SELECT tenant_id, one.group_id, replace(display_name, '{model}', one.number),
               replace(display_name_key, '{model}', one.number), external_id, version, now.now, now.now
        FROM groups model, one, LATERAL (SELECT clock_timestamp() AS now, one.number) AS now
        WHERE tenant_id = '{tenant}' AND model.group_id = '{model_id}';

        SET LOCAL session_replication_role = replica;
        INSERT INTO member (tenant_id, group_id, member_id, is_group)
        SELECT '{tenant}', one.group_id, ('{ID}' || {FIRST} + place)::uuid, false
        FROM one, generate_series(0, one.size - 1) AS place;
        COMMIT;"
    )
}
