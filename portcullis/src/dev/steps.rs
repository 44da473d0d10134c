//! What happens while a person waits: each step by name, and how long it took. To standard error, so that standard
//! output holds the screen, or its JSON, alone.

use std::future::Future;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use runtime::Shutdown;

use crate::failure::Failure;
use crate::output::Output;

/// The steps of one start.
pub(super) struct Steps {
    silent: bool,
    shutdown: Shutdown,
    began: Instant,
}

impl Steps {
    pub fn new(output: Output, shutdown: Shutdown) -> Self {
        Steps {
            silent: output.is_json(),
            shutdown,
            began: Instant::now(),
        }
    }

    /// Does one step. Not begun when the stop was asked for.
    pub async fn step<T, E: Into<Failure>>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        if self.shutdown.is_requested() {
            return Err(Failure::refused("stopped before the system was ready: start again"));
        }
        let began = Instant::now();
        self.say(&format!("  {name:<40}"));
        let result = work.await;
        match &result {
            Ok(_) => self.say(&format!("{}\n", seconds(began.elapsed()))),
            Err(_) => self.say("failed\n"),
        }
        result.map_err(Into::into)
    }

    /// How long it took until now.
    pub fn elapsed(&self) -> String {
        seconds(self.began.elapsed()).trim_start().to_owned()
    }

    fn say(&self, text: &str) {
        if !self.silent {
            let mut stderr = io::stderr().lock();
            // If nobody can read it, nothing is to be done about that.
            let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:6.2} s", duration.as_secs_f64())
}
