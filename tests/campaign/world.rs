//! Two cores, two session services and two edges on PostgreSQL and on Redis with a replica, with a proxy on each way to a
//! server or a core. Everything can be broken, and nothing outlives the program.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::balancer::Balancer;
use e2e::cluster::{Home, Member, Setting, grpc, urls};
use e2e::grpc::Grpc;
use e2e::guards::{Guard, Removal};
use e2e::proxy::{Proxy, Way};
use e2e::scim::Scim;
use e2e::system::{Place, sweep};
use local_stack::process::Environment;
use local_stack::{Postgres, Redis, place};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::random::Random;
use crate::redis_kinds::{self, Other, Registers};

const PLACE: Place = Place {
    binary: env!("CARGO_BIN_EXE_portcullis-under-test"),
    scratch: env!("CARGO_TARGET_TMPDIR"),
};
const DATABASE: &str = "portcullis";

/// See the module.
pub struct World {
    // Before the servers: dropped in this order.
    pub cores: Vec<Member>,
    pub sessions: Vec<Member>,
    pub edges: Vec<Member>,
    pub postgres: Postgres,
    pub redis: Redis,
    pub replica: Redis,
    /// What stands beside or instead of them.
    pub other: Option<Other>,
    /// The folders of both Redis servers; the master's first.
    redis_folders: [PathBuf; 2],
    pub to_postgres: Vec<Proxy>,
    /// The cores' and the session services' ways.
    pub to_redis: Vec<Proxy>,
    pub to_cores: Vec<Proxy>,
    /// The replica's way to its master.
    pub to_master: Proxy,
    balancer: Balancer,
    pub random: Random,
    pub folder: PathBuf,
}

/// What speaks to the system as the world does. Clones share the connections.
#[derive(Clone)]
pub struct Clients {
    /// At all addresses.
    pub all: Grpc,
    /// At all cores and one session service each.
    pub each: Vec<Grpc>,
    balancer: String,
}

impl Clients {
    /// A SCIM client with this token, at whichever edge is ready.
    pub fn scim(&self, token: &str) -> Scim {
        Scim::new(&format!("{}/scim/v2", self.balancer), Some(token))
    }
}

impl World {
    /// Starts everything, `without` one guard if one is named, and answers when every process is ready.
    pub async fn start(seed: u64, without: Option<&Guard>) -> Result<World> {
        // Of campaigns that were killed.
        sweep(PLACE.scratch.as_ref());
        let name = format!("dev-{}-campaign-{}", std::process::id(), Uuid::new_v4().simple());
        let folder = PathBuf::from(PLACE.scratch).join(name);
        fs::create_dir_all(&folder)?;
        let postgres = Postgres::start(&folder.join("postgres"), &postgres_options(0))?;
        postgres.create_database(DATABASE)?;
        let redis_folders = [folder.join("redis-a"), folder.join("redis-b")];
        let redis = Redis::start(&redis_folders[0], &local_stack::redis::Options::default())?;
        let to_master = Proxy::start(loopback(redis.port())).await;
        let replica = Redis::start(&redis_folders[1], &replica_of(&redis, &to_master, 0))?;
        let (to_postgres, to_redis) = (before(postgres.port(), 2).await, before(redis.port(), 4).await);

        let home = Home {
            binary: PLACE.binary,
            folder: folder.clone(),
        };
        let database = |number: usize| through(&postgres.url(DATABASE), postgres.port(), &to_postgres[number]);
        let registers = |number: usize| through(&redis.url(), redis.port(), &to_redis[number]);
        let sabotage = sabotage(&folder, without)?;
        let core = |number| {
            let failpoints = (
                "PORTCULLIS_FAILPOINTS",
                failpoints(&folder, number).display().to_string(),
            );
            let mut settings = sabotage.clone();
            settings.extend(cfg!(feature = "sabotage").then_some(failpoints));
            let mut core = Member::core(&home, number, &database(number), &registers(number), &settings);
            // As many as where nothing is set: what is measured is what is run.
            core.set("PORTCULLIS_DATABASE_POOL_SIZE", Some("16"));
            core
        };
        let cores: Vec<_> = (0..2).map(core).collect();
        let mut to_cores = Vec::new();
        for core in &cores {
            to_cores.push(Proxy::start(core.address()).await);
        }
        let at = |proxy: &Proxy| format!("http://127.0.0.1:{}", proxy.port());
        let core_urls = to_cores.iter().map(at).collect::<Vec<_>>().join(",");
        let session = |number| Member::sessions(&home, number, &registers(2 + number), &core_urls, &sabotage);
        // The balancer looks ten times in this time.
        let stop_delay = [("PORTCULLIS_STOP_DELAY_MS", "500".to_owned())];
        let edge = |number| Member::edge(&home, number, &core_urls, &stop_delay);
        let (sessions, edges): (Vec<_>, Vec<_>) = ((0..2).map(session).collect(), (0..2).map(edge).collect());
        let balancer = Balancer::start(edges.iter().map(|edge| (edge.address(), edge.admin_url()))).await;
        let mut world = World {
            cores,
            sessions,
            edges,
            postgres,
            redis,
            replica,
            other: None,
            redis_folders,
            to_postgres,
            to_redis,
            to_cores,
            to_master,
            balancer,
            random: Random::new(seed),
            folder,
        };
        for member in world.members() {
            member.start();
        }
        world.ready().await;
        if let Some(Removal::Database(statement)) = without.map(|guard| &guard.removed) {
            world.psql(statement)?;
        }
        Ok(world)
    }

