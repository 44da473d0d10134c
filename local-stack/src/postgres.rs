//! A private PostgreSQL server: its own data, its own port on loopback, no Unix socket, password by SCRAM.
//!
//! In its folder:
//!
//! | file | holds |
//! |---|---|
//! | `data/` | the cluster |
//! | `password` | of the superuser `postgres` and of [`OWNER`], mode 0600 |
//! | `server.log` | the log, unless it was asked for elsewhere |
//!
//! Databases belong to [`OWNER`], who is no superuser: what runs here runs with the rights it has in production.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{Environment, Process, Signal, dies_with_us};
use crate::programs::{self, PostgresPrograms};
use crate::user::{self, User, as_user};
use crate::{leftover, place, port, secret};

/// The role that owns the databases: may make databases and roles, and is no superuser.
pub const OWNER: &str = "app";

pub(crate) const DATA: &str = "data";
pub(crate) const PID_FILE: &str = "data/postmaster.pid";
const PASSWORD: &str = "password";

/// Recovery after a crash is part of it.
const START_LIMIT: Duration = Duration::from_secs(90);

/// How a server runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// 0: any free one.
    pub port: u16,
    /// Nothing has to survive a crash of the machine: much faster. For tests.
    pub throwaway: bool,
    /// Where it logs; absent: `server.log` in its folder.
    pub log: Option<PathBuf>,
    /// Variables of its environment beside ours.
    pub environment: Environment,
}

/// A running server. Dropped without [`Postgres::stop`], it is killed; its data survive that.
#[derive(Debug)]
pub struct Postgres {
    programs: PostgresPrograms,
    port: u16,
    password: String,
    process: Process,
}

impl Postgres {
    /// Makes the cluster in `folder` unless there is one. Answers whether it made one.
    pub fn init(folder: &Path) -> Result<bool> {
        let programs = programs::postgres()?;
        let user = user::unprivileged()?;
        let folder = place::make(folder, user)?;
        init(&programs, &folder, user)
    }

    /// Starts the server of `folder`; makes its cluster first when there is none, and ends first what an earlier run
    /// left behind.
    pub fn start(folder: &Path, options: &Options) -> Result<Self> {
        let programs = programs::postgres()?;
        let user = user::unprivileged()?;
        let folder = place::make(folder, user)?;
        leftover::end(&folder)?;
        init(&programs, &folder, user)?;
        check_version(&programs, &folder)?;
        let password = secret::stored(&folder.join(PASSWORD), user)?;
        let (port, process) = port::on(options.port, |port| launch(port, &programs, &folder, user, options))?;
        Ok(Postgres {
            programs,
            port,
            password,
            process,
        })
    }

    /// The URL of a database, with the owner's name and password.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{OWNER}:{}@127.0.0.1:{}/{database}",
            self.password, self.port
        )
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process, to be watched, frozen or killed.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Makes an empty database unless there is one of that name.
    pub fn create_database(&self, name: &str) -> Result<()> {
        let found = self.sql(
            "postgres",
            &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"),
        )?;
        if found.trim().is_empty() {
            self.sql("postgres", &format!("CREATE DATABASE \"{name}\""))?;
        }
        Ok(())
    }

    /// Runs SQL as the owner and answers the values, a row a line. By `psql`, which every server package brings along:
    /// a driver would be much to compile for the three statements of this crate.
    pub fn sql(&self, database: &str, statement: &str) -> Result<String> {
        let output = Command::new(self.programs.bin.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-w"])
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                OWNER,
                "-d",
                database,
            ])
            .args(["-c", statement])
            .env("PGPASSWORD", &self.password)
            .stdin(Stdio::null())
            .output()
            .context("cannot run psql")?;
        ensure!(
            output.status.success(),
            "{statement}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Disconnects the clients, writes everything down and ends.
    pub fn stop(mut self) -> Result<()> {
        self.process.stop()?;
        Ok(())
    }
}

