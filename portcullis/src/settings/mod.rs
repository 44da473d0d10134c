//! The settings of the services, as the command line declares them: which there are, and that no other is set. The names
//! of our own begin with `PORTCULLIS_`, so a misspelt one is found.

#[cfg(test)]
mod document;

use std::env;

use clap::{Arg, Command, CommandFactory};
use runtime::sabotage;

use crate::cli::Cli;
use crate::connect;
use crate::serve::PARENT_PID;

/// What the names of our own settings begin with.
pub(crate) const PREFIX: &str = "PORTCULLIS_";

/// Fails when a variable of the environment looks like a setting and is none.
pub(crate) fn check_environment() -> Result<(), String> {
    let given = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    match unknown(given).as_slice() {
        [] => Ok(()),
        [name, ..] => Err(refusal(name)),
    }
}

/// The names that look like settings and are none.
pub(crate) fn unknown(given: impl Iterator<Item = String>) -> Vec<String> {
    let known = known();
    given
        .filter(|name| name.starts_with(PREFIX) && !known.contains(name))
        .collect()
}

/// A name that differs in more letters was not meant.
const MISSPELT: usize = 3;

/// The services of `serve`, each with what it takes.
pub(crate) fn services() -> Vec<Command> {
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve");
    serve.map_or_else(Vec::new, |serve| serve.get_subcommands().cloned().collect())
}

/// The name of the variable that sets an option.
pub(crate) fn variable(option: &Arg) -> Option<String> {
    Some(option.get_env()?.to_string_lossy().into_owned())
}

/// One environment may serve several processes, so those of all services count, and those of the other commands.
fn known() -> Vec<String> {
    let services = services();
    let options = services.iter().flat_map(Command::get_arguments);
    let others = connect::SETTINGS
        .into_iter()
        .chain([PARENT_PID])
        .chain(sabotage::SETTINGS);
    options.filter_map(variable).chain(others.map(str::to_owned)).collect()
}

fn refusal(name: &str) -> String {
    let nearest = known().into_iter().min_by_key(|known| strsim::levenshtein(known, name));
    let nearest = nearest.filter(|known| strsim::levenshtein(known, name) <= MISSPELT);
    format!(
        "{name} is no setting{}; docs/configuration.md lists all",
        nearest.map_or(String::new(), |nearest| format!(", did you mean {nearest}?"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_setting_is_found_and_the_right_one_named() {
        let given = [
            "PATH",
            "PORTCULLIS_LISTEN",
            "PORTCULLIS_CORE_URL",
            "PORTCULLIS_LOGIN_KEY_FILE",
            "PORTCULLIS_POOL_SIZE",
        ];
        assert_eq!(unknown(given.map(str::to_owned).into_iter()), ["PORTCULLIS_POOL_SIZE"]);
        let said = refusal("PORTCULLIS_DATABASE_POOLSIZE");
        assert!(said.contains("did you mean PORTCULLIS_DATABASE_POOL_SIZE?"), "{said}");
        let said = refusal("PORTCULLIS_COLOUR_OF_THE_GATE");
        assert!(!said.contains("did you mean"), "{said}");
    }
}