    /// Arms failpoints of a core, a line each, in the place of those that were.
    pub fn arm(&self, core: usize, lines: &str) -> Result<()> {
        Ok(fs::write(failpoints(&self.folder, core), lines)?)
    }

    pub fn disarm(&self) {
        for core in 0..self.cores.len() {
            let _ = fs::remove_file(failpoints(&self.folder, core));
        }
    }

    pub fn members(&mut self) -> impl Iterator<Item = &mut Member> {
        let services = [&mut self.cores, &mut self.sessions, &mut self.edges];
        services.into_iter().flatten()
    }

    /// Waits until every process says that it is.
    pub async fn ready(&mut self) {
        for member in self.members() {
            member.ready().await;
        }
    }

    pub fn clients(&self) -> Clients {
        let one = |member: &Member| grpc(&urls(&self.cores), &member.url());
        Clients {
            all: grpc(&urls(&self.cores), &urls(&self.sessions)),
            each: self.sessions.iter().map(one).collect(),
            balancer: self.balancer.url.clone(),
        }
    }

    /// What all members have logged.
    pub fn logs(&mut self) -> Vec<(String, String)> {
        self.members()
            .map(|member| (member.name.clone(), member.log()))
            .collect()
    }

    /// A connection to PostgreSQL past the proxies, as the system role that sees all tenants.
    pub async fn sql(&self) -> Result<PgConnection> {
        let mut connection = PgConnection::connect(&self.postgres.url(DATABASE)).await?;
        sqlx::query("SET ROLE portcullis_system")
            .execute(&mut connection)
            .await?;
        Ok(connection)
    }

    /// Runs statements as the owner.
    pub fn psql(&self, statements: &str) -> Result<String> {
        self.postgres.sql(DATABASE, statements)
    }

    /// A connection to Redis past the proxies.
    pub async fn registers(&self) -> Result<Registers> {
        Registers::of(self).await
    }

    /// Kills PostgreSQL and starts it again.
    pub fn restart_postgres(&mut self, between: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.restart_postgres_with(Environment::new(), between)
    }

    /// The same with variables of its environment.
    pub fn restart_postgres_with(
        &mut self,
        environment: Environment,
        between: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let options = local_stack::postgres::Options {
            environment,
            ..postgres_options(self.postgres.port())
        };
        self.postgres.process().kill()?;
        let folder = self.folder.join("postgres");
        between(&fs::canonicalize(&folder)?)?;
        self.postgres = Postgres::start(&folder, &options)?;
        Ok(())
    }

    /// Kills Redis and starts it again.
    pub fn restart_redis(&mut self, between: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.redis.process().kill()?;
        between(&fs::canonicalize(&self.redis_folders[0])?)?;
        self.redis.start_again()
    }

