//! Installs missing programs with the system's package manager, where that needs no question: as root on Debian and its
//! kin. Everywhere else the error holds the line to run.
//!
//! The packages start servers of their own, on the usual ports. They are told not to (`policy-rc.d`, Debian's way for
//! an administrator to say so), unless the machine has such a policy already. Nothing that runs is touched.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_TEXT: &str =
    "#!/bin/sh\n# Left over from an interrupted installation by local-stack: remove it.\nexit 101\n";
/// Held while installing, so that two of us take turns. It exists wherever apt-get does.
const LOCK: &str = "/var/lib/dpkg";

/// The package managers that we know: where each is, how it installs, and what it calls PostgreSQL and Redis, and Chromium with
/// its driver.
const MANAGERS: [(&str, &str, [&str; 2], &str); 6] = [
    (
        "/usr/bin/apt-get",
        "sudo apt-get install -y",
        ["postgresql", "redis-server"],
        "chromium chromium-driver",
    ),
    (
        "/usr/bin/dnf",
        "sudo dnf install -y",
        ["postgresql-server", "redis"],
        "chromium chromedriver",
    ),
    ("/usr/bin/pacman", "sudo pacman -S", ["postgresql", "redis"], "chromium"),
    (
        "/sbin/apk",
        "apk add",
        ["postgresql", "redis"],
        "chromium chromium-chromedriver",
    ),
    (
        "/opt/homebrew/bin/brew",
        "brew install",
        ["postgresql@17", "redis"],
        "chromium chromedriver",
    ),
    (
        "/usr/local/bin/brew",
        "brew install",
        ["postgresql@17", "redis"],
        "chromium chromedriver",
    ),
];

/// What is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing {
    pub postgres: bool,
    pub redis: bool,
}

/// Installs what is missing, unless `found` says, once it is our turn, that somebody else has.
pub(crate) fn install(missing: Missing, found: impl Fn() -> bool) -> Result<()> {
    let packages = missing.packages(["postgresql", "redis-server"]);
    if !can_install() {
        bail!("{}", missing.advice());
    }
    with_apt(&missing.names(), &packages, found)
}

/// Installs one of Debian's packages that few need, under the same conditions.
pub(crate) fn install_package(name: &str, found: impl Fn() -> bool) -> Result<()> {
    ensure!(
        can_install(),
        "{name} not found, and it cannot be installed here without asking"
    );
    with_apt(name, &[name], found)
}

/// Installs a browser and the program that drives it, under the same conditions.
pub(crate) fn install_chromium(found: impl Fn() -> bool) -> Result<()> {
    let manager = MANAGERS.iter().find(|(program, ..)| Path::new(program).exists());
    let advice = manager.map_or_else(
        || "install Chromium and its chromedriver with your package manager".to_owned(),
        |(_, line, _, packages)| format!("install with: {line} {packages}"),
    );
    ensure!(can_install(), "chromedriver not found; {advice}");
    with_apt("chromedriver", &["chromium", "chromium-driver"], found)
}

fn can_install() -> bool {
    Path::new("/usr/bin/apt-get").exists() && rustix::process::geteuid().is_root()
}

fn with_apt(names: &str, packages: &[&str], found: impl Fn() -> bool) -> Result<()> {
    let lock = File::open(LOCK).with_context(|| format!("cannot open {LOCK}"))?;
    lock.lock()?;
    if found() {
        return Ok(());
    }
    say(&format!(
        "{names} not found: installing with apt-get install {}",
        packages.join(" ")
    ));
    let _policy = NoServers::ask()?;
    apt_get(&["update"])?;
    let mut arguments = vec![
        "install",
        "-y",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=300",
    ];
    arguments.extend(packages);
    apt_get(&arguments)
}

impl Missing {
    fn packages(self, [postgres, redis]: [&str; 2]) -> Vec<&str> {
        let both = [(self.postgres, postgres), (self.redis, redis)];
        both.into_iter()
            .filter(|(missing, _)| *missing)
            .map(|(_, name)| name)
            .collect()
    }

    fn names(self) -> String {
        self.packages(["PostgreSQL", "Redis"]).join(" and ")
    }

    /// What to type on this machine.
    fn advice(self) -> String {
        let found = MANAGERS.into_iter().find(|(program, ..)| Path::new(program).exists());
        match found {
            Some((_, line, names, _)) => format!(
                "{} not found; install with: {line} {}",
                self.names(),
                self.packages(names).join(" ")
            ),
            None => format!(
                "{} not found; install it with your package manager (PostgreSQL 15 or newer, Redis 7 or newer)",
                self.names()
            ),
        }
    }
}

/// While it lives, packages do not start servers.
struct NoServers {
    ours: bool,
}

impl NoServers {
    fn ask() -> Result<Self> {
        match OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY) {
            Ok(mut file) => {
                file.write_all(POLICY_TEXT.as_bytes())?;
                Ok(NoServers { ours: true })
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(NoServers { ours: false }),
            Err(error) => Err(error).with_context(|| format!("cannot write {POLICY}")),
        }
    }
}

impl Drop for NoServers {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(POLICY).is_err() {
            say(&format!("cannot remove {POLICY}: remove it by hand"));
        }
    }
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .context("cannot run apt-get")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "apt-get {} failed: {}",
        arguments.join(" "),
        text.trim()
    );
    Ok(())
}

/// To standard error, whether or not anybody listens to the logs: installing is never silent.
fn say(line: &str) {
    // Nobody reads standard error: nothing to be done about it.
    // The line before may be a step that waits for its end.
    let _ = writeln!(std::io::stderr(), "\n{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_named() {
        let check = |postgres, redis, expect: &str| {
            assert_eq!(Missing { postgres, redis }.names(), expect);
        };
        check(true, true, "PostgreSQL and Redis");
        check(false, true, "Redis");
        check(true, false, "PostgreSQL");
    }
}
