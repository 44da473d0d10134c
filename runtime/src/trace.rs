//! OpenTelemetry traces: sent by OTLP over gRPC when `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`)
//! names a collector; OpenTelemetry's other variables say the rest. A trace is carried from process to process, and
//! through the outbox and Redis, in the form of W3C Trace Context.

use std::collections::HashMap;
use std::env;

use anyhow::{Context as _, Result, ensure};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer;

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"];

/// W3C Trace Context's header.
pub const TRACE_PARENT: HeaderName = HeaderName::from_static(NAME);
pub(crate) const NAME: &str = "traceparent";

/// The crates whose spans are exported; those of libraries are noise.
const OURS: [&str; 5] = ["identity_core", "portcullis", "runtime", "scim_edge", "session_service"];

/// Where traces go, if anywhere.
pub(crate) fn provider(service: &'static str) -> Result<Option<SdkTracerProvider>> {
    let set = |name: &&str| env::var(name).is_ok_and(|value| !value.is_empty());
    let disabled = env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    if disabled || !ENDPOINTS.iter().any(set) {
        return Ok(None);
    }
    for name in PROTOCOLS {
        let protocol = env::var(name).unwrap_or_default();
        ensure!(
            matches!(protocol.as_str(), "" | "grpc"),
            "{name} is {protocol:?}; only grpc is built in"
        );
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .build()
        .context("OTEL_EXPORTER_OTLP_ENDPOINT")?;
    let resource = Resource::builder();
    let resource = if set(&"OTEL_SERVICE_NAME") {
        resource
    } else {
        resource.with_service_name(service)
    };
    Ok(Some(
        SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build(),
    ))
}

/// Turns our spans into OpenTelemetry's.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let ours = OURS.map(|name| (name, LevelFilter::INFO));
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("portcullis"))
        .with_filter(Targets::new().with_targets(ours))
}

/// The place of `span` in its trace; `None` when there is no trace.
pub fn parent(span: &Span) -> Option<String> {
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carried = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carried);
    carried.remove(NAME)
}

/// Makes `span` a part of the trace that `parent` tells of. Anything that is no trace parent is left aside.
pub fn follow(span: &Span, parent: &str) {
    let carried = HashMap::from([(NAME.to_owned(), parent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carried);
    if context.span().span_context().is_valid() {
        // Fails only where nobody listens to the span.
        let _ = span.set_parent(context);
    }
}

/// The same for the trace that a request's headers tell of.
pub fn follow_headers(span: &Span, headers: &HeaderMap) {
    if let Some(Ok(parent)) = headers.get(TRACE_PARENT).map(HeaderValue::to_str) {
        follow(span, parent);
    }
}
