//! `portcullis events dead-letters`: announcements of ended access that failed, one line a letter.

use std::collections::{BTreeMap, BTreeSet};

use identity_proto::session::v1::{
    DeadLetter, DeleteDeadLetterRequest, ListDeadLettersRequest, ReplayDeadLetterRequest,
};
use serde::Serialize;
use serde_json::json;
use tonic::{Code, Status};

use super::{or_never, rfc3339};
use crate::cli;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    id: String,
    bucket: i32,
    buried_at: Option<String>,
    entry: String,
    fields: BTreeMap<String, String>,
    why: String,
    tries: i32,
}

pub(super) async fn run(command: cli::DeadLetters, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        cli::DeadLetters::List => list(system, output).await,
        cli::DeadLetters::Replay { id: Some(id), .. } => replay(system, output, &id).await,
        cli::DeadLetters::Replay { id: None, .. } => replay_all(system, output).await,
        cli::DeadLetters::Forget { id } => {
            let request = DeleteDeadLetterRequest { id: id.clone() };
            let forgotten = system.sessions().delete_dead_letter(request).await;
            forgotten.map_err(failure)?;
            output.answer(&json!({ "forgotten": &id }), &format!("{id} is forgotten"))
        }
    }
}

async fn list(system: &System, output: Output) -> Result<(), Failure> {
    let (letters, unread) = letters(system).await?;
    let next = if letters.is_empty() {
        "no dead letters wait"
    } else {
        "once what they failed of is mended: `events dead-letters replay ID`, or `--all`"
    };
    for letter in letters {
        let shown = Shown::from(letter);
        output.answer(&shown, &shown.to_text())?;
    }
    all_read(&unread)?;
    output.next(next);
    Ok(())
}

/// What was found is shown before.
fn all_read(unread: &BTreeSet<i32>) -> Result<(), Failure> {
    if unread.is_empty() {
        return Ok(());
    }
    let unread = unread.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
    Err(Failure::unreachable(format!(
        "there may be more: the Redis of these buckets cannot be reached: {unread}"
    )))
}

async fn replay(system: &System, output: Output, id: &str) -> Result<(), Failure> {
    let request = ReplayDeadLetterRequest { id: id.to_owned() };
    let answer = system.sessions().replay_dead_letter(request).await;
    replayed(output, id, &answer.map_err(failure)?.into_inner().entry)
}

fn replayed(output: Output, id: &str, entry: &str) -> Result<(), Failure> {
    output.answer(
        &json!({ "replayed": id, "entry": entry }),
        &format!("{id} is announced once more, as {entry}"),
    )
}

/// The service says itself what to do about a letter that there is not.
fn failure(status: Status) -> Failure {
    match status.code() {
        Code::NotFound => Failure::refused(status.message()),
        _ => status.into(),
    }
}

/// Those that wait now: one that fails again comes back, and is not replayed for ever.
async fn replay_all(system: &System, output: Output) -> Result<(), Failure> {
    let (letters, unread) = letters(system).await?;
    if letters.is_empty() && unread.is_empty() {
        output.next("no dead letters wait");
    }
    for letter in letters {
        let request = ReplayDeadLetterRequest { id: letter.id.clone() };
        match system.sessions().replay_dead_letter(request).await {
            Ok(answer) => replayed(output, &letter.id, &answer.into_inner().entry)?,
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => return Err(status.into()),
        }
    }
    all_read(&unread)
}

/// All that can be read, and the buckets that cannot.
async fn letters(system: &System) -> Result<(Vec<DeadLetter>, BTreeSet<i32>), Failure> {
    let (mut all, mut unread, mut page_token) = (Vec::new(), BTreeSet::new(), String::new());
    loop {
        let request = ListDeadLettersRequest {
            page_size: 1_000,
            page_token,
        };
        let page = system.sessions().list_dead_letters(request).await?.into_inner();
        all.extend(page.letters);
        unread.extend(page.unread_buckets);
        if page.next_page_token.is_empty() {
            return Ok((all, unread));
        }
        page_token = page.next_page_token;
    }
}

impl Shown {
    /// Whatever it holds: nothing of it is told to the terminal.
    fn to_text(&self) -> String {
        let Shown {
            id, bucket, tries, why, ..
        } = self;
        let fields = self.fields.iter().map(|(name, value)| format!("{name}={value}"));
        let fields = fields.collect::<Vec<_>>().join(" ");
        let at = or_never(self.buried_at.as_ref());
        let text = format!("{id}  {at}  bucket {bucket}  {fields}  failed {tries} times: {why}");
        let escape = |char: char| {
            if char.is_control() {
                char.escape_default().to_string()
            } else {
                char.to_string()
            }
        };
        text.chars().map(escape).collect()
    }
}

impl From<DeadLetter> for Shown {
    fn from(letter: DeadLetter) -> Self {
        Shown {
            id: letter.id,
            bucket: letter.bucket,
            buried_at: rfc3339(letter.bury_time),
            entry: letter.entry,
            fields: letter.fields.into_iter().collect(),
            why: letter.why,
            tries: letter.tries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_tells_the_terminal_nothing() {
        let letter = DeadLetter {
            id: "7:1-0".to_owned(),
            fields: [("ten\u{1b}]0;x\u{7}ant".to_owned(), "é\u{9b}2J\r\nd".to_owned())].into(),
            why: "no\u{7f}".to_owned(),
            ..DeadLetter::default()
        };
        let text = Shown::from(letter).to_text();
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(
            text.contains(r"ten\u{1b}]0;x\u{7}ant=é\u{9b}2J\r\nd") && text.contains(r"no\u{7f}"),
            "{text}"
        );
    }
}
