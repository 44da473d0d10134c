//! OpenTelemetry traces: sent by OTLP over gRPC when `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`)
//! names a collector; OpenTelemetry's other variables say the rest. A trace is carried from process to process, and
//! through the outbox and Redis, in the form of W3C Trace Context.

use std::env;

use anyhow::{Context, Result, ensure};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
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
    let span = context.span();
    let here = span.span_context();
    here.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            here.trace_id(),
            here.span_id(),
            here.trace_flags().to_u8()
        )
    })
}

/// Makes `span` a part of the trace that `parent` tells of. Anything that is no trace parent is left aside.
pub fn follow(span: &Span, parent: &str) {
    if let Some(parent) = read(parent) {
        let context = opentelemetry::Context::new().with_remote_span_context(parent);
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

/// Version 00 of the header: trace id, span id, flags.
fn read(parent: &str) -> Option<SpanContext> {
    let mut parts = parent.split('-');
    let (Some("00"), Some(trace), Some(span), Some(flags), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trace_parent_is_read() {
        let check = |text: &str, is_one: bool| assert_eq!(read(text).is_some(), is_one, "{text}");
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", false);
        check("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", false);
        check("00-zz-b7ad6b7169203331-01", false);
        check("", false);
    }
}
