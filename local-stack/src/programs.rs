//! Finds the server programs of PostgreSQL and Redis, and what else tests run, and has them installed when they are missing.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow};

use crate::install;

/// The oldest major versions that will do.
const OLDEST_POSTGRES: u32 = 15;
const OLDEST_REDIS: u32 = 7;

/// Where versions of PostgreSQL live when they are not in the PATH: `*` stands for one folder.
const POSTGRES_FOLDERS: [&str; 6] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];
const REDIS_FOLDERS: [&str; 3] = ["/opt/homebrew/bin", "/usr/local/bin", "/home/linuxbrew/.linuxbrew/bin"];
const FAKETIME: [&str; 2] = [
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];
/// Valkey is the same server under a free licence.
const REDIS_NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// PostgreSQL's programs of one version.
#[derive(Clone, Debug)]
pub struct PostgresPrograms {
    /// The folder of `postgres`, `initdb` and `psql`.
    pub bin: PathBuf,
    /// The major version.
    pub major: u32,
    /// As `postgres --version` says it.
    pub version: String,
}

/// The Redis server's program.
#[derive(Clone, Debug)]
pub struct RedisProgram {
    /// `redis-server` or `valkey-server`.
    pub path: PathBuf,
    /// As `--version` says it, shortened.
    pub version: String,
}

/// PostgreSQL, from the PATH or else the newest version installed; installed now if it is missing and that is possible
/// without asking.
pub fn postgres() -> Result<PostgresPrograms> {
    find_or_install(find_postgres)
}

/// Redis or Valkey, in the same manner.
pub fn redis() -> Result<RedisProgram> {
    find_or_install(find_redis)
}

/// The library that shows a process another time, where it can be found or installed; there is one for Debian and its
/// kin.
pub fn libfaketime() -> Result<PathBuf> {
    let find = || FAKETIME.into_iter().flat_map(matching).find(|path| path.is_file());
    if let Some(found) = find() {
        return Ok(found);
    }
    install::install_package("libfaketime", || find().is_some())?;
    find().ok_or_else(|| anyhow!("the package libfaketime was installed, but its library is not where it was"))
}

/// The program through which tests steer a browser, in the same manner; it finds the browser itself.
pub fn chromedriver() -> Result<PathBuf> {
    let find = || in_path(&["chromedriver"]).next();
    if let Some(found) = find() {
        return Ok(found);
    }
    let installed = install::install_chromium(|| find().is_some());
    installed.context("what is needed is any Chrome or Chromium whose chromedriver is in PATH")?;
    find().ok_or_else(|| anyhow!("the package chromium-driver was installed, but there is no chromedriver in PATH"))
}

fn find_or_install<T>(find: fn() -> Option<T>) -> Result<T> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let missing = install::Missing {
        postgres: find_postgres().is_none(),
        redis: find_redis().is_none(),
    };
    install::install(missing, || find().is_some())?;
    find().ok_or_else(|| {
        anyhow!(
            "the packages were installed, but are too old: PostgreSQL {OLDEST_POSTGRES} and Redis {OLDEST_REDIS} are \
             the oldest that will do; install newer ones, or set DATABASE_URL and REDIS_URL"
        )
    })
}

fn find_postgres() -> Option<PostgresPrograms> {
    let in_path = in_path(&["postgres"]).filter_map(|path| Some(path.canonicalize().ok()?.parent()?.to_owned()));
    let mut elsewhere: Vec<_> = POSTGRES_FOLDERS.iter().flat_map(|pattern| matching(pattern)).collect();
    elsewhere.sort_by_key(|bin| std::cmp::Reverse(postgres_in(bin).map(|programs| programs.major)));
    in_path
        .chain(elsewhere)
        .filter_map(|bin| postgres_in(&bin))
        .find(|programs| programs.major >= OLDEST_POSTGRES)
}

fn postgres_in(bin: &Path) -> Option<PostgresPrograms> {
    ["initdb", "psql"]
        .iter()
        .all(|name| bin.join(name).exists())
        .then_some(())?;
    let text = version_text(&bin.join("postgres"))?;
    let version = version_number(&text)?;
    Some(PostgresPrograms {
        bin: bin.to_owned(),
        major: major(&version)?,
        version,
    })
}

fn find_redis() -> Option<RedisProgram> {
    let elsewhere = REDIS_FOLDERS
        .iter()
        .flat_map(|folder| REDIS_NAMES.iter().map(move |name| Path::new(folder).join(name)));
    in_path(&REDIS_NAMES).chain(elsewhere).find_map(|path| {
        let version = version_number(&version_text(&path)?)?;
        (major(&version)? >= OLDEST_REDIS).then_some(RedisProgram { path, version })
    })
}

fn in_path<'a>(names: &'a [&'a str]) -> impl Iterator<Item = PathBuf> + 'a {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    folders
        .into_iter()
        .flat_map(move |folder| names.iter().map(move |name| folder.join(name)))
        .filter(|path| path.is_file())
}

/// The folders that fit a pattern with one `*`.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let fits = |name: &OsStr| name.to_string_lossy().starts_with(prefix);
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| fits(&entry.file_name()))
        .map(|entry| PathBuf::from(format!("{}{after}", entry.path().display())))
        .collect()
}

fn version_text(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first word that is a version: `15.14` of `postgres (PostgreSQL) 15.14 (Debian …)`, `7.0.15` of
/// `Redis server v=7.0.15 sha=…`.
fn version_number(text: &str) -> Option<String> {
    text.split_whitespace()
        .map(|word| word.trim_start_matches("v="))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .map(str::to_owned)
}

/// `18` of `18.1` and of `18beta1`.
fn major(version: &str) -> Option<u32> {
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_programs_say() {
        let check = |text: &str, expect: Option<(&str, u32)>| {
            let version = version_number(text);
            let found = version.as_deref().and_then(|version| Some((version, major(version)?)));
            assert_eq!(found, expect, "{text}");
        };
        check(
            "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n",
            Some(("15.14", 15)),
        );
        check("postgres (PostgreSQL) 18beta1", Some(("18beta1", 18)));
        check(
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64",
            Some(("7.0.15", 7)),
        );
        check("Valkey server v=8.1.0 sha=00000000:0", Some(("8.1.0", 8)));
        check("no version", None);
    }
}
