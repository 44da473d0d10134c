//! SQL as the superuser, by `psql`: what the benchmark asks is no part of what it measures.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

pub struct Psql {
    bin: PathBuf,
    port: String,
    password: String,
}

impl Psql {
    /// For the server whose folder and port these are.
    pub fn new(folder: &Path, port: u16) -> Result<Self> {
        Ok(Psql {
            bin: local_stack::programs::postgres()?.bin,
            port: port.to_string(),
            password: fs::read_to_string(folder.join("password"))?.trim().to_owned(),
        })
    }

    /// Runs statements, and answers the values: a row a line.
    pub fn run(&self, database: &str, statements: &str) -> Result<String> {
        let mut child = self
            .program("psql", "postgres")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-w", "-d", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run psql")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(statements.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{statements}: {}", said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A program of PostgreSQL's that finds the server, as this role.
    pub fn program(&self, name: &str, role: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", &self.port)
            .env("PGUSER", role)
            .env("PGPASSWORD", &self.password);
        command
    }
}
