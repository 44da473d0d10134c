//! Many users, made in SQL of one that the system made. They are compared with another that the system made, and nothing
//! is measured if they are not of one form.

use anyhow::{Context, Result, ensure};
use identity_proto::session::v1::ValidateSessionRequest;
use prost::Message;
use serde_json::Value;

use crate::data::{Data, FIRST, ID, NOBODY, Session, id};
use crate::load;
use crate::requests;
use crate::stage::{DATABASE, Stage};

/// Their users stay active: PATCH turns those of the upper half.
const SESSIONS: u64 = 500;

/// What differs from row to row, whoever writes it.
const OF_THE_ROW: [&str; 10] = [
    "created_at",
    "last_modified_at",
    "changed_at",
    "changed_xid",
    "epoch",
    "event_id",
    "outbox_id",
    "bucket",
    "request_id",
    "trace_parent",
];

/// Brings the tenant to this number of users, all of them active, and copies the database.
pub async fn grow(stage: &mut Stage, data: &mut Data, users: u64) -> Result<()> {
    let (model, model_id) = create(stage, data).await?;
    let (other, other_id) = create(stage, data).await?;
    stage.stop_system();
    let tenant = stage.tenant.id.clone();
    stage.sql.run(DATABASE, &without_created(&tenant, &model_id))?;
    let (from, to) = (FIRST + data.users, FIRST + users - 1);
    stage
        .sql
        .run(DATABASE, &of_model(&tenant, model, &model_id, from, to))?;
    stage.sql.run(DATABASE, &all_active(&tenant))?;
    USERS.check(stage, (to, &id(to)), (other, &other_id))?;
    number_events(stage)?;
    // Statistics, and no work left over from the filling.
    stage.sql.run(DATABASE, "VACUUM (ANALYZE)")?;
    stage.sql.run(DATABASE, "CHECKPOINT")?;
    stage.copy_and_start()?;
    data.grow(users);
    data.sessions = sessions(stage).await?;
    Ok(())
}

/// Numbers the events of what was made, as the core would while it is measured.
pub fn number_events(stage: &Stage) -> Result<()> {
    while stage.sql.run(DATABASE, "SELECT number_events(100000)")?.trim() != "0" {}
    Ok(())
}

/// A user of the system's own making: number and id.
async fn create(stage: &Stage, data: &Data) -> Result<(u64, String)> {
    let number = data.model();
    let request = requests::create(number);
    let body = load::once(&stage.target(), &request).await?;
    Ok((number, id_in(&body)?))
}

/// The id in an answer.
pub fn id_in(body: &str) -> Result<String> {
    let answer: Value = serde_json::from_str(body)?;
    Ok(answer["id"].as_str().context("an answer without an id")?.to_owned())
}

/// Copies of all that there is of the model, with other numbers and ids in its place.
fn of_model(tenant: &str, model: u64, model_id: &str, from: u64, to: u64) -> String {
    format!(
        "BEGIN;
        CREATE TEMPORARY TABLE one ON COMMIT DROP AS
        SELECT number::text AS number, ('{ID}' || number)::uuid AS user_id, gen_random_uuid() AS event_id
        FROM generate_series({from}::bigint, {to}::bigint) AS number;

        INSERT INTO users (tenant_id, user_id, attributes, keys, password_hash, version, created_at, last_modified_at)
        SELECT tenant_id, one.user_id, replace(attributes::text, '{model}', one.number)::jsonb,
               replace(keys::text, '{model}', one.number)::jsonb, password_hash, version, now.now, now.now
        FROM users model, one, LATERAL (SELECT clock_timestamp() AS now, one.number) AS now
        WHERE tenant_id = '{tenant}' AND model.user_id = '{model_id}';

        INSERT INTO user_value (tenant_id, user_id, path, value_key, type_key)
        SELECT tenant_id, one.user_id, path, replace(value_key, '{model}', one.number), type_key
        FROM user_value model, one
        WHERE tenant_id = '{tenant}' AND model.user_id = '{model_id}';

        INSERT INTO user_access (tenant_id, user_id, epoch, state, changed_xid, changed_at)
        SELECT tenant_id, one.user_id, next_epoch(NULL), state, pg_current_xact_id(), clock_timestamp()
        FROM user_access model, one
        WHERE tenant_id = '{tenant}' AND model.user_id = '{model_id}';

        INSERT INTO outbox (tenant_id, event_id, kind, user_id, request_id, trace_parent, body, bucket)
        SELECT tenant_id, one.event_id, kind, one.user_id, request_id, trace_parent,
               decode(replace(replace(replace(encode(body, 'hex'),
                   encode('{model}', 'hex'), encode(one.number::bytea, 'hex')),
                   encode('{model_id}', 'hex'), encode(one.user_id::text::bytea, 'hex')),
                   encode(model.event_id::text::bytea, 'hex'), encode(one.event_id::text::bytea, 'hex')), 'hex'),
               get_byte(sha256(uuid_send(tenant_id) || uuid_send(one.user_id)), 0) % 64
        FROM outbox model, one
        WHERE tenant_id = '{tenant}' AND model.user_id = '{model_id}';
        COMMIT;"
    )
}

