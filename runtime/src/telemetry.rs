//! What a process tells: logs to standard error, filtered by `RUST_LOG`; metrics for Prometheus; and, when OpenTelemetry's
//! own variables name a collector, traces.

use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::trace;

/// Upper bounds of the buckets of every histogram of seconds.
const SECONDS: [f64; 15] = [
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
];

/// How often samples that nobody scraped are sorted in.
const UPKEEP: Duration = Duration::from_secs(5);

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One readable line an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// What telemetry of this process there is.
pub struct Telemetry {
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    traces: Option<SdkTracerProvider>,
}

/// Starts telemetry. To be called once, first, in the tokio runtime. Fails when a setting of it is wrong.
pub fn init(service: &'static str, format: LogFormat) -> Result<Telemetry> {
    let filter = filter(&std::env::var("RUST_LOG").unwrap_or_default())?;
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(ansi)
        .with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().with_filter(filter).boxed(),
    };
    let traces = trace::provider(service)?;
    let exported = traces.as_ref().map(trace::layer);
    tracing_subscriber::registry().with(lines).with(exported).init();

    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()
        .context("metrics cannot be recorded")?;
    metrics::gauge!("portcullis_build_info", "service" => service, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(Telemetry { metrics, traces })
}

/// By target and level alone: a filter that also knows spans and fields looks at each span each time that it is entered.
fn filter(text: &str) -> Result<Targets> {
    let parts: Vec<_> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    ensure!(
        !text.contains('['),
        "RUST_LOG chooses by target and level, and not by span: {text:?}"
    );
    let text = if parts.is_empty() {
        "info".to_owned()
    } else {
        parts.join(",")
    };
    text.parse().with_context(|| format!("RUST_LOG is no filter: {text:?}"))
}

impl Telemetry {
    /// Sorts samples into their histograms, for ever: a scrape does so too, but nobody may scrape.
    pub fn upkeep(&self) -> impl Future<Output = ()> + Send + 'static {
        let metrics = self.metrics.clone();
        async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                metrics.run_upkeep();
            }
        }
    }

    /// Sends what is still to be sent. Blocks for some seconds if the collector is away.
    pub fn flush(self) {
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_filter_is_read_as_people_write_it() {
        let check = |text: &str, (ours, others): (bool, bool)| {
            let filter = filter(text).unwrap();
            let lets_through = |target| filter.would_enable(target, &Level::DEBUG);
            assert_eq!(
                (lets_through("identity_core::access"), lets_through("h2")),
                (ours, others),
                "{text:?}"
            );
            assert_eq!(filter.would_enable("h2", &Level::WARN), text != "off", "{text:?}");
        };
        check("", (false, false));
        check(" info, ", (false, false));
        check("debug", (true, true));
        check("warn, identity_core=debug", (true, false));
        check("off", (false, false));
        for wrong in ["a=b=c", "[grpc]=debug", "identity_core[grpc{id=1}]=debug"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
