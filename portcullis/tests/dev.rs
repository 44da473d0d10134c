//! `portcullis dev` as a person meets it: what it leaves behind, what it keeps, and what it says when it cannot go on.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what the test is about")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use local_stack::place;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A data folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("portcullis-{name}-{}", std::process::id()));
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for name in ["postgres", "redis"] {
            place::remove(&self.0.join(name)).expect("the servers must end");
        }
        fs::remove_dir_all(&self.0).expect("the folder must go");
    }
}

fn portcullis(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.arg("--data-dir").arg(folder).args(arguments);
    for name in [
        "DATABASE_URL",
        "REDIS_URL",
        "PORTCULLIS_CORE_URL",
        "PORTCULLIS_SESSION_URL",
        "PORTCULLIS_SERVICE_KEY",
        "PORTCULLIS_SERVICE_KEY_FILE",
    ] {
        command.env_remove(name);
    }
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    portcullis(folder, arguments).output().unwrap()
}

/// A running system and its description.
struct Dev {
    child: Child,
    description: Value,
}

impl Dev {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = portcullis(folder, &["dev", "--json", "--edge-port", "0"]);
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let description = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{}", Dev::errors(&mut child)));
        Dev { child, description }
    }

    fn errors(child: &mut Child) -> String {
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end: the exit code and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let text = Dev::errors(&mut self.child);
        (self.child.wait().unwrap().code(), text)
    }

    /// The host and port of everything that listens.
    fn addresses(&self) -> Vec<String> {
        let authority = |name: &str| {
            let url = self.description[name].as_str().unwrap();
            let after = url.split("://").nth(1).unwrap().split('/').next().unwrap();
            after.rsplit('@').next().unwrap().to_owned()
        };
        ["scim_url", "identity_grpc", "session_grpc", "postgres_url", "redis_url"]
            .map(authority)
            .to_vec()
    }

    fn token(&self) -> String {
        self.description["scim_token"].as_str().unwrap().to_owned()
    }
}

fn answers(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

fn wait_for_silence(addresses: &[String]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while addresses.iter().any(|address| answers(address)) {
        assert!(Instant::now() < deadline, "something still answers on {addresses:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_signal_stops_everything_and_the_next_start_has_the_data() {
    let folder = Folder::new("stops");
    let dev = Dev::start(&folder.0, &[]);
    let (addresses, token) = (dev.addresses(), dev.token());
    assert!(addresses.iter().all(|address| answers(address)), "{addresses:?}");
    assert!(run(&folder.0, &["tenant", "create", "kept"]).status.success());
    dev.signal(Signal::TERM);
    let (code, said) = dev.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(!addresses.iter().any(|address| answers(address)), "{addresses:?}");
    assert!(!folder.0.join("dev.json").exists());

    let dev = Dev::start(&folder.0, &[]);
    assert_eq!(dev.token(), token);
    assert!(run(&folder.0, &["tenant", "show", "kept"]).status.success());
    dev.signal(Signal::INT);
    assert_eq!(dev.end().0, Some(0));

    let dev = Dev::start(&folder.0, &["--fresh"]);
    assert_ne!(dev.token(), token);
    assert_eq!(run(&folder.0, &["tenant", "show", "kept"]).status.code(), Some(1));
    dev.signal(Signal::TERM);
    assert_eq!(dev.end().0, Some(0));
}

#[test]
fn a_start_after_a_kill_works_and_nothing_outlives_the_kill() {
    let folder = Folder::new("killed");
    let dev = Dev::start(&folder.0, &[]);
    let (addresses, token) = (dev.addresses(), dev.token());
    dev.signal(Signal::KILL);
    dev.end();
    wait_for_silence(&addresses);
    assert_eq!(run(&folder.0, &["tenant", "list"]).status.code(), Some(3));

    let dev = Dev::start(&folder.0, &[]);
    assert_eq!(dev.token(), token);
    dev.signal(Signal::TERM);
    assert_eq!(dev.end().0, Some(0));
}

#[test]
fn a_service_that_dies_stops_the_rest_and_is_named() {
    let folder = Folder::new("dies");
    let dev = Dev::start(&folder.0, &[]);
    let addresses = dev.addresses();
    let pid = i32::try_from(dev.description["pids"]["session_service"].as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let (code, said) = dev.end();
    assert_eq!(code, Some(1));
    assert!(said.contains("sessions ended unasked"), "{said}");
    assert!(!addresses.iter().any(|address| answers(address)), "{addresses:?}");
}

#[test]
fn what_is_in_the_way_is_named() {
    let folder = Folder::new("way");
    let dev = Dev::start(&folder.0, &[]);
    let port = dev.addresses()[0].rsplit(':').next().unwrap().to_owned();
    let check = |folder: &Path, arguments: &[&str], says: &str| {
        let output = run(folder, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(1) && said.contains(says),
            "{arguments:?}: {said}"
        );
    };
    check(
        &folder.0,
        &["--edge-port", "0"],
        &format!("(process {})", dev.child.id()),
    );
    let other = Folder::new("other");
    for flag in ["--edge-port", "--core-port", "--sessions-port"] {
        check(
            &other.0,
            &["--edge-port", "0", flag, &port][if flag == "--edge-port" { 2.. } else { 0.. }],
            flag,
        );
    }
    for flag in ["--postgres-port", "--redis-port"] {
        check(&other.0, &["--edge-port", "0", flag, &port], flag);
    }
    dev.signal(Signal::TERM);
    assert_eq!(dev.end().0, Some(0));
}

#[test]
fn a_setting_that_is_missing_wrong_or_unknown_is_wrong_usage_and_named() {
    let check = |service: &str, settings: &[(&str, &str)], says: &str| {
        let mut command = portcullis(Path::new("nowhere"), &["serve", service]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PORTCULLIS_")) {
            command.env_remove(name);
        }
        command.env_remove("DATABASE_URL").env_remove("REDIS_URL");
        let output = command.envs(settings.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && said.contains(says),
            "{service}: {said}"
        );
    };
    let (listen, core) = (
        ("PORTCULLIS_LISTEN", "127.0.0.1:0"),
        ("PORTCULLIS_CORE_URL", "http://127.0.0.1:1"),
    );
    check("edge", &[core], "PORTCULLIS_LISTEN is not set");
    check("edge", &[core, ("PORTCULLIS_LISTEN", "8080")], "such as 127.0.0.1:8080");
    check("edge", &[listen, core], "PORTCULLIS_SERVICE_KEY is not set");
    check("edge", &[listen], "--core-url");
    check("sessions", &[listen, core], "REDIS_URL is not set");
    check("core", &[listen], "is not set");
    let typo = ("PORTCULLIS_SERVICE_KEYZ", "x");
    check("core", &[listen, typo], "did you mean PORTCULLIS_SERVICE_KEYS?");
    let key = ("PORTCULLIS_SERVICE_KEY", "0123456789abcdef");
    let both = ("PORTCULLIS_SERVICE_KEY_FILE", "key");
    check("edge", &[listen, core, key, both], "keep one");
    let filter = ("RUST_LOG", "a=b=c");
    check("edge", &[listen, core, key, filter], "RUST_LOG");
    let protocol = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    check(
        "edge",
        &[listen, core, key, collector, protocol],
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    );
}
