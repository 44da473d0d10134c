//! Where a server's data go: into the folder that was asked for, or, when the server's unprivileged user cannot reach
//! it (a home folder of mode 0700, say), under `/var/tmp`, with a symbolic link left in its place.

use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::leftover;
use crate::user::User;

/// For data of folders that the server's user cannot reach. Survives a reboot, unlike `/tmp`.
const ELSEWHERE: &str = "/var/tmp";

/// Makes the folder (mode 0700, owned by `user`) and answers where it really is.
pub fn make(folder: &Path, user: Option<User>) -> Result<PathBuf> {
    let folder = std::path::absolute(folder)?;
    let parent = folder.parent().unwrap_or(&folder);
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let linked = fs::read_link(&folder).ok();
    let reachable = match user {
        Some(user) => user.can_reach(parent)?,
        None => true,
    };
    let real = match linked {
        Some(target) => target,
        None if reachable => folder,
        None => link_elsewhere(&folder, user)?,
    };
    make_private(&real, user)?;
    Ok(real)
}

/// Removes a folder that [`make`] made, wherever it is, and ends what still runs in it.
pub fn remove(folder: &Path) -> Result<()> {
    let target = fs::read_link(folder).ok();
    let real = target.as_deref().unwrap_or(folder);
    leftover::end(real)?;
    match fs::remove_dir_all(real) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", real.display()));
        }
        _ => {}
    }
    if target.is_some() {
        fs::remove_file(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// A link that is gone was removed on purpose, so what it pointed to goes too: data do not come back.
fn link_elsewhere(folder: &Path, user: Option<User>) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    let target = Path::new(ELSEWHERE).join(format!("portcullis-{:016x}", hasher.finish()));
    if fs::symlink_metadata(&target).is_ok() {
        ensure_ours(&target, user)?;
        remove(&target)?;
    }
    make_private(&target, user)?;
    symlink(&target, folder).with_context(|| format!("cannot link {}", folder.display()))?;
    Ok(target)
}

fn make_private(folder: &Path, user: Option<User>) -> Result<()> {
    let failed = || format!("cannot make {}", folder.display());
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => ensure_ours(folder, user)?,
        Err(error) => return Err(error).with_context(failed),
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).with_context(failed)?;
    if let Some(user) = user {
        user.own(folder).with_context(failed)?;
    }
    Ok(())
}

/// `/var/tmp` is everybody's: a folder that somebody else prepared there is refused.
fn ensure_ours(folder: &Path, user: Option<User>) -> Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    let own = rustix::process::geteuid().as_raw();
    let ours = metadata.uid() == own || user.is_some_and(|user| user.uid == metadata.uid());
    ensure!(
        metadata.is_dir() && ours,
        "{} is somebody else's, or no folder: remove it and start again",
        folder.display()
    );
    Ok(())
}
