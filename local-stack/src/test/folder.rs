//! Where test servers keep their data: `target/local-stack`.
//!
//! | in it | is |
//! |---|---|
//! | `postgres-<version>/` | a cluster as `initdb` makes it, copied by every test process |
//! | `run-<process>-<number>/` | one server's data; `lock` in it is held while its process lives |
//! | `lock` | held while folders are made or removed |
//!
//! A process cannot remove its own servers' folders when it dies, so the next one does.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::{place, user};

/// The folder of one test server, held as long as this value lives.
#[derive(Debug)]
pub(crate) struct RunFolder {
    pub path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Makes a new one, and removes those whose processes are gone.
    pub fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let root = root()?;
        let _held = held(&root)?;
        sweep(&root)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("run-{}-{number}", std::process::id()));
        place::make(&path, user::unprivileged()?)?;
        let lock = lock_file(&path)?;
        lock.lock()?;
        Ok(RunFolder { path, _lock: lock })
    }
}

/// Keeps other test processes out while folders are made or removed.
pub(super) fn held(root: &Path) -> Result<File> {
    let lock = lock_file(root)?;
    lock.lock()?;
    Ok(lock)
}

/// `target/local-stack`, or what stands for it where the servers' user cannot reach that.
pub(super) fn root() -> Result<PathBuf> {
    place::make(&target()?.join("local-stack"), user::unprivileged()?)
}

/// The folder that cargo marked as its own, seen from the test binary.
fn target() -> Result<PathBuf> {
    let binary = std::env::current_exe()?;
    let marked = binary.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    Ok(marked.map_or_else(std::env::temp_dir, Path::to_owned))
}

fn sweep(root: &Path) -> Result<()> {
    for entry in fs::read_dir(root)?.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with("run-") {
            continue;
        }
        if lock_file(&path).is_ok_and(|lock| lock.try_lock().is_ok()) {
            place::remove(&path)?;
        }
    }
    Ok(())
}

fn lock_file(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))
}
