//! A whole application: its routes, its components, and the way of a request through both.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header, uri::Authority};
use http_body_util::{BodyExt, Full};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{WasiBody, handler::ProxyHandler};

use crate::{
    guest::instance::{ComponentShared, Shared},
    manifest::routes::Router,
    serve::{cron::CronComponent, instances::HttpInstances, server::Nagle},
};

/// Requests in the guests at a time; the others wait. With 16 to an instance that is 32 instances for each component,
/// far below the engine's pool of 1000, which does not wait when it is empty.
pub(crate) const REQUESTS_AT_A_TIME_MAX: usize = 512;

/// Spin's own paths.
const WELL_KNOWN: &str = "/.well-known/spin/";

/// A running application.
pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) components: HashMap<String, RunningComponent>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) limit: Semaphore,
    pub(crate) request_log: bool,
    pub(crate) nagle: Nagle,
}

/// One component, ready to be called in the ways that its triggers need.
pub(crate) struct RunningComponent {
    pub(crate) shared: Arc<ComponentShared>,
    pub(crate) http: Option<ProxyHandler<HttpInstances>>,
    pub(crate) cron: Option<CronComponent>,
}

impl App {
    /// Answers a request from outside.
    pub(crate) async fn answer(
        &self,
        request: Request<WasiBody>,
        client: SocketAddr,
    ) -> Response<WasiBody> {
        let start = Instant::now();
        let line = self
            .request_log
            .then(|| format!("{} {}", request.method(), request.uri().path()));
        let response = {
            // The semaphore is never closed; if it were, an unlimited request is better than none.
            let _permit = self.limit.acquire().await.ok();
            self.route(request, client).await
        };
        if let Some(line) = line {
            let time = chrono::Local::now().format("%H:%M:%S%.3f");
            let millis = start.elapsed().as_secs_f64() * 1000.0;
            println!(
                "{time} {line} {} {millis:.1} ms",
                response.status().as_u16()
            );
        }
        response
    }

    async fn route(
        &self,
        mut request: Request<WasiBody>,
        client: SocketAddr,
    ) -> Response<WasiBody> {
        let path = request.uri().path().to_owned();
        if let Some(name) = path.strip_prefix(WELL_KNOWN) {
            return if name == "health" {
                text(StatusCode::OK, "OK")
            } else {
                text(StatusCode::NOT_FOUND, "")
            };
        }
        let Some(found) = self.router.find(&path) else {
            return text(StatusCode::NOT_FOUND, "");
        };
        // Between the client and the server only; a guest that forwards it would do harm.
        request.headers_mut().remove(header::CONNECTION);
        match absolute(&request) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(message) => return text(StatusCode::BAD_REQUEST, message),
        }
        let uri = request.uri().clone();
        found.add_headers(request.headers_mut(), &uri, client);
        let answer = self.ask(found.component, request).await;
        answer.unwrap_or_else(|| text(StatusCode::NOT_FOUND, ""))
    }

    /// Answers a request by that component; `None` where there is no such one.
    pub(crate) async fn ask(
        &self,
        name: &str,
        request: Request<WasiBody>,
    ) -> Option<Response<WasiBody>> {
        let component = self.components.get(name)?;
        let Some(handler) = &component.http else {
            component
                .shared
                .failed(&wasmtime::Error::msg("the component has no HTTP handler"));
            return Some(text(StatusCode::INTERNAL_SERVER_ERROR, ""));
        };
        Some(match handler.handle((), request).await {
            Ok(response) => response,
            Err(error) => {
                component.shared.failed(&error);
                text(StatusCode::INTERNAL_SERVER_ERROR, "")
            }
        })
    }
}

/// The request's URI with scheme and authority: guests expect both, and clients send only one or none.
fn absolute(request: &Request<WasiBody>) -> Result<Uri, &'static str> {
    let header = match request.headers().get(header::HOST) {
        None => None,
        Some(host) => {
            let host: Result<Authority, _> = Authority::try_from(host.as_bytes());
            Some(host.map_err(|_| "the Host header is not a host")?)
        }
    };
    let authority = match (header, request.uri().authority().cloned()) {
        (Some(header), Some(uri)) if header != uri => {
            return Err("the Host header and the URI name different hosts");
        }
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return Err("the request has no Host header"),
    };
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = Some(authority);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    }
    Uri::from_parts(parts).map_err(|_| "the URI is not valid")
}

/// An answer of the host's own.
fn text(status: StatusCode, body: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(body.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
