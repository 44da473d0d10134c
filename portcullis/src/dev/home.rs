//! The data folder. All in it but the folder itself is made by us, and `--fresh` removes no more than that.
//!
//! | in it | is |
//! |---|---|
//! | `dev.json` | where the running system is; gone when it is stopped |
//! | `postgres/`, `redis/` | the servers' data |
//! | `secrets/` | service keys, the login key, the demo tenant's token; mode 0600 |
//! | `logs/` | one file for each process |
//! | `core.pid`, `sessions.pid`, `edge.pid` | the running services |
//! | `lock` | held while `dev` runs; the number of its process |

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use local_stack::leftover;
use local_stack::process::Signal;
use local_stack::{Process, place};

use super::description::Description;
use crate::failure::Failure;

/// The names of the services on the command line, in the order in which they start.
pub(super) const SERVICES: [&str; 3] = ["core", "sessions", "edge"];

/// The data folder, ours alone as long as this value lives.
pub(super) struct Home {
    given: PathBuf,
    path: PathBuf,
    _lock: File,
}

impl Home {
    /// Makes the folder unless it is there, and locks it.
    pub fn open(given: &Path) -> Result<Self, Failure> {
        let failed = || format!("cannot use --data-dir {}", given.display());
        fs::create_dir_all(given).with_context(failed)?;
        let path = given.canonicalize().with_context(failed)?;
        let lock = lock(&path.join("lock"), given)?;
        Ok(Home {
            given: given.to_owned(),
            path,
            _lock: lock,
        })
    }

    /// As it was given on the command line.
    pub fn given(&self) -> &Path {
        &self.given
    }

    /// Its full path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// PostgreSQL's folder.
    pub fn postgres(&self) -> PathBuf {
        self.file("postgres")
    }

    /// Redis's folder.
    pub fn redis(&self) -> PathBuf {
        self.file("redis")
    }

    /// Whether `initdb` was run here.
    pub fn has_cluster(&self) -> bool {
        self.postgres().join("data/PG_VERSION").exists()
    }

    /// The log file of a process.
    pub fn log(&self, name: &str) -> Result<PathBuf> {
        let folder = self.file("logs");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder.join(format!("{name}.log")))
    }

    /// The folder of the secrets, made if need be.
    pub fn secrets(&self) -> Result<PathBuf> {
        let folder = self.file("secrets");
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).with_context(|| format!("cannot make {}", folder.display()))
            }
            _ => Ok(folder),
        }
    }

    /// Notes that a service runs, for [`Home::end_leftovers`].
    pub fn note(&self, service: &str, process: &Process) -> Result<()> {
        fs::write(self.pid_file(service), process.pid().to_string()).context("cannot write a pid file")
    }

    /// Ends the services that an earlier `dev` left behind when it was killed. The servers do so for themselves.
    pub fn end_leftovers(&self) -> Result<()> {
        for service in SERVICES {
            let signals = [Signal::TERM, Signal::KILL, Signal::KILL];
            leftover::end_one(&self.pid_file(service), &self.path, signals)?;
        }
        Ok(())
    }

    /// After an orderly stop nothing points to what is gone.
    pub fn forget(&self) -> Result<()> {
        for name in SERVICES.map(|service| self.pid_file(service)) {
            remove_file(&name)?;
        }
        self.forget_description()
    }

    /// Removes what tells scripts where the system is.
    pub fn forget_description(&self) -> Result<()> {
        remove_file(&self.file(Description::FILE))
    }

    /// Removes what we made here.
    pub fn wipe(&self) -> Result<()> {
        self.forget()?;
        place::remove(&self.postgres())?;
        place::remove(&self.redis())?;
        for name in ["secrets", "logs"] {
            match fs::remove_dir_all(self.file(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", self.file(name).display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn pid_file(&self, service: &str) -> PathBuf {
        self.file(&format!("{service}.pid"))
    }
}

fn lock(path: &Path, given: &Path) -> Result<File, Failure> {
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path);
    let mut file = open.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            return Err(Failure::refused(format!(
                "the system already runs in {} (process {}): stop it there, or give another --data-dir",
                given.display(),
                holder.trim()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())?;
    Ok(file)
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_has_one_user_and_is_wiped_of_our_own_things_only() {
        let folder = std::env::temp_dir().join(format!("home-{}", std::process::id()));
        let home = Home::open(&folder).unwrap();
        let second = Home::open(&folder).err().unwrap().to_string();
        assert!(
            second.contains(&format!("(process {})", std::process::id())),
            "{second}"
        );
        fs::write(home.secrets().unwrap().join("token"), "x").unwrap();
        fs::write(home.file("mine"), "x").unwrap();
        home.wipe().unwrap();
        assert!(!home.file("secrets").exists() && home.file("mine").exists());
        drop(home);
        Home::open(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
