//! What a gRPC server tells of each call: one span with the request's id, in the caller's trace, and its metrics. The
//! outermost layer, so that what authentication refuses is seen too.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, Request, Response};
use metrics::{Counter, Histogram};
use tonic::Code;
use tower::{Layer, Service};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::{RequestId, trace};

/// Health is asked every second, by machines; reflection is part of no request.
const UNOBSERVED: &str = "/grpc.";
/// What a path is called that is no method: a caller may invent as many as it likes.
const NO_METHOD: &str = "none";

/// Observes the calls of a server.
#[derive(Clone)]
pub struct Observe {
    methods: Arc<HashMap<&'static str, Arc<Method>>>,
    none: Arc<Method>,
}

/// A method and its metrics, which are looked up once: that took longer than to count.
struct Method {
    name: &'static str,
    succeeded: OnceLock<Counter>,
    took: OnceLock<Histogram>,
}

impl Observe {
    /// `methods` are the paths of all methods that are served, such as `/identity.v1.UserService/GetUser`.
    pub fn new(methods: &'static HashSet<String>) -> Self {
        metrics::describe_counter!("portcullis_grpc_requests_total", "gRPC calls answered");
        metrics::describe_histogram!(
            "portcullis_grpc_request_duration_seconds",
            "From a gRPC call's arrival to its answer"
        );
        let methods = methods.iter().map(|path| (&**path, Method::new(path)));
        Observe {
            methods: Arc::new(methods.collect()),
            none: Method::new(NO_METHOD),
        }
    }

    fn method(&self, path: &str) -> &Arc<Method> {
        self.methods.get(path).unwrap_or(&self.none)
    }
}

impl Method {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Method {
            name,
            succeeded: OnceLock::new(),
            took: OnceLock::new(),
        })
    }

    fn answered(&self, code: Code) -> Counter {
        metrics::counter!("portcullis_grpc_requests_total", "method" => self.name, "code" => name(code))
    }

    fn took(&self) -> &Histogram {
        self.took
            .get_or_init(|| metrics::histogram!("portcullis_grpc_request_duration_seconds", "method" => self.name))
    }
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Observed {
            observe: self.clone(),
            inner,
        }
    }
}

/// A server whose calls are observed.
#[derive(Clone)]
pub struct Observed<S> {
    observe: Observe,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Observed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path().starts_with(UNOBSERVED) {
            return Box::pin(self.inner.call(request));
        }
        let method = self.observe.method(request.uri().path());
        let id = RequestId::sent(request.headers()).unwrap_or_else(RequestId::random);
        let span = span(method.name, &id, request.headers());
        let told = Told::new(method.clone());
        let answering = span.in_scope(|| self.inner.call(request));
        let observed = async move {
            let mut told = told;
            let answer = answering.await;
            told.code = answer.as_ref().map_or(Code::Unknown, |answer| code(answer.headers()));
            answer
        };
        Box::pin(id.scope(observed).instrument(span))
    }
}

/// Counts a call when it is over, also when its caller gave it up.
struct Told {
    method: Arc<Method>,
    code: Code,
    since: Instant,
}

impl Told {
    fn new(method: Arc<Method>) -> Self {
        Told {
            method,
            code: Code::Cancelled,
            since: Instant::now(),
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let method = &self.method;
        match self.code {
            Code::Ok => method.succeeded.get_or_init(|| method.answered(Code::Ok)).increment(1),
            code => method.answered(code).increment(1),
        }
        method.took().record(self.since.elapsed().as_secs_f64());
    }
}

/// At the level of errors, so that every line of the request has its id, whatever `RUST_LOG` lets through.
fn span(method: &'static str, id: &RequestId, headers: &HeaderMap) -> Span {
    let span = tracing::error_span!("grpc", method, request.id = %id, tenant.id = Empty);
    trace::follow_headers(&span, headers);
    span
}

/// A refusal has its code in the headers; success tells it only after the body.
fn code(headers: &HeaderMap) -> Code {
    headers
        .get("grpc-status")
        .map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// As gRPC's documents spell it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
