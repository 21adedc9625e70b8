//! HTTP instances: made on demand, reused as Spin reuses them, stopped when they take too long.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::{Duration, Instant as StdInstant},
};

use tokio::{sync::Notify, time::Sleep};
use wasmtime::{Store, StoreContextMut, component::GuestTaskId};
use wasmtime_wasi_http::{
    handler::{
        self, HandlerState, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
    },
    p3::bindings::ServicePre,
};

use crate::guest::{
    instance::{ComponentShared, Instance},
    linker,
};

/// Spin's own figures.
const REQUESTS_PER_INSTANCE_MAX: usize = 128;
const REQUESTS_AT_A_TIME_MAX: usize = 16;
const IDLE: Duration = Duration::from_secs(1);

/// Spin has no limit for a request. Here an endless loop ends, and the longest honest wait (for a provider: see
/// `outbound_http`) fits in.
const REQUEST_MAX: Duration = Duration::from_secs(90);

/// Makes the instances of one component.
pub(crate) struct HttpInstances {
    pub(crate) pre: ServicePre<Instance>,
    pub(crate) component: Arc<ComponentShared>,
}

impl HandlerState for HttpInstances {
    type StoreData = Instance;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(
        &self,
    ) -> wasmtime::Result<handler::Instance<Instance, Expiration, Worker>> {
        self.component
            .http_instances
            .fetch_add(1, Ordering::Relaxed);
        let mut store = linker::store(self.pre.engine(), self.component.clone());
        let crash = store.data().crash();
        let service = self.pre.instantiate_async(&mut store).await?;
        Ok(handler::Instance {
            store,
            proxy: Proxy::P3(service),
            view: Instance::http_view,
            expiration: Expiration {
                sleep: Box::pin(tokio::time::sleep(REQUEST_MAX)),
                since: None,
                crashed: Box::pin(crashed(crash)),
            },
            state: Worker {
                component: self.component.clone(),
            },
        })
    }
}

async fn crashed(crash: Arc<Notify>) {
    crash.notified().await;
}

/// Ends an instance that is idle, too slow, or crashed on purpose.
pub(crate) struct Expiration {
    sleep: Pin<Box<Sleep>>,
    /// The start that was told last, and when by tokio's clock: in a test that one may be paused, and the standard library's
    /// goes on.
    since: Option<(StdInstant, tokio::time::Instant)>,
    crashed: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: StdInstant,
    ) -> Poll<()> {
        if self.crashed.as_mut().poll(cx).is_ready() {
            // Polled once more, a finished future would panic.
            self.crashed = Box::pin(std::future::pending());
            return Poll::Ready(());
        }
        let limit = match status {
            WorkerStatus::Idle => IDLE,
            WorkerStatus::Requests | WorkerStatus::PostReturn => REQUEST_MAX,
        };
        let since = match self.since {
            Some((told, since)) if told == start => since,
            _ => tokio::time::Instant::now(),
        };
        self.since = Some((start, since));
        let deadline = since + limit;
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(cx)
    }
}

/// Says how many requests an instance takes, and logs why it died.
pub(crate) struct Worker {
    component: Arc<ComponentShared>,
}

impl WorkerState for Worker {
    type StoreData = Instance;
    type RequestData = ();

    fn should_accept_request(&self, concurrent_count: usize, total_count: usize) -> ShouldAccept {
        if total_count >= REQUESTS_PER_INSTANCE_MAX {
            ShouldAccept::Never
        } else if concurrent_count >= REQUESTS_AT_A_TIME_MAX {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _store: StoreContextMut<'_, Instance>,
        (): (),
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(tokio::time::sleep(REQUEST_MAX))
    }

    fn drop(&self, store: Store<Instance>, result: Result<(), wasmtime::Error>) {
        // First, so that the guest's last words come before the reason.
        drop(store);
        if let Err(error) = result {
            self.component.failed(&error);
        }
    }
}
