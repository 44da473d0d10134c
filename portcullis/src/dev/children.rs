//! The processes of a running system: watched together, stopped in order.

use std::time::Duration;

use anyhow::Result;
use local_stack::{Postgres, Process, Redis};
use runtime::Shutdown;

use crate::failure::Failure;

const LOOK: Duration = Duration::from_millis(200);

/// What has been started so far.
#[derive(Default)]
pub(super) struct Children {
    pub postgres: Option<Postgres>,
    pub redis: Option<Redis>,
    /// In the order in which they were started.
    pub services: Vec<Process>,
}

impl Children {
    pub fn is_empty(&self) -> bool {
        self.postgres.is_none() && self.redis.is_none() && self.services.is_empty()
    }

    pub fn postgres_pid(&mut self) -> Option<u32> {
        self.postgres.as_mut().map(|postgres| postgres.process().pid())
    }

    pub fn redis_pid(&mut self) -> Option<u32> {
        self.redis.as_mut().map(|redis| redis.process().pid())
    }

    /// Until the stop is asked for. A child that dies before is a failure, told with the end of its log.
    pub async fn watch(&mut self, shutdown: &Shutdown) -> Result<(), Failure> {
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                () = tokio::time::sleep(LOOK) => self.check()?,
            }
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let servers = [
            self.postgres.as_mut().map(Postgres::process),
            self.redis.as_mut().map(Redis::process),
        ];
        for process in servers.into_iter().flatten().chain(&mut self.services) {
            if let Some(status) = process.ended()? {
                return Err(process.failure(&format!("ended unasked with {status}")).into());
            }
        }
        Ok(())
    }

    /// Those that depend on others first.
    pub fn stop(mut self) -> Result<()> {
        while let Some(mut service) = self.services.pop() {
            service.stop()?;
        }
        if let Some(redis) = self.redis.take() {
            redis.stop()?;
        }
        if let Some(postgres) = self.postgres.take() {
            postgres.stop()?;
        }
        Ok(())
    }
}
