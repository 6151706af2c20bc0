//! The step before the service: each call is looked at once, off the service's own path, because a
//! password may take time to verify. The caller goes with the call; who is none goes no further.

use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;

use super::{Caller, Gate, Peer};

/// The caller that was found.
#[derive(Debug, Clone)]
pub(super) struct Found(pub(super) Caller);

/// A service whose calls carry what was found about their callers.
#[derive(Debug, Clone)]
pub(crate) struct Admission<S> {
    gate: Gate,
    service: S,
}

impl<S> Admission<S> {
    /// `service` behind `gate`.
    pub(crate) fn new(gate: Gate, service: S) -> Self {
        Self { gate, service }
    }
}

impl<S: NamedService> NamedService for Admission<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Admission<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<S::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let gate = self.gate.clone();
        // The clone takes the place of the one that said it was ready.
        let clone = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, clone);
        Box::pin(async move {
            if let Some(peer) = request.extensions().get::<Peer>().cloned() {
                match gate.admit(request.headers(), &peer).await {
                    Ok(caller) => request.extensions_mut().insert(Found(caller)),
                    // Before anything of the message is read: its length is the stranger's word.
                    Err(refusal) => return Ok(refusal.into_http()),
                };
            }
            service.call(request).await
        })
    }
}
