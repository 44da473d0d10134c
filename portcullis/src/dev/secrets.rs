//! The secrets of a data folder: made once, so that keys and tokens go on working from run to run.

use local_stack::secret;
use runtime::Secret;

use super::home::Home;
use crate::failure::Failure;

/// How the services know each other, and what login tokens are signed with.
pub(crate) struct Secrets {
    /// scim-edge's key towards the core.
    pub edge: Secret,
    /// session-service's key towards the core.
    pub sessions: Secret,
    /// The administrator's key, with which the commands and scripts call everything.
    pub operator: Secret,
    /// What the core signs login tokens with.
    pub login: Secret,
}

impl Secrets {
    /// Those stored in `home`; missing ones are made.
    pub(super) fn of(home: &Home) -> Result<Self, Failure> {
        let folder = home.secrets()?;
        let stored = |name: &str| secret::stored(&folder.join(name), None).map(Secret::new);
        Ok(Secrets {
            edge: stored("edge-key")?,
            sessions: stored("sessions-key")?,
            operator: stored("operator-key")?,
            login: stored("login-key")?,
        })
    }

    /// Who may call the core.
    pub fn of_core_callers(&self) -> String {
        format!(
            "edge:edge:{},sessions:sessions:{},operator:admin:{}",
            self.edge.expose(),
            self.sessions.expose(),
            self.operator.expose()
        )
    }

    /// Who may call the session service.
    pub fn of_sessions_callers(&self) -> String {
        format!("operator:admin:{}", self.operator.expose())
    }
}
