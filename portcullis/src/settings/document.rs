//! `docs/configuration.md`, made from what the command line declares, so that it cannot say anything else.
//! `WRITE_DOCS=1 cargo test -p portcullis configuration` writes it.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command};

use super::{services, variable};

const INTRODUCTION: &str = "\
# Configuration

*Made from the program's own declarations; `WRITE_DOCS=1 cargo test -p portcullis configuration` writes it anew.*

A service takes its settings from the environment, or from the option in the second column, which wins. They are read whole
before anything is bound: a setting that is missing, wrong, contradictory or unknown ends the start with exit code 2 and a line
that names it. Every variable that begins with `PORTCULLIS_` must be one of those below; one environment may serve all
three services.

**Secrets** have a twin `…_FILE` with the path of a file that holds the value, for secrets that are mounted; a newline at its end is
left out. Giving both is an error. Secrets are never logged, nor shown by `--help`.
";

const LIBRARIES: &str = "
## What the libraries read

| variable | what it does |
|---|---|
| `RUST_LOG` | Which log lines are written, by target and level, such as `info` (default) or `warn,identity_core=debug` |
| `TOKIO_WORKER_THREADS` | How many threads a process works with; default: as many as there are processors, half of them (rounded up) in session-service, where more gain something only with a Cluster |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | Which certificates identity-core trusts when it fetches the keys of clients' issuers; default: the system's |
| `NO_COLOR` | Log lines without colours; there are none either where standard error is no terminal |
| `OTEL_EXPORTER_OTLP_ENDPOINT` | A collector for OpenTelemetry traces, by OTLP over gRPC, such as `http://collector:4317`. No traces are made without it |
| `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | How the process is named in traces; default: the service's name |
| `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | Which traces are kept; default: all, or as the caller of the edge decided where `PORTCULLIS_TRUST_FORWARDED` is set |
| `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BSP_SCHEDULE_DELAY`, … | How spans are batched, as OpenTelemetry's specification has it |
| `OTEL_SDK_DISABLED` | `true`: no traces, whatever else is set |

## The other commands

`portcullis tenant`, `token`, `access` and the like find the running system by `--data-dir` (its `dev.json`), or by these, which
win: `PORTCULLIS_CORE_URL`, `PORTCULLIS_SESSION_URL`, and `PORTCULLIS_SERVICE_KEY` or its twin `PORTCULLIS_SERVICE_KEY_FILE`, a
key of role `admin`.
";

/// The whole document.
fn document() -> String {
    let services = services();
    let mut text = INTRODUCTION.to_owned();
    let is_common = |option: &Arg| {
        services
            .iter()
            .all(|service| options(service).any(|one| same(one, option)))
    };
    let Some(first) = services.first() else { return text };
    section(
        &mut text,
        "Every service",
        options(first).filter(|option| is_common(option)),
    );
    for service in &services {
        let about = service.get_about().map(ToString::to_string).unwrap_or_default();
        let heading = format!("`portcullis serve {}`: {about}", service.get_name());
        section(
            &mut text,
            &heading,
            options(service).filter(|option| !is_common(option)),
        );
    }
    text.push_str(LIBRARIES);
    text
}

/// What a service takes from the environment.
fn options(service: &Command) -> impl Iterator<Item = &Arg> {
    service.get_arguments().filter(|option| variable(option).is_some())
}

fn same(one: &Arg, other: &Arg) -> bool {
    variable(one) == variable(other)
        && one.get_help().map(ToString::to_string) == other.get_help().map(ToString::to_string)
}

fn section<'a>(text: &mut String, heading: &str, options: impl Iterator<Item = &'a Arg>) {
    let _ = write!(
        text,
        "\n## {heading}\n\n| variable | option | default | what it does |\n|---|---|---|---|\n"
    );
    let options: Vec<_> = options.collect();
    let names: Vec<_> = options.iter().filter_map(|option| variable(option)).collect();
    for (option, name) in options.iter().zip(&names) {
        let long = option.get_long().unwrap_or_default();
        let default = default(option, names.contains(&format!("{name}_FILE")));
        let _ = writeln!(text, "| `{name}` | `--{long}` | {default} | {} |", help(option));
    }
}

fn default(option: &Arg, has_file: bool) -> String {
    let values: Vec<_> = option
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    match (values.is_empty(), option.is_required_set()) {
        (false, _) => format!("`{}`", values.join(",")),
        (true, true) => "required".to_owned(),
        (true, false) if has_file => "this or its file".to_owned(),
        (true, false) => String::new(),
    }
}

/// The help, whole, and what the value may be.
fn help(option: &Arg) -> String {
    let help = option
        .get_long_help()
        .or(option.get_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut help = help
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|");
    let possible = option.get_possible_values();
    if !possible.is_empty() && option.get_action().takes_values() {
        let names: Vec<_> = possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let _ = write!(help, ": {}", names.join(" or "));
    }
    help
}

#[test]
fn the_configuration_document_says_what_the_program_takes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let document = document();
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&file, &document).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == document,
        "docs/configuration.md is out of date: WRITE_DOCS=1 cargo test -p portcullis configuration"
    );
}
