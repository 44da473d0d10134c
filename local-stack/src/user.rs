//! The unprivileged user as which root runs the servers.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

/// In this order of preference: the server's own user where its package is installed, else the user of nothing.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// A user by numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
}

impl User {
    /// Makes `path` this user's.
    pub fn own(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }

    /// Whether this user may pass through every folder down to and including `folder`, which must exist.
    pub fn can_reach(self, folder: &Path) -> io::Result<bool> {
        let folder = folder.canonicalize()?;
        for ancestor in folder.ancestors() {
            let metadata = fs::metadata(ancestor)?;
            let bit = if metadata.uid() == self.uid {
                0o100
            } else if metadata.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if metadata.mode() & bit == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The user to start servers as: `None`, ourselves, unless we are root.
pub fn unprivileged() -> Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd")?;
    match NAMES.iter().find_map(|name| look_up(&passwd, name)) {
        Some(user) => Ok(Some(user)),
        None => bail!("PostgreSQL does not run as root, and there is no user postgres or nobody: make one of them"),
    }
}

/// Runs a command as `user`; as ourselves when there is none.
pub fn as_user(command: &mut Command, user: Option<User>) -> &mut Command {
    match user {
        Some(user) => command.uid(user.uid).gid(user.gid),
        None => command,
    }
}

fn look_up(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(User { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgresql:x:7:7::/:/bin/sh\npostgres:x:100:102::/:/bin/sh\n";
        assert_eq!(look_up(passwd, "postgres"), Some(User { uid: 100, gid: 102 }));
        assert_eq!(look_up(passwd, "nobody"), None);
    }

    #[test]
    fn a_closed_folder_stops_a_stranger() {
        let folder = std::env::temp_dir().join(format!("reach-{}", std::process::id()));
        let inner = folder.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let stranger = User {
            uid: 4_000_000,
            gid: 4_000_000,
        };
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(stranger.can_reach(&inner).unwrap());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!stranger.can_reach(&inner).unwrap());
        let owner = fs::metadata(&folder).unwrap();
        assert!(
            User {
                uid: owner.uid(),
                gid: owner.gid()
            }
            .can_reach(&inner)
            .unwrap()
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
