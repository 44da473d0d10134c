//! What only a build with the feature `sabotage` has: guards that can be taken away, and places where the process can be
//! frozen or killed. The fault campaign has to catch the one and to survive the other. In any other build all of this is
//! nothing, and in a release build it cannot be.

#[cfg(all(feature = "sabotage", not(debug_assertions)))]
compile_error!("the feature `sabotage` takes guards away: it is for the fault campaign and never for a release");

#[cfg(feature = "sabotage")]
pub use armed::{SETTINGS, failpoint, is_removed, script};
#[cfg(not(feature = "sabotage"))]
pub use disarmed::{SETTINGS, failpoint, is_removed, script};

#[cfg(not(feature = "sabotage"))]
mod disarmed {
    /// What is set for it.
    pub const SETTINGS: [&str; 0] = [];

    /// Whether this guard is taken away.
    pub const fn is_removed(_guard: &str) -> bool {
        false
    }

    /// A Lua script, or what is put in its place.
    pub const fn script(_file: &str, text: &'static str) -> &'static str {
        text
    }

    /// Freezes or kills the process here, if that was asked for.
    pub const fn failpoint(_name: &str) {}
}

#[cfg(feature = "sabotage")]
mod armed {
    use std::path::Path;
    use std::time::Duration;
    use std::{env, fs};

    use rustix::process::{Signal, getpid, kill_process};

    const REMOVED: &str = "PORTCULLIS_SABOTAGE";
    const SCRIPTS: &str = "PORTCULLIS_SABOTAGE_SCRIPTS";
    const FAILPOINTS: &str = "PORTCULLIS_FAILPOINTS";
    /// What is set for it: the guard that is taken away; a folder of scripts that go in the place of ours; a file with a
    /// line for each failpoint that is armed, such as `relay::claimed=freeze:10000` (ms) or `relay::claimed=kill`.
    pub const SETTINGS: [&str; 3] = [REMOVED, SCRIPTS, FAILPOINTS];

    /// Whether this guard is taken away.
    pub fn is_removed(guard: &str) -> bool {
        env::var(REMOVED).is_ok_and(|removed| removed == guard)
    }

    /// A Lua script, or what is put in its place.
    pub fn script(file: &str, text: &'static str) -> &'static str {
        let other = env::var_os(SCRIPTS).and_then(|folder| fs::read_to_string(Path::new(&folder).join(file)).ok());
        other.map_or(text, |text| text.leak())
    }

    /// Freezes or kills the process here, if that was asked for. A freeze is as one of the whole process for the task that
    /// comes by, and for nobody else: what is waited for with it does not time out meanwhile.
    pub fn failpoint(name: &str) {
        let armed = env::var_os(FAILPOINTS).and_then(|file| fs::read_to_string(file).ok());
        let armed = armed.unwrap_or_default();
        let what = armed
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        match what.map(|what| (what, what.strip_prefix("freeze:").map(str::parse))) {
            Some((_, Some(Ok(millis)))) => {
                tracing::warn!(name, millis, "frozen at a failpoint");
                tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(millis)));
            }
            Some(("kill", _)) => {
                let _ = kill_process(getpid(), Signal::KILL);
                std::thread::sleep(Duration::from_secs(1));
            }
            Some((what, _)) => tracing::error!(name, what, "no such action at a failpoint"),
            None => {}
        }
    }
}
