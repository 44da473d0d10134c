//! `dev.json`: where the running system is, for the other commands and for scripts. It holds secrets: mode 0600.

use local_stack::secret;
use serde::{Deserialize, Serialize};

use super::home::Home;
use crate::failure::Failure;

/// The running system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Description {
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Admin {
    pub scim_edge: String,
    pub identity_core: String,
    pub session_service: String,
}

/// Its processes. `None`: not ours, given by DATABASE_URL or REDIS_URL.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pids {
    pub scim_edge: u32,
    pub identity_core: u32,
    pub session_service: u32,
    pub postgres: Option<u32>,
    pub redis: Option<u32>,
}

impl Description {
    /// Its name in the data folder.
    pub const FILE: &'static str = "dev.json";

    /// The edge's own address, without the path of SCIM.
    pub fn edge_url(&self) -> Option<String> {
        self.scim_url.strip_suffix("/scim/v2").map(str::to_owned)
    }

    /// Writes it in one step: whoever finds it finds it whole.
    pub(super) fn write(&self, home: &Home) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(anyhow::Error::from)?;
        secret::write_private(&home.file(Self::FILE), &text, None)?;
        Ok(())
    }
}
