//! A running system: `portcullis dev` as a process of its own, or one that runs already.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::Deserialize;

use crate::cli::Outcome;
use crate::grpc::Grpc;
use crate::scim::Scim;

/// `dev` may have to install PostgreSQL and Redis first.
const START_LIMIT: Duration = Duration::from_mins(10);
const STOP_LIMIT: Duration = Duration::from_secs(40);
const RUNNING_ALREADY: &str = "PORTCULLIS_E2E_DEV_JSON";

/// What `dev` writes into `dev.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Description {
    pub scim_url: String,
    pub scim_token: String,
    pub tenant_id: String,
    pub identity_grpc: String,
    pub session_grpc: String,
    pub service_key: String,
    pub postgres_url: String,
    pub redis_url: String,
    pub admin: Admin,
    pub pids: Pids,
}

/// Where the services tell their health and metrics.
#[derive(Clone, Debug, Deserialize)]
pub struct Admin {
    pub scim_edge: String,
    pub identity_core: String,
    pub session_service: String,
}

/// The processes of a system.
#[derive(Clone, Debug, Deserialize)]
pub struct Pids {
    pub scim_edge: u32,
    pub identity_core: u32,
    pub session_service: u32,
    /// Absent when the server was given.
    pub postgres: Option<u32>,
    pub redis: Option<u32>,
}

/// Where the binary under test is, and where its data may go: `env!("CARGO_BIN_EXE_portcullis-under-test")` and
/// `env!("CARGO_TARGET_TMPDIR")` of the test that asks.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub binary: &'static str,
    pub scratch: &'static str,
}

/// A running system. Dropped, it is stopped and its data are removed.
#[derive(Debug)]
pub struct System {
    place: Place,
    data_dir: PathBuf,
    description: Description,
    dev: Option<Child>,
    /// Whether it was started here.
    is_ours: bool,
    environment: Vec<(&'static str, String)>,
}

impl System {
    /// The system that all tests of this process share.
    pub fn shared(place: Place) -> &'static System {
        static SHARED: OnceLock<System> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var_os(RUNNING_ALREADY) {
            Some(file) => System::running(place, Path::new(&file)),
            None => System::start(place),
        })
    }

    /// A system of the caller's own, for tests that break things. It ends when one of its processes does.
    pub fn start(place: Place) -> System {
        Self::start_with(place, Vec::new())
    }

    /// The same with settings: DATABASE_URL and REDIS_URL name servers that may come and go.
    pub fn start_with(place: Place, environment: Vec<(&'static str, String)>) -> System {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep(Path::new(place.scratch));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let data_dir = Path::new(place.scratch).join(format!("dev-{}-{number}", std::process::id()));
        fs::create_dir_all(&data_dir).expect("the data folder can be made");
        let (dev, description) = launch(place, &data_dir, &environment);
        System {
            place,
            data_dir,
            description,
            dev: Some(dev),
            is_ours: true,
            environment,
        }
    }

    fn running(place: Place, file: &Path) -> System {
        let description = read(file).unwrap_or_else(|| panic!("{RUNNING_ALREADY}: {} is no dev.json", file.display()));
        let data_dir = file.parent().expect("a file has a folder").to_owned();
        System {
            place,
            data_dir,
            description,
            dev: None,
            is_ours: false,
            environment: Vec::new(),
        }
    }

    /// Kills `dev` as a crash would, unless it has ended, and starts it again on the same data.
    pub fn crash_and_start_again(&mut self) {
        let dev = self
            .dev
            .as_mut()
            .expect("only a system that was started here can crash");
        let _ = dev.kill();
        dev.wait().expect("dev can be waited for");
        let (dev, description) = launch(self.place, &self.data_dir, &self.environment);
        self.dev = Some(dev);
        self.description = description;
    }

    /// Asks `dev` to stop, as Ctrl-C does; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut dev = self.dev.take()?;
        // Its standard input stays open meanwhile: the end of that is a second signal, and a second one is an order.
        signal(dev.id(), Signal::INT);
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = dev.try_wait().expect("dev can be waited for") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = dev.kill().and_then(|()| dev.wait());
        None
    }

    /// Addresses, keys and process ids.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// A SCIM client with the demo tenant's token.
    pub fn scim(&self) -> Scim {
        self.scim_with(&self.description.scim_token)
    }

    /// A SCIM client with another token.
    pub fn scim_with(&self, token: &str) -> Scim {
        Scim::new(&self.description.scim_url, Some(token))
    }

    /// The internal services' interfaces. To be called in the tokio runtime that uses them.
    pub fn grpc(&self) -> Grpc {
        Grpc::new(&self.description)
    }

    /// Runs a command against this system.
    pub async fn cli(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.place.binary, &self.data_dir, arguments).await
    }

    /// What `dev` and its services have said.
    pub fn log(&self) -> String {
        let logs = fs::read_dir(self.data_dir.join("logs")).into_iter().flatten().flatten();
        let files = logs.map(|entry| entry.path()).chain([self.data_dir.join("dev.log")]);
        files.map(|file| fs::read_to_string(file).unwrap_or_default()).collect()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop();
        if self.is_ours {
            remove(&self.data_dir);
        }
    }
}

fn launch(place: Place, data_dir: &Path, environment: &[(&str, String)]) -> (Child, Description) {
    let file = data_dir.join("dev.json");
    let _ = fs::remove_file(&file);
    let log = File::options()
        .append(true)
        .create(true)
        .open(data_dir.join("dev.log"))
        .expect("a log can be written");
    let mut dev = Command::new(place.binary)
        .args(["dev", "--data-dir"])
        .arg(data_dir)
        .args(["--edge-port", "0"])
        .env("PORTCULLIS_END_WITH_STDIN", "1")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a log can be shared"))
        .stderr(log)
        .process_group(0)
        .spawn()
        .expect("the binary under test can be started");
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if let Some(description) = read(&file) {
            return (dev, description);
        }
        let ended = dev.try_wait().expect("dev can be waited for");
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "dev did not start ({ended:?}):\n{}",
            fs::read_to_string(data_dir.join("dev.log")).unwrap_or_default()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// The description, once it is written whole.
fn read(file: &Path) -> Option<Description> {
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

/// Removes what test processes left that could not clean up.
pub fn sweep(scratch: &Path) {
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix("dev-")?.split('-').next()?.parse().ok());
        if owner.is_some_and(|pid: u32| !is_alive(pid)) {
            remove(&entry.path());
        }
    }
}

/// Servers' folders may be links to a place that their user can reach.
pub(crate) fn remove(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            let _ = local_stack::place::remove(&entry.path());
        }
    }
    let _: io::Result<()> = fs::remove_dir_all(data_dir);
}

fn is_alive(pid: u32) -> bool {
    raw(pid).is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
