//! One physical connection to one Redis process, the buckets that it holds, and the generations that were agreed for them.
//!
//! The connection never reconnects by itself: a new connection may reach another process, or the same one with older
//! data, so whatever breaks ends the link, and [`super::generation`] makes the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use identity_proto::access::{letter, prefix};
use identity_proto::identity::v1::AccessState;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, Pipeline, RedisError, Script, ServerErrorKind};
use runtime::sabotage::{is_removed, script};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long Redis may take to answer before it counts as down.
const TIMEOUT: Duration = Duration::from_millis(250);

static APPLY: LazyLock<Script> = LazyLock::new(|| Script::new(script("apply.lua", include_str!("apply.lua"))));
static GRANT: LazyLock<Script> = LazyLock::new(|| Script::new(script("grant.lua", include_str!("grant.lua"))));
static GENERATION: LazyLock<Script> =
    LazyLock::new(|| Script::new(script("generation.lua", include_str!("generation.lua"))));

/// What the scripts answer when the bucket is of another generation than the link's.
const OTHER_GENERATION: i64 = -1;

/// What a master of a Cluster answers while a slot moves from it to another.
const MOVING: [ServerErrorKind; 2] = [ServerErrorKind::Ask, ServerErrorKind::TryAgain];

/// The generations of a master's buckets.
pub(super) type Generations = BTreeMap<u8, i64>;

/// A register to move.
#[derive(Clone, Debug)]
pub(super) struct Register {
    pub tenant: Uuid,
    /// `None`: the tenant's own.
    pub user: Option<Uuid>,
    pub epoch: i64,
    pub state: AccessState,
    /// Whether to tell the session services: a change of access is told, an answer to a question is not.
    pub announced: Option<Announcement>,
}

/// Where a change of access came from. Empty texts are unknown.
#[derive(Clone, Debug, Default)]
pub(super) struct Announcement {
    pub request_id: String,
    pub trace_parent: String,
}

/// Redis did not answer, or not as the link expects: the link is over.
#[derive(Debug, thiserror::Error)]
#[error("Redis is out of reach or changed")]
pub(super) struct Lost(#[source] pub Option<RedisError>);

/// Which Redis process this is and what it says of itself.
pub(super) struct Incarnation {
    /// Run id and replication id.
    pub id: String,
    pub master: bool,
}

/// See the module.
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// Names the process that the generations were agreed for.
    pub incarnation: String,
    pub gens: Generations,
    /// Changes of whole tenants, by tenant and outbox id, that these buckets have and that wait for other masters: not
    /// announced again, and no reason to keep leases back here.
    waiting_elsewhere: Mutex<BTreeSet<(Uuid, i64)>>,
    /// Cancelled when the link is over.
    pub over: CancellationToken,
}

/// Opens a connection and loads the scripts.
pub(super) async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    for script in [&APPLY, &GRANT, &GENERATION] {
        script.load_async(&mut connection).await?;
    }
    Ok(connection)
}

/// Asks the process who it is, and what time it is there, in ms.
pub(super) async fn who(connection: &mut MultiplexedConnection) -> Result<(Incarnation, i64), RedisError> {
    let mut pipe = redis::pipe();
    pipe.cmd("TIME")
        .cmd("INFO")
        .arg("server")
        .cmd("INFO")
        .arg("replication");
    let ((seconds, micros), server, replication): ((i64, i64), String, String) = pipe.query_async(connection).await?;
    let id = format!("{}/{}", info(&server, "run_id"), info(&replication, "master_replid"));
    let incarnation = Incarnation {
        id: if is_removed("handshake") { String::new() } else { id },
        master: info(&replication, "role") == "master",
    };
    Ok((incarnation, seconds * 1_000 + micros / 1_000))
}

fn info<'a>(text: &'a str, field: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .unwrap_or_default()
}

/// The generation that each bucket has in Redis; `None` where there is none.
pub(super) async fn read_generations(
    connection: &mut MultiplexedConnection,
    buckets: &[u8],
) -> Result<Vec<Option<i64>>, RedisError> {
    let mut pipe = redis::pipe();
    for bucket in buckets {
        pipe.get(format!("{}:gen", prefix(*bucket)));
    }
    pipe.query_async(connection).await
}

/// Begins generations: (bucket, the one that stood, the new one). Answers which of them began.
pub(super) async fn begin_generations(
    connection: &mut MultiplexedConnection,
    changes: &[(u8, Option<i64>, i64)],
) -> Result<Vec<bool>, RedisError> {
    let mut pipe = redis::pipe();
    for (bucket, stood, new) in changes {
        let stood = stood.map(|number| number.to_string()).unwrap_or_default();
        evalsha(&mut pipe, &GENERATION, *bucket).arg(stood).arg(*new);
    }
    pipe.query_async(connection).await
}