    /// Where the master keeps its data.
    pub fn redis_folder(&self) -> Result<PathBuf> {
        Ok(fs::canonicalize(&self.redis_folders[0])?)
    }

    /// The replica becomes the master, and everybody is led to it. The old one, which may still live, gets nothing more.
    pub fn fail_over(&mut self) -> Result<()> {
        self.replica.promote()?;
        let address = loopback(self.replica.port());
        self.to_redis.iter().for_each(|proxy| proxy.redirect(address));
        std::mem::swap(&mut self.redis, &mut self.replica);
        self.redis_folders.swap(0, 1);
        Ok(())
    }

    /// The old master comes back as a replica of the new one.
    pub fn follow(&mut self) -> Result<()> {
        let port = self.replica.port();
        self.replica.process().kill()?;
        self.to_master.redirect(loopback(self.redis.port()));
        self.to_master.turn(Way::Open);
        self.replica = Redis::start(&self.redis_folders[1], &replica_of(&self.redis, &self.to_master, port))?;
        Ok(())
    }

    /// Waits until the replica has what the master has. One that is only about to get its first copy is not behind either.
    pub async fn replica_is_up_to_date(&self) -> Result<()> {
        for _ in 0..200 {
            let mut master = self.registers().await?;
            let info: String = redis::cmd("INFO").arg("replication").query_async(&mut master).await?;
            let offset = |field: &str| {
                info.split_once(field)
                    .and_then(|(_, rest)| rest.split([',', '\r']).next())
            };
            let (ours, theirs) = (offset("master_repl_offset:"), offset("slave0:").and(offset("offset=")));
            let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
            if offset("slave0:").and(offset("state=")) == Some("online")
                && let (Some(ours), Some(theirs)) = (number(ours), number(theirs))
                && ours.saturating_sub(theirs) < 20_000
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        anyhow::bail!("the replica does not keep up with its master")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.members().for_each(Member::kill);
        let _ = self.postgres.process().kill();
        let _ = self.redis.process().kill();
        let _ = self.replica.process().kill();
        self.other = None;
        for server in ["postgres", "redis-a", "redis-b", redis_kinds::FOLDER] {
            let _ = place::remove(&self.folder.join(server));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn failpoints(folder: &Path, core: usize) -> PathBuf {
    folder.join(format!("core-{core}.failpoints"))
}

/// What is set for processes without a guard.
fn sabotage(folder: &Path, without: Option<&Guard>) -> Result<Vec<Setting>> {
    let Some(guard) = without else { return Ok(Vec::new()) };
    let scripts = folder.join("scripts");
    fs::create_dir_all(&scripts)?;
    for (file, text) in guard.scripts() {
        fs::write(scripts.join(file), text)?;
    }
    Ok(vec![
        ("PORTCULLIS_SABOTAGE", guard.name.to_owned()),
        ("PORTCULLIS_SABOTAGE_SCRIPTS", scripts.display().to_string()),
    ])
}

/// Copies a folder with its owners, in the place of what is there.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let status = Command::new("cp")
        .arg("-Rp")
        .arg(from)
        .arg(to)
        .status()
        .context("cannot run cp")?;
    ensure!(status.success(), "cannot copy {}", from.display());
    Ok(())
}

async fn before(port: u16, count: usize) -> Vec<Proxy> {
    let mut proxies = Vec::new();
    for _ in 0..count {
        proxies.push(Proxy::start(loopback(port)).await);
    }
    proxies
}

/// A server's URL with the proxy's port.
fn through(url: &str, port: u16, proxy: &Proxy) -> String {
    url.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", proxy.port()))
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn postgres_options(port: u16) -> local_stack::postgres::Options {
    local_stack::postgres::Options {
        port,
        ..Default::default()
    }
}

fn replica_of(master: &Redis, through: &Proxy, port: u16) -> local_stack::redis::Options {
    local_stack::redis::Options {
        port,
        replica_of: Some(master.as_master(through.port())),
        ..Default::default()
    }
}
