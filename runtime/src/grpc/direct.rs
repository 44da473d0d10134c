//! A way past tonic's router to one service, for the calls of which there are most: the router notes in each request which
//! of its routes was taken, and by which parameters, and nobody reads it.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::NamedService;
use tower::{Layer, Service};

/// The layer around the router. The service needs no place in there.
#[derive(Clone)]
pub struct Direct<D>(pub D);

/// A router that is passed by.
#[derive(Clone)]
pub struct Passed<D, S> {
    direct: D,
    router: S,
}

impl<D: Clone, S> Layer<S> for Direct<D> {
    type Service = Passed<D, S>;

    fn layer(&self, router: S) -> Self::Service {
        Passed {
            direct: self.0.clone(),
            router,
        }
    }
}

impl<D, S> Service<Request<Body>> for Passed<D, S>
where
    D: Service<Request<Body>, Error = Infallible, Future = BoxFuture<Response<Body>, Infallible>> + NamedService,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    /// The services that tonic generates are always ready.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.router.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let named = request.uri().path().strip_prefix('/');
        let method = named.and_then(|path| path.strip_prefix(D::NAME)?.strip_prefix('/'));
        if method.is_some() {
            self.direct.call(request)
        } else {
            Box::pin(self.router.call(request))
        }
    }
}
