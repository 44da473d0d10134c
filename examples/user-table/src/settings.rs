//! Where Portcullis is, and where the table is to be.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde::Deserialize;

/// Keeps a table of users in step with a tenant of Portcullis.
#[derive(clap::Parser)]
pub struct Settings {
    /// The folder of `portcullis dev`, whose dev.json says what is not given otherwise
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// URLs of all identity-cores, separated by commas
    #[arg(long, env = "IDENTITY_GRPC")]
    identity_grpc: Option<String>,
    /// A service key of the role platform
    #[arg(long, env = "SERVICE_KEY", hide_env_values = true)]
    service_key: Option<String>,
    /// The tenant's id
    #[arg(long, env = "TENANT_ID")]
    tenant_id: Option<String>,
    /// The PostgreSQL that the table is in
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// The name under which events are acknowledged
    #[arg(long, env = "CONSUMER", default_value = "user-table")]
    pub consumer: String,
}

/// The settings, all of them.
pub struct Place {
    pub identity_grpc: String,
    pub service_key: String,
    pub tenant_id: String,
    pub database_url: String,
}

/// What is read of dev.json.
#[derive(Default, Deserialize)]
struct Description {
    identity_grpc: Option<String>,
    service_key: Option<String>,
    tenant_id: Option<String>,
    postgres_url: Option<String>,
}

impl Settings {
    /// What was given, or else what dev.json says.
    pub fn place(&self) -> anyhow::Result<Place> {
        let described = match &self.data_dir {
            Some(folder) => {
                let file = folder.join("dev.json");
                let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
                serde_json::from_str(&text).with_context(|| format!("{}", file.display()))?
            }
            None => Description::default(),
        };
        let one = |name: &str, given: &Option<String>, described: Option<String>| {
            let missing = || anyhow!("set {name}, or give the folder of a running `portcullis dev` as --data-dir");
            given.clone().or(described).ok_or_else(missing)
        };
        Ok(Place {
            identity_grpc: one("IDENTITY_GRPC", &self.identity_grpc, described.identity_grpc)?,
            service_key: one("SERVICE_KEY", &self.service_key, described.service_key)?,
            tenant_id: one("TENANT_ID", &self.tenant_id, described.tenant_id)?,
            database_url: one("DATABASE_URL", &self.database_url, described.postgres_url)?,
        })
    }
}
