//! Several of each service, as processes of the binary under test, on PostgreSQL and Redis servers of their own. Each
//! process can be stopped, killed, frozen and started again at its address. None outlives the test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use local_stack::Process;
use local_stack::process::Signal;
use local_stack::test::{Postgres, Redis};
use uuid::Uuid;

use crate::grpc::Grpc;
use crate::scim::{self, Scim};
use crate::system::{Place, remove, sweep};

const EDGE: &str = "edge-key-of-the-cluster";
const SESSIONS: &str = "sessions-key-of-the-cluster";
const ADMIN: &str = "admin-key-of-the-cluster";
const LOGIN: &str = "login-key-of-the-cluster-0123456789abcdef";

/// How long a process may take to become ready, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);

/// How many of each service there are, and what is set for them beside what they need.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub cores: usize,
    pub sessions: usize,
    pub edges: usize,
    pub core_settings: Vec<(&'static str, String)>,
    pub sessions_settings: Vec<(&'static str, String)>,
    pub edge_settings: Vec<(&'static str, String)>,
}

/// A running cluster.
pub struct Cluster {
    pub cores: Vec<Member>,
    pub sessions: Vec<Member>,
    pub edges: Vec<Member>,
    // After the members: dropped in this order.
    pub postgres: Postgres,
    pub redis: Redis,
    /// PostgreSQL's, with the database that the cores use.
    pub database_url: String,
    folder: PathBuf,
}

/// One process of a service.
pub struct Member {
    /// Its service and number, such as `core-1`.
    pub name: String,
    service: &'static str,
    binary: &'static str,
    address: SocketAddr,
    admin: SocketAddr,
    settings: Vec<(&'static str, String)>,
    log: PathBuf,
    process: Option<Process>,
}

impl Cluster {
    /// Starts servers and services; all cores at once, on an empty database. Answers when every process is ready.
    pub async fn start(place: Place, options: Options) -> Cluster {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep(place.scratch.as_ref());
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dev-{}-cluster-{number}", std::process::id());
        let folder = PathBuf::from(place.scratch).join(name);
        fs::create_dir_all(&folder).expect("a folder for logs can be made");
        let (postgres, redis) = (Postgres::start_fresh(), Redis::start_fresh());
        let database_url = postgres.database("empty", async |_| Ok(())).await;
        let members = |count, service, settings: &dyn Fn() -> Vec<(&'static str, String)>| {
            let member = |number| Member::new(place.binary, service, number, settings(), &folder);
            (0..count).map(member).collect::<Vec<_>>()
        };

        let keys = format!("edge:edge:{EDGE},sessions:sessions:{SESSIONS},test:admin:{ADMIN}");
        let cores = members(options.cores, "core", &|| {
            let mut settings = options.core_settings.clone();
            settings.extend([
                ("DATABASE_URL", database_url.clone()),
                ("REDIS_URL", redis.url()),
                ("PORTCULLIS_SERVICE_KEYS", keys.clone()),
                ("PORTCULLIS_LOGIN_KEY", LOGIN.to_owned()),
                ("PORTCULLIS_DATABASE_POOL_SIZE", "4".to_owned()),
            ]);
            settings
        });
        let core_urls = cores.iter().map(Member::url).collect::<Vec<_>>().join(",");
        let sessions = members(options.sessions, "sessions", &|| {
            let mut settings = options.sessions_settings.clone();
            settings.extend([
                ("REDIS_URL", redis.url()),
                ("PORTCULLIS_CORE_URL", core_urls.clone()),
                ("PORTCULLIS_SERVICE_KEY", SESSIONS.to_owned()),
                ("PORTCULLIS_SERVICE_KEYS", format!("test:admin:{ADMIN}")),
            ]);
            settings
        });
        let edges = members(options.edges, "edge", &|| {
            let mut settings = options.edge_settings.clone();
            settings.extend([
                ("PORTCULLIS_CORE_URL", core_urls.clone()),
                ("PORTCULLIS_SERVICE_KEY", EDGE.to_owned()),
            ]);
            settings
        });
        let mut cluster = Cluster {
            cores,
            sessions,
            edges,
            postgres,
            redis,
            database_url,
            folder,
        };
        for member in cluster.members() {
            member.start();
        }
        for member in cluster.members() {
            member.ready().await;
        }
        cluster
    }

    /// All processes, cores first.
    pub fn members(&mut self) -> impl Iterator<Item = &mut Member> {
        let services = [&mut self.cores, &mut self.sessions, &mut self.edges];
        services.into_iter().flatten()
    }

    /// The internal services' interfaces, at all their addresses, with the administrator's key.
    pub fn grpc(&self) -> Grpc {
        let urls = |members: &[Member]| members.iter().map(Member::url).collect::<Vec<_>>().join(",");
        Grpc::at(&urls(&self.cores), &urls(&self.sessions), ADMIN)
    }

    /// A SCIM client of `base`, an edge or what stands before them.
    pub fn scim(&self, base: &str, token: &str) -> Scim {
        Scim::new(&format!("{base}/scim/v2"), Some(token))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.members().for_each(|member| drop(member.process.take()));
        remove(&self.folder);
    }
}

impl Member {
    fn new(
        binary: &'static str,
        service: &'static str,
        number: usize,
        settings: Vec<(&'static str, String)>,
        folder: &std::path::Path,
    ) -> Self {
        let name = format!("{service}-{number}");
        Member {
            log: folder.join(format!("{name}.log")),
            name,
            service,
            binary,
            address: free_address(),
            admin: free_address(),
            settings,
            process: None,
        }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the same.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its readiness and metrics are.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Starts it, at the address that it always has.
    pub fn start(&mut self) {
        let mut command = Command::new(self.binary);
        // What is set for the tests is no setting of a service.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PORTCULLIS_") {
                command.env_remove(name);
            }
        }
        command
            .args(["serve", self.service, "--listen", &self.address.to_string()])
            .args(["--admin-listen", &self.admin.to_string()])
            .env("PORTCULLIS_PARENT_PID", std::process::id().to_string())
            .env("NO_COLOR", "1")
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        let process = Process::spawn(&self.name, command, Signal::TERM, &self.log).expect("a service can be started");
        self.process = Some(process);
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&mut self) {
        let http = reqwest::Client::new();
        let ready = format!("{}/readyz", self.admin_url());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if scim::try_send(http.get(&ready))
                .await
                .is_ok_and(|answer| answer.status == 200)
            {
                return;
            }
            let ended = self.ended();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{} is not ready ({ended:?}):\n{}",
                self.name,
                self.log()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal).expect("a process can be signalled");
        }
    }

    /// Its exit code once it has ended; -1 when a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self
            .process
            .as_mut()?
            .ended()
            .expect("a process can be asked for its end");
        status.map(|status| status.code().unwrap_or(-1))
    }

    /// Waits until it ends: its exit code.
    pub async fn end(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(code) = self.ended() {
                self.process = None;
                return code;
            }
            assert!(Instant::now() < deadline, "{} does not end:\n{}", self.name, self.log());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks it to stop, and waits: its exit code.
    pub async fn stop(&mut self) -> i32 {
        self.signal(Signal::TERM);
        self.end().await
    }

    /// All that it has logged, over all its starts.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// A port to come back to: below those that the kernel gives to whoever asks for any.
fn free_address() -> SocketAddr {
    loop {
        let [high, low, ..] = Uuid::new_v4().into_bytes();
        let port = 20_000 + u16::from_be_bytes([high, low]) % 12_000;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr().expect("a bound socket has an address");
        }
    }
}
