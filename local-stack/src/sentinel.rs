//! Three private Sentinels that watch a master and its replicas on loopback, and make another the master when two of them
//! agree that it is gone.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::process::{Process, Signal, dies_with_us};
use crate::redis::{self, CONFIGURATION, PID_FILE, Redis};
use crate::user::{self, as_user};
use crate::{leftover, place, port, programs, secret};

/// As the Sentinels call the master.
pub const SERVICE: &str = "main";

const COUNT: usize = 3;
const START_LIMIT: Duration = Duration::from_secs(30);

/// Running Sentinels. Dropped, they are killed.
#[derive(Debug)]
pub struct Sentinels {
    sentinels: Vec<(u16, Process)>,
    password: String,
}

impl Sentinels {
    /// Starts them in folders of `folder`. They find the master's replicas and each other within seconds.
    pub fn start(folder: &Path, master: &Redis) -> Result<Self> {
        let password = master.as_master(0).password;
        let program = programs::redis()?;
        let user = user::unprivileged()?;
        let mut sentinels = Vec::new();
        for number in 0..COUNT {
            let folder = place::make(&folder.join(format!("sentinel-{number}")), user)?;
            leftover::end(&folder)?;
            let file = folder.join(CONFIGURATION);
            sentinels.push(port::on(0, |port| {
                let text = configuration(&folder, port, master.port(), &password)?;
                secret::write_private(&file, &text, user)?;
                let mut command = dies_with_us(&program.path, Signal::TERM);
                command.arg(&file).arg("--sentinel");
                as_user(&mut command, user).current_dir("/");
                let mut process = Process::spawn("Sentinel", command, Signal::TERM, &folder.join("server.log"))?;
                process.wait_until(START_LIMIT, || redis::ping(port, &password).unwrap_or(false))?;
                Ok(process)
            })?);
        }
        Ok(Sentinels { sentinels, password })
    }

    /// The `REDIS_URL` of what they watch: all Sentinels, with the password.
    pub fn url(&self) -> String {
        let all: Vec<String> = self
            .sentinels
            .iter()
            .map(|(port, _)| format!("127.0.0.1:{port}"))
            .collect();
        format!("redis+sentinel://:{}@{}/{SERVICE}", self.password, all.join(","))
    }

    /// Whether each of them knows so many replicas, and the two others.
    pub fn know(&self, replicas: usize) -> Result<bool> {
        let expect = [("num-slaves", replicas), ("num-other-sentinels", COUNT - 1)];
        for (port, _) in &self.sentinels {
            let answer = redis::ask(*port, &self.password, &format!("SENTINEL MASTER {SERVICE}"))?;
            let lines: Vec<&str> = answer.lines().filter(|line| !line.starts_with('$')).collect();
            let is = |(field, count): &(&str, usize)| {
                lines
                    .windows(2)
                    .any(|pair| pair[0] == *field && pair[1] == count.to_string())
            };
            if !expect.iter().all(is) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Their processes.
    pub fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        self.sentinels.iter_mut().map(|(_, process)| process)
    }
}

/// Sentinel writes what it learns into this file.
fn configuration(folder: &Path, port: u16, master: u16, password: &str) -> Result<String> {
    let mut text = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\nsentinel sentinel-pass {password}\n\
         dir \"{folder}\"\npidfile \"{folder}/{PID_FILE}\"\ndaemonize no\n",
        folder = folder.display()
    );
    writeln!(text, "sentinel monitor {SERVICE} 127.0.0.1 {master} 2")?;
    writeln!(text, "sentinel auth-pass {SERVICE} {password}")?;
    writeln!(text, "sentinel down-after-milliseconds {SERVICE} 1000")?;
    writeln!(text, "sentinel failover-timeout {SERVICE} 10000")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::test;

    #[test]
    fn another_becomes_the_master_when_the_master_dies() {
        let mut servers = test::Sentinels::start_fresh();
        servers.master.process().kill().unwrap();
        let deadline = Instant::now() + START_LIMIT;
        while !servers.replica.ask("ROLE").unwrap().contains("master") {
            assert!(Instant::now() < deadline, "nobody takes over");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
