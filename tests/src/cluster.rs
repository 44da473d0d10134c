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

/// A variable of a process's environment.
pub type Setting = (&'static str, String);

/// What all members are made of: the binary, and the folder of their logs.
pub struct Home {
    pub binary: &'static str,
    pub folder: PathBuf,
}

/// How many of each service there are, and what is set for them beside what they need.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub cores: usize,
    pub sessions: usize,
    pub edges: usize,
    pub core_settings: Vec<Setting>,
    pub sessions_settings: Vec<Setting>,
    pub edge_settings: Vec<Setting>,
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
    settings: Vec<Setting>,
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
        let home = Home {
            binary: place.binary,
            folder: folder.clone(),
        };
        let cores: Vec<_> = (0..options.cores)
            .map(|number| Member::core(&home, number, &database_url, &redis.url(), &options.core_settings))
            .collect();
        let core_urls = urls(&cores);
        let sessions = (0..options.sessions)
            .map(|number| Member::sessions(&home, number, &redis.url(), &core_urls, &options.sessions_settings))
            .collect();
        let edges = (0..options.edges)
            .map(|number| Member::edge(&home, number, &core_urls, &options.edge_settings))
            .collect();
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
        grpc(&urls(&self.cores), &urls(&self.sessions))
    }

    /// A SCIM client of `base`, an edge or what stands before them.
    pub fn scim(&self, base: &str, token: &str) -> Scim {
        Scim::new(&format!("{base}/scim/v2"), Some(token))
    }
}

/// The members' URLs, separated by commas.
pub fn urls(members: &[Member]) -> String {
    members.iter().map(Member::url).collect::<Vec<_>>().join(",")
}

/// The internal services' interfaces at these URLs, with the key of an administrator that members know.
pub fn grpc(cores: &str, sessions: &str) -> Grpc {
    Grpc::at(cores, sessions, ADMIN)
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.members().for_each(|member| drop(member.process.take()));
        remove(&self.folder);
    }
}

impl Member {
    /// An identity-core on these servers, not started yet.
    pub fn core(home: &Home, number: usize, database: &str, redis: &str, settings: &[Setting]) -> Self {
        let keys = format!("edge:edge:{EDGE},sessions:sessions:{SESSIONS},test:admin:{ADMIN}");
        let needed = [
            ("DATABASE_URL", database),
            ("REDIS_URL", redis),
            ("PORTCULLIS_SERVICE_KEYS", &keys),
            ("PORTCULLIS_LOGIN_KEY", LOGIN),
            ("PORTCULLIS_DATABASE_POOL_SIZE", "4"),
        ];
        Member::new(home, "core", number, &needed, settings)
    }

    /// A session-service, not started yet.
    pub fn sessions(home: &Home, number: usize, redis: &str, cores: &str, settings: &[Setting]) -> Self {
        let needed = [
            ("REDIS_URL", redis),
            ("PORTCULLIS_CORE_URL", cores),
            ("PORTCULLIS_SERVICE_KEY", SESSIONS),
            ("PORTCULLIS_SERVICE_KEYS", &format!("test:admin:{ADMIN}")),
        ];
        Member::new(home, "sessions", number, &needed, settings)
    }

    /// A scim-edge, not started yet.
    pub fn edge(home: &Home, number: usize, cores: &str, settings: &[Setting]) -> Self {
        let needed = [("PORTCULLIS_CORE_URL", cores), ("PORTCULLIS_SERVICE_KEY", EDGE)];
        Member::new(home, "edge", number, &needed, settings)
    }

    /// What is set beside what it needs goes before, as in a shell.
    fn new(
        home: &Home,
        service: &'static str,
        number: usize,
        needed: &[(&'static str, &str)],
        settings: &[Setting],
    ) -> Self {
        let name = format!("{service}-{number}");
        let needed = needed.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Member {
            log: home.folder.join(format!("{name}.log")),
            name,
            service,
            binary: home.binary,
            address: free_address(),
            admin: free_address(),
            settings: settings.iter().cloned().chain(needed).collect(),
            process: None,
        }
    }

    /// Sets a variable of its environment from the next start on, or no longer sets it.
    pub fn set(&mut self, name: &'static str, value: Option<&str>) {
        self.settings.retain(|(known, _)| *known != name);
        self.settings.extend(value.map(|value| (name, value.to_owned())));
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

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a process can be killed");
        }
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
