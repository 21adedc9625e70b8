//! The socket side: HTTP/1.1 connections, each on a task, ended gracefully.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use wasmtime_wasi_http::Error;

use crate::{
    host::Host,
    serve::{app::App, cron::CronSchedule},
};

/// How long requests that are under way may take at shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// The pause after a failed accept (no file descriptors left, usually), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Nagle's algorithm (RFC 896): a small write waits until the one before it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nagle {
    /// `TCP_NODELAY` is set.
    #[default]
    Off,
    /// As Spin 4.1 leaves it.
    On,
}

/// A listening server. Dropped without [`Server::shutdown`], it goes on for as long as the runtime does.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    cron: Vec<JoinHandle<()>>,
    /// The host stays for as long as it is served, its files included.
    _host: Host,
    app: Arc<App>,
}

impl Server {
    pub(crate) fn start(
        host: Host,
        app: Arc<App>,
        listener: TcpListener,
        schedules: Vec<CronSchedule>,
    ) -> Self {
        // A bound listener has an address; the fallback only shows in messages.
        let address = listener
            .local_addr()
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(app.clone(), listener, stopped));
        let cron = schedules
            .into_iter()
            .map(|schedule| tokio::spawn(schedule.run(app.clone())))
            .collect();
        Self {
            address,
            stop,
            accepting,
            cron,
            _host: host,
            app,
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, lets the requests under way finish within five seconds, then closes.
    pub async fn shutdown(self) {
        for task in &self.cron {
            task.abort();
        }
        // Either may be gone already, if the task panicked: then there is nothing to wait for.
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
        self.app
            .shared
            .stopping
            .store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

async fn accept(app: Arc<App>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    connections.spawn(connection(app.clone(), stream, client, stopped.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            // The sender gone is the server gone out of scope, not a wish to stop.
            Ok(()) = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // The rest is aborted with the set.
    let _ = tokio::time::timeout(DRAIN, drained).await;
}

async fn connection(
    app: Arc<App>,
    stream: TcpStream,
    client: SocketAddr,
    mut stopped: watch::Receiver<bool>,
) {
    // An answer leaves in two writes: without this, the second waits 40 ms for the client's delayed acknowledgement.
    // A socket that refuses the option is slow, and works.
    let _ = stream.set_nodelay(app.nagle == Nagle::Off);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let app = app.clone();
        async move {
            let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
            Ok::<_, Infallible>(app.answer(request, client).await)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    // How a connection ends is the client's affair: most errors are clients that went away.
    tokio::select! {
        _ = serving.as_mut() => {}
        Ok(()) = stopped.changed() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}
