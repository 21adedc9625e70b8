//! HTTP from guests to the world, and to other components: only to the hosts that the manifest allows, and never without a
//! time limit.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::Notify;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::{
    manifest::allowed_hosts::{AllowedHosts, component_of},
    serve::app::App,
    testbench::faults::{CallKind, FaultPoint},
};

/// Longest wait for a connection. Spin's own default is ten minutes, too long for anyone who waits at a desk.
const CONNECT_SECONDS_MAX: u64 = 10;

/// Longest wait for the first byte, and for each next one.
const BYTES_SECONDS_MAX: u64 = 60;

/// The outbound side of one instance.
#[derive(Clone)]
pub(crate) struct OutboundHttp {
    pub(crate) allowed: Arc<AllowedHosts>,
    pub(crate) faults: FaultPoint,
    /// Stops the instance: WASI's hooks have no way to trap.
    pub(crate) crash: Arc<Notify>,
    /// Whose components may ask each other, once it is there.
    pub(crate) application: Arc<OnceLock<Weak<App>>>,
}

type Done = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(Response<WasiBody>, Done), Error>;

impl OutboundHttp {
    /// The same, for an instance of its own.
    pub(crate) fn for_instance(&self) -> Self {
        Self {
            crash: Arc::new(Notify::new()),
            ..self.clone()
        }
    }

    async fn send(self, request: Request<WasiBody>, options: Option<RequestOptions>) -> Answer {
        let url = request.uri().to_string();
        let fail = |message| Error::InternalError(Some(message));
        let effect = async || self.send_allowed(request, options).await;
        match self
            .faults
            .around(CallKind::HttpSend, &url, fail, effect)
            .await
        {
            Ok(answer) => answer,
            Err(_crash) => {
                self.crash.notify_one();
                std::future::pending().await
            }
        }
    }

    async fn send_allowed(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Answer {
        if !self.allowed.allows(&request.uri().to_string()) {
            return Err(Error::HttpRequestDenied);
        }
        let bounded = |asked: Option<Duration>, seconds_max: u64| {
            let max = Duration::from_secs(seconds_max);
            Some(asked.map_or(max, |asked| asked.min(max)))
        };
        let asked = options.unwrap_or_default();
        let options = RequestOptions {
            connect_timeout: bounded(asked.connect_timeout, CONNECT_SECONDS_MAX),
            first_byte_timeout: bounded(asked.first_byte_timeout, BYTES_SECONDS_MAX),
            between_bytes_timeout: bounded(asked.between_bytes_timeout, BYTES_SECONDS_MAX),
        };
        // The library's limits leave the TLS handshake out; this one does not.
        let all = Duration::from_secs(CONNECT_SECONDS_MAX + BYTES_SECONDS_MAX);
        if component_of(request.uri()).is_some() {
            let answered = tokio::time::timeout(all, self.ask_component(request));
            let response = answered.await.map_err(|_| Error::ConnectionTimeout)?;
            return Ok((response?, Box::new(async { Ok(()) })));
        }
        let sent = wasmtime_wasi_http::default_send_request(request, Some(options));
        let (response, done) = tokio::time::timeout(all, sent)
            .await
            .map_err(|_| Error::ConnectionTimeout)??;
        Ok((response.map(BodyExt::boxed_unsync), Box::new(done)))
    }

    /// Spin's local service chaining: without a socket, and without the routes.
    async fn ask_component(&self, request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
        let application = self.application.get().and_then(Weak::upgrade);
        let application = application.ok_or(Error::ConnectionTerminated)?;
        let name = component_of(request.uri()).unwrap_or_default().to_owned();
        let answered = application.ask(&name, request).await;
        answered.ok_or(Error::DestinationNotFound)
    }
}

impl WasiHttpHooks for OutboundHttp {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _guest_failed: Done,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        Box::new(self.clone().send(request, options))
    }
}
