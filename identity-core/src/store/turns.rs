//! A bound on how many questions of one kind are with the database at once, so that whoever asks many of them does not take
//! the connections of all others.

use std::sync::Arc;
use std::time::Duration;

use identity_proto::identity::v1::ErrorReason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;

/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(1);

/// The turns of one kind of question.
#[derive(Clone)]
pub(crate) struct Turns {
    free: Arc<Semaphore>,
    refusal: &'static str,
}

impl Turns {
    /// `count` at once; who waits in vain is told `refusal`.
    pub(crate) fn new(count: usize, refusal: &'static str) -> Self {
        Turns {
            free: Arc::new(Semaphore::new(count)),
            refusal,
        }
    }

    /// To be held while the database is asked.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit, Error> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.free).acquire_owned()).await;
        let turn = turn.map_err(|_| Error::new(ErrorReason::Unavailable, self.refusal))?;
        turn.map_err(Error::internal)
    }
}
