//! Whatever happens to the process that started them: the servers end, and the next start has their data.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what the test is about")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use local_stack::process::Signal;
use local_stack::{Postgres, Process, Redis, place, postgres, programs, redis};

/// A folder that goes with the test, and the servers' data in it too.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("local-stack-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
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

/// The program `local-stack` on a folder, and where its servers answer.
struct Holder {
    child: Child,
    addresses: [SocketAddr; 2],
}

impl Holder {
    fn start(folder: &Path, path: Option<&Path>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local-stack"));
        command.arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || {
            let url = lines.next().expect("it must start").unwrap();
            let authority = url.split('@').nth(1).unwrap();
            authority.split('/').next().unwrap().parse().unwrap()
        };
        let addresses = [address(), address()];
        Holder { child, addresses }
    }

    fn kill(mut self) -> [SocketAddr; 2] {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.addresses
    }
}

fn answers(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

fn wait_for_silence(address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while answers(address) {
        assert!(Instant::now() < deadline, "{address} still answers");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn servers_end_when_their_process_is_killed() {
    let folder = Folder::new("killed");
    let holder = Holder::start(&folder.0, None);
    assert!(holder.addresses.into_iter().all(answers));
    holder.kill().into_iter().for_each(wait_for_silence);
}

#[test]
fn servers_end_when_their_process_ends_in_order() {
    let folder = Folder::new("ended");
    let mut holder = Holder::start(&folder.0, None);
    drop(holder.child.stdin.take());
    assert!(holder.child.wait().unwrap().success());
    assert!(!holder.addresses.into_iter().any(answers));
    assert!(!folder.0.join("postgres/data/postmaster.pid").exists());
}

/// Without `setpriv` nobody tells the servers that their process was killed.
#[test]
fn a_start_ends_the_servers_that_a_killed_process_left_running() {
    let folder = Folder::new("left");
    let path = folder.0.join("path");
    fs::create_dir(&path).unwrap();
    let redis = programs::redis().unwrap().path;
    symlink(redis.canonicalize().unwrap(), path.join("redis-server")).unwrap();
    let bin = programs::postgres().unwrap().bin;
    symlink(bin.join("postgres"), path.join("postgres")).unwrap();

    let old = Holder::start(&folder.0, Some(&path)).kill();
    thread::sleep(Duration::from_millis(300));
    assert!(
        old.into_iter().all(answers),
        "they must outlive their process for this test to mean anything"
    );

    let new = Holder::start(&folder.0, None);
    assert!(!old.into_iter().any(answers));
    assert!(new.addresses.into_iter().all(answers));
    new.kill();
}

#[test]
fn data_outlive_a_crash() {
    let folder = Folder::new("data");
    let home = folder.0.join("postgres");
    let options = postgres::Options::default();
    let mut server = Postgres::start(&home, &options).unwrap();
    server.create_database("kept").unwrap();
    server.create_database("kept").unwrap();
    server
        .sql("kept", "CREATE TABLE thing (id int); INSERT INTO thing VALUES (7)")
        .unwrap();
    let url = server.url("kept");
    server.process().kill().unwrap();
    drop(server);

    let port = url
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let server = Postgres::start(&home, &postgres::Options { port, ..options }).unwrap();
    assert_eq!(server.url("kept"), url);
    assert_eq!(server.sql("kept", "SELECT id FROM thing").unwrap().trim(), "7");
    server.stop().unwrap();
}

#[test]
fn a_stale_pid_file_of_another_process_is_no_hindrance_and_no_target() {
    let folder = Folder::new("stale");
    let home = folder.0.join("redis");
    Redis::start(&home, &redis::Options::default()).unwrap().stop().unwrap();
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    fs::write(home.join("redis.pid"), stranger.id().to_string()).unwrap();
    Redis::start(&home, &redis::Options::default()).unwrap().stop().unwrap();
    assert!(
        stranger.try_wait().unwrap().is_none(),
        "somebody else's process was ended"
    );
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_taken_port_and_a_process_that_dies_are_told_in_words() {
    let folder = Folder::new("words");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let options = redis::Options {
        port,
        ..redis::Options::default()
    };
    let error = Redis::start(&folder.0.join("redis"), &options).unwrap_err().to_string();
    assert_eq!(error, format!("port {port} is taken by another process"));

    let mut command = Command::new("sh");
    command.args(["-c", "echo the cause; exit 3"]).stdin(Stdio::null());
    let mut process = Process::spawn("thing", command, Signal::TERM, &folder.0.join("log")).unwrap();
    let error = process
        .wait_until(Duration::from_secs(10), || false)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("thing ended with exit status: 3"), "{error}");
    assert!(error.ends_with("\nthe cause"), "{error}");
}
