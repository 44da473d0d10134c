//! A private Redis server (or Valkey): its own data, its own port on loopback, a password.
//!
//! Evicting keys is off: what is stored here must not disappear on its own. The configuration holds the password, so
//! it is a file that only the server's user can read.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::{Environment, Process, Signal, dies_with_us};
use crate::programs::{self, RedisProgram};
use crate::user::{self, User, as_user};
use crate::{leftover, place, port, secret};

pub(crate) const PID_FILE: &str = "redis.pid";
pub(crate) const CONFIGURATION: &str = "redis.conf";
const PASSWORD: &str = "password";

/// Loading the data is part of it.
const START_LIMIT: Duration = Duration::from_mins(1);
const ASK_LIMIT: Duration = Duration::from_millis(500);

/// How a server runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// 0: any free one.
    pub port: u16,
    /// Keeps nothing on disk. For tests.
    pub throwaway: bool,
    /// How many numbered databases there are; 0: one.
    pub databases: u32,
    /// Where it logs; absent: `server.log` in its folder.
    pub log: Option<PathBuf>,
    /// The master that it copies; absent: it is a master.
    pub replica_of: Option<Master>,
    /// What it is in a Redis Cluster; absent: it is in none.
    pub cluster: Option<Node>,
    /// Variables of its environment beside ours.
    pub environment: Environment,
}

/// What a replica needs to know of its master, and takes over as its own password.
#[derive(Clone, Debug)]
pub struct Master {
    /// Of the master, or of what stands before it.
    pub port: u16,
    pub password: String,
}

/// A node of a Redis Cluster. All nodes have one password.
#[derive(Clone, Debug)]
pub struct Node {
    pub bus_port: u16,
    pub password: String,
}

/// A running server. Dropped without [`Redis::stop`], it is killed.
#[derive(Debug)]
pub struct Redis {
    folder: PathBuf,
    options: Options,
    password: String,
    process: Process,
}

impl Redis {
    /// Starts a server on the data in `folder`; ends first what an earlier run left behind.
    pub fn start(folder: &Path, options: &Options) -> Result<Self> {
        let program = programs::redis()?;
        let user = user::unprivileged()?;
        let folder = place::make(folder, user)?;
        leftover::end(&folder)?;
        let master = options.replica_of.as_ref().map(|master| &master.password);
        let password = match master.or(options.cluster.as_ref().map(|node| &node.password)) {
            // Clients find the same password on any, whichever is the master.
            Some(password) => {
                secret::write_private(&folder.join(PASSWORD), password, user)?;
                password.clone()
            }
            None => secret::stored(&folder.join(PASSWORD), user)?,
        };
        let (port, process) = port::on(options.port, |port| {
            launch(port, &program, &folder, user, options, &password)
        })?;
        let options = Options {
            port,
            ..options.clone()
        };
        Ok(Redis {
            folder,
            options,
            password,
            process,
        })
    }

    /// Its URL, with the password.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.options.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.options.port
    }

    /// What a replica of it is to be told; `port` is this server's, or that of what stands before it.
    pub fn as_master(&self, port: u16) -> Master {
        Master {
            port,
            password: self.password.clone(),
        }
    }

    /// Makes a master of a replica, as an operator or Sentinel does.
    pub fn promote(&mut self) -> Result<()> {
        let answer = ask(self.options.port, &self.password, "REPLICAOF NO ONE")?;
        ensure!(answer.starts_with("+OK\r\n+OK"), "it is no master yet: {answer}");
        self.options.replica_of = None;
        Ok(())
    }

    /// Runs one command and answers what the server said to it.
    pub fn ask(&self, command: &str) -> Result<String> {
        let answer = ask(self.options.port, &self.password, command)?;
        Ok(answer.strip_prefix("+OK\r\n").unwrap_or(&answer).to_owned())
    }

    /// The server's process, to be watched, frozen or killed.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Sets its environment from the next start on.
    pub fn set_environment(&mut self, environment: Environment) {
        self.options.environment = environment;
    }

    /// Starts it again after it was killed: same port, same password, and the data that it had on disk.
    pub fn start_again(&mut self) -> Result<()> {
        self.process.kill()?;
        *self = Redis::start(&self.folder, &self.options)?;
        Ok(())
    }

    /// Saves what is to be saved and ends.
    pub fn stop(mut self) -> Result<()> {
        self.process.stop()?;
        Ok(())
    }
}

