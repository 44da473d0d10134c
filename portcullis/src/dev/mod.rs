//! The whole system on this machine: private PostgreSQL and Redis, the three services as processes of this binary, a
//! demo tenant with a token, and a screen that says what to do with them.
//!
//! Everything lives in the data folder ([`home`]) and stays there between runs. Everything that was started ends with
//! this process: in order on Ctrl-C or SIGTERM, at once when it is killed, and what survived that is ended by the next
//! start.

mod children;
mod demo;
mod description;
mod home;
mod screen;
mod secrets;
mod services;
mod steps;

use std::env;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use runtime::{Secret, Shutdown};

pub(crate) use self::description::Description;
pub(crate) use self::secrets::Secrets;

use self::children::Children;
use self::description::Pids;
use self::home::Home;
use self::services::Services;
use self::steps::Steps;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::{self, Output};

const EDGE_PORT: u16 = 8080;
const DATABASE: &str = "portcullis";

/// Options of `portcullis dev`. Port 0 picks a free one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Options {
    /// Start over: remove all data of former runs first
    #[arg(long)]
    pub fresh: bool,
    /// The port of SCIM over HTTP [default: 8080]
    #[arg(long, value_name = "PORT")]
    pub edge_port: Option<u16>,
    /// The port of identity-core's gRPC [default: 0]
    #[arg(long, value_name = "PORT")]
    pub core_port: Option<u16>,
    /// The port of session-service's gRPC [default: 0]
    #[arg(long, value_name = "PORT")]
    pub sessions_port: Option<u16>,
    /// The port of the private PostgreSQL [default: 0]
    #[arg(long, value_name = "PORT")]
    pub postgres_port: Option<u16>,
    /// The port of the private Redis [default: 0]
    #[arg(long, value_name = "PORT")]
    pub redis_port: Option<u16>,
}

/// Runs until Ctrl-C, SIGTERM, or the death of a child.
pub(crate) async fn run(data_dir: &Path, options: Options, output: Output) -> Result<(), Failure> {
    let shutdown = Shutdown::on_signals(Duration::ZERO)?;
    let home = Home::open(data_dir)?;
    home.forget_description()?; // what a killed run left describes nothing that lives
    let mut children = Children::default();
    let mut result = up(&home, &options, &mut children, output, &shutdown).await;
    if result.is_ok() {
        result = children.watch(&shutdown).await;
    }
    home.forget()?;
    if !children.is_empty() {
        output::hint("stopping …");
        children.stop()?;
        output::hint(&format!("stopped; the data stay in {}", data_dir.display()));
    }
    result
}

/// Starts everything, tells the other commands where it is, and shows the screen.
async fn up(
    home: &Home,
    options: &Options,
    children: &mut Children,
    output: Output,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let steps = Steps::new(output, shutdown.clone());
    let listeners = [
        bind(options.edge_port.unwrap_or(EDGE_PORT), "--edge-port")?,
        bind(options.core_port.unwrap_or(0), "--core-port")?,
        bind(options.sessions_port.unwrap_or(0), "--sessions-port")?,
    ];
    home.end_leftovers()?;
    if options.fresh {
        steps
            .step("removing the data of former runs", async { home.wipe() })
            .await?;
    }
    let secrets = Secrets::of(home)?;
    let database_url = postgres(home, options, children, &steps).await?;
    let redis_url = redis(home, options, children, &steps).await?;
    let migrating = async {
        let migrated = identity_core::migrate(&Secret::new(&*database_url)).await;
        migrated.map_err(|error| {
            Failure::refused(format!(
                "{error:#}; if another version of this program made the data, --fresh removes them and starts over"
            ))
        })
    };
    steps.step("migrating the database", migrating).await?;

    let services = Services::new(home, &secrets, &database_url, &redis_url, listeners)?;
    let addresses = services.addresses();
    let pids = services.start(children, &steps, shutdown).await?;
    let system = System::connect(addresses.core.clone(), addresses.sessions.clone(), &secrets.operator)?;
    let demo = steps
        .step("preparing the tenant demo", demo::prepare(home, &system))
        .await?;
    let description = Description {
        scim_url: addresses.scim(),
        scim_token: demo.token.clone(),
        tenant_id: demo.tenant_id.clone(),
        identity_grpc: addresses.core,
        session_grpc: addresses.sessions,
        service_key: secrets.operator.expose().to_owned(),
        postgres_url: database_url,
        redis_url,
        admin: addresses.admin,
        pids: Pids {
            postgres: children.postgres_pid(),
            redis: children.redis_pid(),
            ..pids
        },
    };
    description.write(home)?;
    let shown = screen::text(
        &description,
        &demo,
        home.given(),
        &steps.elapsed(),
        &screen::invocation(home.given()),
    );
    output.answer(&description, &shown)
}

