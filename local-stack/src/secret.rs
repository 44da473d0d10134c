//! Random secrets, kept in files that only their owner can read.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::user::User;

/// 192 random bits as lower-case hex: safe in a URL, in SQL and in a configuration file.
pub fn random() -> Result<String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The secret in `path`; made and stored (mode 0600, owned by `user`) when there is none yet.
pub fn stored(path: &Path, user: Option<User>) -> Result<String> {
    if let Some(secret) = read(path)? {
        return Ok(secret);
    }
    let secret = random()?;
    write_private(path, &secret, user)?;
    Ok(secret)
}

/// The secret in `path`. An empty file holds none.
pub fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Replaces a file, in one step, by one of mode 0600 that `user` owns.
pub fn write_private(path: &Path, text: &str, user: Option<User>) -> Result<()> {
    write(path, text, 0o600, user)
}

/// Replaces a file, in one step, by one that the group of this process may read too.
pub fn write_for_group(path: &Path, text: &str) -> Result<()> {
    write(path, text, 0o640, None)
}

fn write(path: &Path, text: &str, mode: u32, user: Option<User>) -> Result<()> {
    let new = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        if let Some(user) = user {
            user.own(&new)?;
        }
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