/// `initdb` into a new folder that is renamed when it is complete: an interrupted one starts over.
fn init(programs: &PostgresPrograms, folder: &Path, user: Option<User>) -> Result<bool> {
    let data = folder.join(DATA);
    if data.join("PG_VERSION").exists() {
        return Ok(false);
    }
    let new = folder.join("data.new");
    let password_file = folder.join(PASSWORD);
    let password = secret::stored(&password_file, user)?;
    let initdb = |locale: &str| -> Result<Result<(), String>> {
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        let mut command = Command::new(programs.bin.join("initdb"));
        command
            .args([
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-sync",
            ])
            .args(["--no-instructions", &format!("--locale={locale}")])
            .arg(format!("--pwfile={}", password_file.display()))
            .arg(format!("--pgdata={}", new.display()));
        run(as_user(&mut command, user).current_dir("/"), "")
    };
    // Older systems have no C.UTF-8; C sorts the same.
    if let Err(first) = initdb("C.UTF-8")? {
        initdb("C")?.map_err(|_| anyhow::anyhow!("initdb failed: {first}"))?;
    }
    let owner = format!("CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE PASSWORD '{password}';\n");
    let mut single = Command::new(programs.bin.join("postgres"));
    single.args(["--single", "-j", "-D"]).arg(&new).arg("postgres");
    run(as_user(&mut single, user).current_dir("/"), &owner)?
        .map_err(|error| anyhow::anyhow!("the role {OWNER} cannot be made: {error}"))?;
    fs::rename(&new, &data)?;
    Ok(true)
}

/// Runs to the end with `input`. The inner error is what the program said.
fn run(command: &mut Command, input: &str) -> Result<Result<(), String>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(if output.status.success() { Ok(()) } else { Err(said) })
}

fn check_version(programs: &PostgresPrograms, folder: &Path) -> Result<()> {
    let made_by = fs::read_to_string(folder.join(DATA).join("PG_VERSION"))?;
    if made_by.trim() != programs.major.to_string() {
        bail!(
            "the data in {} were made by PostgreSQL {}, and version {} is installed: install the older one, or remove \
             the data",
            folder.display(),
            made_by.trim(),
            programs.major
        );
    }
    Ok(())
}

fn launch(
    port: u16,
    programs: &PostgresPrograms,
    folder: &Path,
    user: Option<User>,
    options: &Options,
) -> Result<Process> {
    let mut command = dies_with_us(&programs.bin.join("postgres"), Signal::INT);
    command.arg("-D").arg(folder.join(DATA));
    for setting in settings(port, options.throwaway) {
        command.arg("-c").arg(setting);
    }
    as_user(&mut command, user).current_dir("/");
    command.envs(options.environment.iter().cloned());
    let log = options.log.clone().unwrap_or_else(|| folder.join("server.log"));
    let mut process = Process::spawn("PostgreSQL", command, Signal::INT, &log)?;
    let pid = process.pid().to_string();
    let pid_file = folder.join(PID_FILE);
    process.wait_until(START_LIMIT, || {
        is_ready(&fs::read_to_string(&pid_file).unwrap_or_default(), &pid)
    })?;
    Ok(process)
}

fn settings(port: u16, throwaway: bool) -> Vec<String> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "max_connections=300".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
    ];
    if throwaway {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
    }
    settings
}

/// The server says so itself, in the eighth line of its pid file.
fn is_ready(pid_file: &str, pid: &str) -> bool {
    let mut lines = pid_file.lines();
    lines.next() == Some(pid) && lines.nth(6).is_some_and(|status| status.trim() == "ready")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_of_this_process_only() {
        let check = |text: &str, expect: bool| assert_eq!(is_ready(text, "12"), expect, "{text}");
        check("12\n/data\n1\n5432\n\n127.0.0.1\n 1 2\nready   \n", true);
        check("12\n/data\n1\n5432\n\n127.0.0.1\n 1 2\nstarting\n", false);
        check("11\n/data\n1\n5432\n\n127.0.0.1\n 1 2\nready   \n", false);
        check("12\n/data\n", false);
        check("", false);
    }
}