async fn postgres(home: &Home, options: &Options, children: &mut Children, steps: &Steps) -> Result<String, Failure> {
    if let Some(url) = given("DATABASE_URL") {
        return Ok(url);
    }
    let port = free(options.postgres_port, "--postgres-port")?;
    let folder = home.postgres();
    steps
        .step("finding PostgreSQL", async { local_stack::programs::postgres() })
        .await?;
    if !home.has_cluster() {
        let making = async { local_stack::Postgres::init(&folder) };
        steps.step("making a database cluster (this once)", making).await?;
    }
    let options = local_stack::postgres::Options {
        port,
        log: Some(home.log("postgres")?),
        throwaway: false,
        ..Default::default()
    };
    let starting = async {
        let postgres = local_stack::Postgres::start(&folder, &options)?;
        postgres.create_database(DATABASE)?;
        anyhow::Ok(postgres)
    };
    let postgres = steps.step("starting PostgreSQL", starting).await?;
    let url = postgres.url(DATABASE);
    children.postgres = Some(postgres);
    Ok(url)
}

async fn redis(home: &Home, options: &Options, children: &mut Children, steps: &Steps) -> Result<String, Failure> {
    if let Some(url) = given("REDIS_URL") {
        return Ok(url);
    }
    let port = free(options.redis_port, "--redis-port")?;
    let folder = home.redis();
    steps
        .step("finding Redis", async { local_stack::programs::redis() })
        .await?;
    let options = local_stack::redis::Options {
        port,
        log: Some(home.log("redis")?),
        ..local_stack::redis::Options::default()
    };
    let starting = async { local_stack::Redis::start(&folder, &options) };
    let redis = steps.step("starting Redis", starting).await?;
    let url = redis.url();
    children.redis = Some(redis);
    Ok(url)
}

/// A server that is already there is used instead of a private one.
fn given(name: &str) -> Option<String> {
    env::var(name).ok().filter(|url| !url.is_empty())
}

fn bind(port: u16, flag: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => taken(&format!("port {port} is taken by another process"), flag),
        _ => taken(&format!("port {port} cannot be listened on ({error})"), flag),
    })
}

fn free(port: Option<u16>, flag: &str) -> Result<u16, Failure> {
    let port = port.unwrap_or(0);
    local_stack::port::check(port).map_err(|error| taken(&format!("{error:#}"), flag))?;
    Ok(port)
}

fn taken(what: &str, flag: &str) -> Failure {
    Failure::refused(format!(
        "{what}: choose another with {flag}, or {flag} 0 for any free one"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_flag() {
        let holder = bind(0, "--core-port").unwrap();
        let port = holder.local_addr().unwrap().port();
        let expect =
            format!("port {port} is taken by another process: choose another with --x, or --x 0 for any free one");
        assert_eq!(bind(port, "--x").unwrap_err().to_string(), expect);
        assert_eq!(free(Some(port), "--x").unwrap_err().to_string(), expect);
    }
}