fn evalsha<'a>(pipe: &'a mut Pipeline, script: &Script, bucket: u8) -> &'a mut Pipeline {
    pipe.cmd("EVALSHA").arg(script.get_hash()).arg(1).arg(prefix(bucket))
}

impl redis_topology::Link for Link {
    fn over(&self) -> &CancellationToken {
        &self.over
    }
}

impl Link {
    pub(super) fn new(connection: MultiplexedConnection, incarnation: String, gens: Generations) -> Self {
        Link {
            connection,
            incarnation,
            gens,
            waiting_elsewhere: Mutex::default(),
            over: CancellationToken::new(),
        }
    }

    /// The generation of a bucket; 0 of one that is another master's.
    pub(super) fn generation(&self, bucket: u8) -> i64 {
        self.gens.get(&bucket).copied().unwrap_or(0)
    }

    /// See the field.
    pub(super) fn waiting_elsewhere(&self) -> MutexGuard<'_, BTreeSet<(Uuid, i64)>> {
        self.waiting_elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves registers of the link's buckets, one script a bucket, all in one round trip; leaves those of others alone. Answers
    /// the buckets that were not served, because they are about to move to another master; all others were of the
    /// link's generation. Else the link is over, and some buckets may have been served.
    pub(super) async fn apply(&self, buckets: &BTreeMap<u8, Vec<Register>>) -> Result<Vec<u8>, Lost> {
        let mut pipe = redis::pipe();
        let mut asked = Vec::new();
        for (bucket, registers) in buckets.iter().filter(|(bucket, _)| self.gens.contains_key(bucket)) {
            asked.push(*bucket);
            let pipe = evalsha(&mut pipe, &APPLY, *bucket).arg(self.generation(*bucket));
            for register in registers {
                pipe.arg(register.tenant.simple().to_string())
                    .arg(register.user.map(|user| user.simple().to_string()).unwrap_or_default())
                    .arg(register.epoch)
                    .arg(letter(register.state))
                    .arg(i32::from(register.announced.is_some()));
                let told = register.announced.as_ref();
                pipe.arg(told.map_or("", |told| &told.request_id))
                    .arg(told.map_or("", |told| &told.trace_parent));
            }
        }
        self.not_served(&asked, pipe).await
    }

    /// Renews the leases of these buckets until `deadline` (ms of this Redis's clock). Answers those that were not granted, as
    /// `apply` does.
    pub(super) async fn grant(&self, buckets: &[u8], deadline: i64) -> Result<Vec<u8>, Lost> {
        let mut pipe = redis::pipe();
        for bucket in buckets {
            evalsha(&mut pipe, &GRANT, *bucket)
                .arg(self.generation(*bucket))
                .arg(deadline);
        }
        self.not_served(buckets, pipe).await
    }

    /// This Redis's time in ms, after making sure that it is still the same process and still a master.
    pub(super) async fn time(&self) -> Result<i64, Lost> {
        let (incarnation, now) = who(&mut self.connection.clone())
            .await
            .map_err(|error| self.lose(Some(error)))?;
        if incarnation.master && incarnation.id == self.incarnation {
            return Ok(now);
        }
        Err(self.lose(None))
    }

    /// Ends the link.
    pub(super) fn lose(&self, error: Option<RedisError>) -> Lost {
        self.over.cancel();
        Lost(error)
    }

    /// Sends one script for each of these buckets. While a bucket's slot moves, its master answers with a redirection for what
    /// it has no longer or not yet, and that is no reason to leave the other buckets.
    async fn not_served(&self, buckets: &[u8], mut pipe: Pipeline) -> Result<Vec<u8>, Lost> {
        if buckets.is_empty() {
            return Ok(Vec::new());
        }
        let answers: Vec<Result<i64, RedisError>> = pipe
            .ignore_errors()
            .query_async(&mut self.connection.clone())
            .await
            .map_err(|error| self.lose(Some(error)))?;
        let mut moving = Vec::new();
        for (bucket, answer) in buckets.iter().zip(answers) {
            match answer {
                Ok(OTHER_GENERATION) => return Err(self.lose(None)),
                Ok(_) => {}
                Err(error) if MOVING.iter().any(|kind| error.kind() == ErrorKind::Server(*kind)) => {
                    moving.push(*bucket);
                }
                Err(error) => return Err(self.lose(Some(error))),
            }
        }
        Ok(moving)
    }
}
