//! The authentication as a tower layer around all services.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use identity_proto::identity::v1::ErrorReason;
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tower::{Layer, Service};

use super::{Auth, methods};
use crate::Error;

/// Health is for orchestrators, which have no key.
const OPEN: &str = "/grpc.health.v1.Health/";
impl<S> Layer<S> for Auth {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticated {
            auth: self.clone(),
            inner,
        }
    }
}

/// Lets through what [`Auth`] lets through.
#[derive(Clone)]
pub(crate) struct Authenticated<S> {
    auth: Auth,
    inner: S,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<S> Service<Request<Body>> for Authenticated<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone is not known to be ready; the service that was polled is.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let auth = self.auth.clone();
        Box::pin(async move {
            if request.uri().path().starts_with(OPEN) {
                return inner.call(request).await;
            }
            let deadline = methods::deadline(request.uri().path());
            let answered = tokio::time::timeout(deadline, async {
                match auth.admit(request).await {
                    Ok(request) => inner.call(request).await,
                    Err(error) => Ok(Status::from(error).into_http()),
                }
            });
            answered
                .await
                .unwrap_or_else(|_| Ok(Status::from(too_slow()).into_http()))
        })
    }
}

impl Auth {
    /// The request with its caller on it.
    async fn admit(&self, request: Request<Body>) -> Result<Request<Body>, Error> {
        let (mut parts, body) = request.into_parts();
        let metadata = MetadataMap::from_headers(std::mem::take(&mut parts.headers));
        let caller = self.check(parts.uri.path(), &metadata).await?;
        parts.headers = metadata.into_headers();
        parts.extensions.insert(caller);
        Ok(Request::from_parts(parts, body))
    }
}

fn too_slow() -> Error {
    let message = "the request took too long and was given up; try again in a moment";
    Error::new(ErrorReason::Unavailable, message)
}
