//! The host as programs and tests use it: asked in process or through a socket.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::net::TcpListener;

use crate::{
    lock::lock,
    serve::{app::App, cron, server::Server},
};

/// The client of a request that came through no socket.
const IN_PROCESS_CLIENT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A running application. Clones are the same application; its private storage goes with the last of them.
#[derive(Clone)]
pub struct Host(pub(crate) Arc<Inner>);

/// What the clones of a host share.
pub(crate) struct Inner {
    pub(crate) app: Arc<App>,
    pub(crate) schedules: std::sync::Mutex<Vec<cron::CronSchedule>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.app.shared.stopping.store(true, Ordering::Relaxed);
    }
}

impl Host {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Answers a request without a socket, through the routes and the component. A missing `Host` is `localhost`.
    ///
    /// A body that breaks off in the middle, which a client would see as a closed connection, is a 500 here.
    pub async fn request(&self, request: Request<Bytes>) -> Response<Bytes> {
        let mut request = request.map(|body| {
            Full::new(body)
                .map_err(|never| match never {})
                .boxed_unsync()
        });
        if !request.headers().contains_key(header::HOST) && request.uri().authority().is_none() {
            request
                .headers_mut()
                .insert(header::HOST, header::HeaderValue::from_static("localhost"));
        }
        let (parts, body) = self
            .0
            .app
            .answer(request, IN_PROCESS_CLIENT)
            .await
            .into_parts();
        match body.collect().await {
            Ok(body) => Response::from_parts(parts, body.to_bytes()),
            Err(error) => {
                self.0
                    .app
                    .shared
                    .logs
                    .line("host", &format!("a response broke off: {error}"));
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }

    /// Serves HTTP/1.1 on a listener until [`Server::shutdown`], and fires the cron triggers if the builder said so.
    // Asynchronous so that it cannot be called outside of a runtime, which it needs for its tasks.
    #[expect(clippy::unused_async, reason = "needs a runtime")]
    pub async fn serve(&self, listener: TcpListener) -> Server {
        let schedules = std::mem::take(&mut *lock(&self.0.schedules));
        Server::start(self.clone(), self.0.app.clone(), listener, schedules)
    }

    /// Runs one cron tick of a component.
    ///
    /// # Errors
    /// The guest's own error, the text of its trap, or that the component has no cron trigger.
    pub async fn cron_tick(&self, component: &str, timestamp_seconds: u64) -> Result<(), String> {
        let running = self.0.app.components.get(component);
        let cron = running.and_then(|running| running.cron.as_ref());
        cron.ok_or_else(|| format!("component `{component}` has no cron trigger"))?
            .tick(timestamp_seconds)
            .await
    }

    /// The routes as the manifest has them, each with its component.
    pub fn routes(&self) -> Vec<(String, String)> {
        self.0.app.router.all()
    }
}
