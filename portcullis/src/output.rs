//! Answers: text for people or JSON for scripts on standard output, hints on standard error.

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;

/// How answers are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Output { json }
    }

    /// Whether a script reads along.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// One answer: an object on one line, or the text.
    pub fn answer(self, value: &impl Serialize, text: &str) -> Result<(), Failure> {
        if self.json {
            let line = serde_json::to_string(value).map_err(anyhow::Error::from)?;
            return line_out(&line);
        }
        line_out(text)
    }

    /// What to do next, for people only.
    pub fn next(self, text: &str) {
        if !self.json {
            hint(text);
        }
    }
}

/// A line to standard output. A reader that went away, as `head` does, wants no more: that is no failure.
pub(crate) fn line_out(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A line to standard error. If nobody can read it, nothing is to be done about that.
pub(crate) fn hint(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