/// Users that rounds created: ids in the order of time are higher than all that have a number.
fn without_created(tenant: &str, before: &str) -> String {
    let of = |table: &str| {
        format!(
            "DELETE FROM {table} WHERE tenant_id = '{tenant}' AND user_id > '{ID}{NOBODY}' AND user_id < '{before}';"
        )
    };
    ["user_value", "users", "user_access", "outbox"].map(of).concat()
}

/// Those that rounds of PATCH left inactive.
fn all_active(tenant: &str) -> String {
    format!(
        "UPDATE users SET attributes = jsonb_set(attributes, '{{active}}', 'true'), keys = jsonb_set(keys, '{{active}}', 'true')
        WHERE tenant_id = '{tenant}' AND active IS FALSE;
        SELECT count(move_user_access(tenant_id, user_id, 'active'))
        FROM user_access WHERE tenant_id = '{tenant}' AND state = 'inactive';"
    )
}

/// Which rows tell of a resource.
pub struct Form {
    pub resources: &'static str,
    pub tables: &'static [&'static str],
    pub id: &'static str,
}

const USERS: Form = Form {
    resources: "users",
    tables: &["users", "user_value", "user_access", "outbox"],
    id: "user_id",
};

impl Form {
    /// Refuses what was made in SQL if it differs from what the system made: number and id of each.
    pub fn check(&self, stage: &Stage, made: (u64, &str), wanted: (u64, &str)) -> Result<()> {
        let (made, wanted) = (form(stage, self, made)?, form(stage, self, wanted)?);
        ensure!(
            made == wanted,
            "{} made in SQL differ from those that the system makes:\n{made}\n{wanted}",
            self.resources
        );
        Ok(())
    }
}

/// All rows of a resource, with what differs from one to the next taken out.
fn form(stage: &Stage, form: &Form, (number, id): (u64, &str)) -> Result<String> {
    let tenant = &stage.tenant.id;
    let of = |table: &&str| {
        format!(
            "'{table}', (SELECT jsonb_agg(to_jsonb(row) ORDER BY to_jsonb(row)) FROM {table} AS row
                         WHERE tenant_id = '{tenant}' AND {} = '{id}')",
            form.id
        )
    };
    let tables = form.tables.iter().map(of).collect::<Vec<_>>().join(", ");
    let text = stage
        .sql
        .run(DATABASE, &format!("SELECT jsonb_build_object({tables})"))?;
    let mut rows: Value = serde_json::from_str(&text)?;
    // The id first: there may be the number in it.
    let mut masked = vec![(id.to_owned(), "ID"), (number.to_string(), "NUMBER")];
    if let Some(event) = rows["outbox"][0]["event_id"].as_str() {
        masked.push((event.to_owned(), "EVENT"));
    }
    for row in rows
        .as_object_mut()
        .into_iter()
        .flat_map(|tables| tables.values_mut())
        .filter_map(Value::as_array_mut)
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        for column in OF_THE_ROW {
            if let Some(value) = row.get_mut(column).filter(|value| !value.is_null()) {
                *value = "of the row".into();
            }
        }
    }
    let mut text = rows.to_string();
    for (value, name) in masked {
        let hex = value
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat();
        text = text.replace(&hex, name).replace(&value, name);
    }
    Ok(text)
}

/// A session for each of the first users.
async fn sessions(stage: &Stage) -> Result<Vec<Session>> {
    let tenant = e2e::tenant::Tenant {
        id: stage.tenant.id.clone(),
        name: String::new(),
        scim: stage.system().scim(),
        grpc: stage.system().grpc(),
    };
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        let user = id(FIRST + number);
        let token = tenant.log_in(&user).await?;
        let message = ValidateSessionRequest {
            session_token: token.clone(),
        };
        sessions.push(Session {
            token,
            user,
            request: message.encode_to_vec(),
        });
    }
    Ok(sessions)
}
