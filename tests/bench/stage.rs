//! Where it is played: a PostgreSQL and a Redis of our own, as durable as real ones, the system on them, and a copy of
//! its database in the same PostgreSQL, in which the limits are measured. In the copy no relay follows the events, and
//! what limits write does not grow the system's tables.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::measure::statement::{self, Statement};
use e2e::system::{Place, System};
use identity_proto::identity::v1::{CreateTenantRequest, CreateTokenRequest};
use local_stack::{Postgres, Redis, postgres, redis};

use crate::cpu::Processes;
use crate::psql::Psql;

/// The system's database, and the one in which limits are measured.
pub const DATABASE: &str = "portcullis";
pub const LIMITS: &str = "limits";

/// Statements can be counted, and written to a log that a program can read. Both cost nothing while they are off.
const SETTINGS: &str = "
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = top
logging_collector = on
log_destination = 'stderr,jsonlog'
log_directory = 'log'
log_filename = 'server.log'
log_rotation_age = 0
log_rotation_size = 0
";
const LOG: &str = "data/log/server.json";

/// Before the number of the process whose data they are.
const FOLDER: &str = "bench-";

/// How long a setting takes to reach all backends, and a line to reach the log.
const SETTLED: Duration = Duration::from_millis(300);

/// Dropped, everything ends and its data are removed.
pub struct Stage {
    place: Place,
    folder: PathBuf,
    /// Stopped while the database is copied.
    system: Option<System>,
    postgres: Postgres,
    pub redis: Redis,
    pub sql: Psql,
    pub tenant: Tenant,
}

/// Whose users they are, and with which token they are asked for.
pub struct Tenant {
    pub id: String,
    token: String,
}

/// Where requests go, and what all of them have.
pub struct Target {
    pub host: String,
    /// The path before the resource.
    pub base: String,
    /// Lines.
    pub head: String,
    pub sessions: String,
    pub service_key: String,
}

impl Stage {
    /// Starts everything and makes a tenant.
    pub async fn set(place: Place) -> Result<Self> {
        sweep(Path::new(place.scratch));
        let folder = Path::new(place.scratch).join(format!("{FOLDER}{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let home = folder.join("postgres");
        Postgres::init(&home)?;
        OpenOptions::new()
            .append(true)
            .open(home.join("data/postgresql.conf"))?
            .write_all(SETTINGS.as_bytes())?;
        let mut postgres = Postgres::start(&home, &postgres::Options::default())
            .context("pg_stat_statements comes with Debian's postgresql package, elsewhere with postgresql-contrib")?;
        postgres.create_database(DATABASE)?;
        let sql = Psql::new(&home, postgres.port())?;
        sql.run(DATABASE, "CREATE EXTENSION pg_stat_statements")?;
        let redis = Redis::start(&folder.join("redis"), &redis::Options::default())?;
        let system = start(place, &mut postgres, &redis);
        let tenant = Tenant::create(&system).await?;
        Ok(Stage {
            place,
            folder,
            system: Some(system),
            postgres,
            redis,
            sql,
            tenant,
        })
    }

    pub fn system(&self) -> &System {
        self.system
            .as_ref()
            .expect("it runs, except while the database is copied")
    }

    /// Stops the system, for what needs its database alone.
    pub fn stop_system(&mut self) {
        self.system = None;
    }

    /// Copies the database, and starts the system again.
    pub fn copy_and_start(&mut self) -> Result<()> {
        let drop = format!("DROP DATABASE IF EXISTS {LIMITS} WITH (FORCE)");
        self.sql.run("postgres", &drop)?;
        let copy = format!("CREATE DATABASE {LIMITS} TEMPLATE {DATABASE} STRATEGY file_copy");
        self.sql.run("postgres", &copy)?;
        self.system = Some(start(self.place, &mut self.postgres, &self.redis));
        Ok(())
    }

    pub fn target(&self) -> Target {
        let description = self.system().description();
        let url = description.scim_url.trim_start_matches("http://");
        let (host, path) = url.split_once('/').unwrap_or((url, ""));
        Target {
            host: host.to_owned(),
            base: format!("/{path}"),
            head: format!(
                "host: {host}\r\nauthorization: Bearer {}\r\naccept: application/scim+json\r\n",
                self.tenant.token
            ),
            sessions: description.session_grpc.clone(),
            service_key: description.service_key.clone(),
        }
    }

    pub fn processes(&mut self) -> Processes {
        let pids = self.system().description().pids.clone();
        Processes {
            edge: pids.scim_edge,
            core: pids.identity_core,
            sessions: pids.session_service,
            postgres: self.postgres.process().pid(),
            redis: self.redis.process().pid(),
        }
    }

    /// What PostgreSQL is sent for this tenant while `request` runs.
    pub async fn statements_of<T>(&self, request: impl Future<Output = Result<T>>) -> Result<(T, Vec<Statement>)> {
        let reload = "SELECT pg_reload_conf()";
        self.sql.run("postgres", "ALTER SYSTEM SET log_statement = 'all'")?;
        self.sql.run("postgres", reload)?;
        tokio::time::sleep(SETTLED).await;
        let before = self.log()?.len();
        let answer = request.await;
        tokio::time::sleep(SETTLED).await;
        let log = self.log()?;
        self.sql.run("postgres", "ALTER SYSTEM RESET log_statement")?;
        self.sql.run("postgres", reload)?;
        let marker = format!("portcullis.tenant_id = '{}'", self.tenant.id);
        Ok((answer?, statement::after_marker(&log[before..], &marker)))
    }

    /// A file that goes with the rest.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn log(&self) -> Result<String> {
        fs::read_to_string(self.folder.join("postgres").join(LOG)).context("PostgreSQL's log cannot be read")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop_system();
        remove(&self.folder);
    }
}

impl Tenant {
    async fn create(system: &System) -> Result<Self> {
        let grpc = system.grpc();
        let request = CreateTenantRequest {
            name: "bench".to_owned(),
            ..Default::default()
        };
        let tenant = grpc.tenants().create_tenant(request).await?.into_inner();
        let request = CreateTokenRequest {
            tenant: tenant.name,
            ..Default::default()
        };
        let token = grpc.credentials().create_token(request).await?.into_inner().secret;
        Ok(Tenant { id: tenant.id, token })
    }
}

/// Removes what a killed benchmark left.
fn sweep(scratch: &Path) {
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.parse().ok());
        if owner.is_some_and(|pid| !e2e::processes::runs(pid)) {
            remove(&entry.path());
        }
    }
}

/// Ends what still runs in the servers' folders, too.
fn remove(folder: &Path) {
    for name in ["redis", "postgres"] {
        let _ = local_stack::place::remove(&folder.join(name));
    }
    let _ = fs::remove_dir_all(folder);
}

fn start(place: Place, postgres: &mut Postgres, redis: &Redis) -> System {
    let environment = vec![("DATABASE_URL", postgres.url(DATABASE)), ("REDIS_URL", redis.url())];
    System::start_with(place, environment)
}