fn launch(
    port: u16,
    program: &RedisProgram,
    folder: &Path,
    user: Option<User>,
    options: &Options,
    password: &str,
) -> Result<Process> {
    let file = folder.join(CONFIGURATION);
    secret::write_private(&file, &configuration(folder, port, options, password), user)?;
    let mut command = dies_with_us(&program.path, Signal::TERM);
    command.arg(&file);
    as_user(&mut command, user).current_dir("/");
    command.envs(options.environment.iter().cloned());
    let log = options.log.clone().unwrap_or_else(|| folder.join("server.log"));
    let mut process = Process::spawn("Redis", command, Signal::TERM, &log)?;
    process.wait_until(START_LIMIT, || ping(port, password).unwrap_or(false))?;
    Ok(process)
}

/// `set-proc-title no` keeps the path of this file in the command line, by which a left-over server is recognised. A replica need
/// not wait for others.
fn configuration(folder: &Path, port: u16, options: &Options, password: &str) -> String {
    let durability = if options.throwaway {
        "appendonly no"
    } else {
        "appendonly yes
appendfsync everysec"
    };
    let databases = options.databases.max(1);
    let role = options
        .replica_of
        .as_ref()
        .map_or_else(String::new, |master| format!("replicaof 127.0.0.1 {}\n", master.port));
    let cluster = options.cluster.as_ref().map_or_else(String::new, |node| {
        // A master that is down costs its own slots only.
        format!(
            "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-port {}\ncluster-node-timeout 2000\n\
             cluster-require-full-coverage no\n",
            node.bus_port
        )
    });
    format!(
        "bind 127.0.0.1\nport {port}\nprotected-mode yes\nrequirepass {password}\nmasterauth {password}\ndatabases {databases}\n\
         dir \"{folder}\"\npidfile \"{folder}/{PID_FILE}\"\nsave \"\"\n{durability}\nmaxmemory-policy noeviction\n\
         repl-diskless-sync-delay 0\ndaemonize no\nset-proc-title no\nloglevel notice\n{role}{cluster}",
        folder = folder.display()
    )
}

/// Whether our server answers. The password proves that it is ours and not one that took the port.
pub(crate) fn ping(port: u16, password: &str) -> io::Result<bool> {
    Ok(ask(port, password, "PING")?.starts_with("+OK\r\n+PONG\r\n"))
}

/// Runs one command and answers what the server said, the log-in first.
pub(crate) fn ask(port: u16, password: &str, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), ASK_LIMIT)?;
    stream.set_read_timeout(Some(ASK_LIMIT))?;
    stream.write_all(format!("AUTH {password}\r\n{command}\r\n").as_bytes())?;
    // Sentinel knows no QUIT.
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn the_configuration_keeps_data_unless_they_are_throwaway() {
        let text = |throwaway| {
            let options = Options {
                throwaway,
                ..Options::default()
            };
            configuration(Path::new("/d"), 7, &options, "secret")
        };
        assert!(text(false).contains("\nappendonly yes\nappendfsync everysec\n"));
        assert!(text(true).contains("\nappendonly no\n"));
        assert!(text(true).contains("\nbind 127.0.0.1\n") || text(true).starts_with("bind 127.0.0.1\n"));
        assert!(text(false).contains("\nmaxmemory-policy noeviction\n"));
    }

    #[test]
    fn a_replica_has_what_its_master_has_and_can_be_made_a_master() {
        let (here, there) = (test::Redis::start_fresh(), test::folder::RunFolder::new().unwrap());
        let options = Options {
            replica_of: Some(here.as_master(here.port())),
            ..Options::default()
        };
        let mut replica = Redis::start(&there.path, &options).unwrap();
        ask(here.port(), &here.password, "SET a 1").unwrap();
        let deadline = std::time::Instant::now() + START_LIMIT;
        while ask(replica.port(), &replica.password, "GET a").unwrap() != "+OK\r\n$1\r\n1\r\n" {
            assert!(
                std::time::Instant::now() < deadline,
                "the replica does not get what its master has"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        let refused = ask(replica.port(), &replica.password, "SET a 2").unwrap();
        assert!(refused.contains("READONLY"), "{refused}");
        replica.promote().unwrap();
        let set = ask(replica.port(), &replica.password, "SET a 2").unwrap();
        assert_eq!(set, "+OK\r\n+OK\r\n");
    }
}
