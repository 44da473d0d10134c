//! The test process's PostgreSQL, with migrated template databases that are cloned for each test.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use tokio::sync::OnceCell;

use super::folder::{self, RunFolder};
use crate::{Process, place, postgres, programs, user};

/// A PostgreSQL server for tests.
#[derive(Debug)]
pub struct Postgres {
    server: crate::Postgres,
    templates: Mutex<HashMap<String, Arc<OnceCell<()>>>>,
    clones: AtomicU32,
    // After the server: dropped in this order.
    _folder: RunFolder,
}

impl Postgres {
    /// This process's server, started by the first call.
    pub fn shared() -> &'static Postgres {
        static SHARED: LazyLock<Postgres> = LazyLock::new(Postgres::start_fresh);
        &SHARED
    }

    /// A server of the caller's own, for tests that freeze or kill it.
    pub fn start_fresh() -> Postgres {
        start().expect("a PostgreSQL server for tests must start")
    }

    /// The URL of a new database: a clone of `template`, which `migrate` filled in when it was first asked for.
    pub async fn database(&self, template: &str, migrate: impl AsyncFn(&str) -> Result<()>) -> String {
        let template = format!("template_{template}");
        let cell = {
            let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(templates.entry(template.clone()).or_default())
        };
        cell.get_or_try_init(async || self.make_template(&template, migrate).await)
            .await
            .expect("the template database must be migrated");
        let name = format!("test_{}", self.clones.fetch_add(1, Ordering::Relaxed));
        self.server
            .sql(
                "postgres",
                &format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""),
            )
            .expect("the template database must be cloned");
        self.server.url(&name)
    }

    /// Runs SQL in the database of `url`, as its owner.
    pub fn sql(&self, url: &str, statement: &str) -> Result<String> {
        let database = url.rsplit('/').next().unwrap_or_default();
        self.server.sql(database, statement)
    }

    /// The server's process.
    pub fn process(&mut self) -> &mut Process {
        self.server.process()
    }

    /// Nobody may stay connected to a database that is cloned.
    async fn make_template(&self, template: &str, migrate: impl AsyncFn(&str) -> Result<()>) -> Result<()> {
        let sql = |statement: &str| self.server.sql("postgres", statement);
        sql(&format!("DROP DATABASE IF EXISTS \"{template}\" WITH (FORCE)"))?;
        sql(&format!("CREATE DATABASE \"{template}\""))?;
        migrate(&self.server.url(template)).await?;
        sql(&format!("ALTER DATABASE \"{template}\" ALLOW_CONNECTIONS false"))?;
        sql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'"
        ))?;
        Ok(())
    }
}

fn start() -> Result<Postgres> {
    let folder = RunFolder::new()?;
    copy_cluster(&folder.path)?;
    let options = postgres::Options {
        throwaway: true,
        ..postgres::Options::default()
    };
    Ok(Postgres {
        server: crate::Postgres::start(&folder.path, &options)?,
        templates: Mutex::default(),
        clones: AtomicU32::default(),
        _folder: folder,
    })
}

/// Copying takes a tenth of the time of `initdb`.
fn copy_cluster(to: &Path) -> Result<()> {
    let version = programs::postgres()?.version;
    let root = folder::root()?;
    let template = root.join(format!("postgres-{version}"));
    {
        let _held = folder::held(&root)?;
        crate::Postgres::init(&template)?;
    }
    let user = user::unprivileged()?;
    let source = place::make(&template, user)?;
    let mut copy = Command::new("cp");
    copy.arg("-Rp")
        .arg(source.join("data"))
        .arg(source.join("password"))
        .arg(to);
    let status = user::as_user(&mut copy, user)
        .current_dir("/")
        .status()
        .context("cannot run cp")?;
    ensure!(status.success(), "cannot copy {} to {}", source.display(), to.display());
    Ok(())
}
