//! What one instance of a component carries: its grants, its open resources, its WASI context.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::Notify;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView, handler::TrapOrPanicError};

use crate::{
    data::{
        files::Files,
        key_value::{Cas, KeyValue},
        sqlite::GuestConnection,
    },
    guest::{
        logs::{GuestOutput, Logs},
        outbound_http::OutboundHttp,
        slots::Slots,
    },
    manifest::{ComponentConfig, variables::Variables},
    testbench::{chance::Chance, clock::Clock, faults::FaultPoint},
};

/// What all instances of a host share.
pub(crate) struct Shared {
    pub(crate) variables: Variables,
    pub(crate) files: Arc<Files>,
    pub(crate) key_value: KeyValue,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) logs: Arc<Logs>,
    /// The host is going: instances that end with it are no news.
    pub(crate) stopping: AtomicBool,
}

/// What all instances of one component share.
pub(crate) struct ComponentShared {
    pub(crate) name: Arc<str>,
    pub(crate) config: ComponentConfig,
    pub(crate) outbound: OutboundHttp,
    pub(crate) faults: FaultPoint,
    pub(crate) host: Arc<Shared>,
    /// How many instances there have been for requests.
    pub(crate) http_instances: AtomicUsize,
}

impl ComponentShared {
    /// Logs why an instance died.
    pub(crate) fn failed(&self, error: &wasmtime::Error) {
        // The instance's own end was logged with its cause; each request in it only hears that it ended.
        let is_echo = error.is::<TrapOrPanicError>();
        if !is_echo && !self.host.stopping.load(Ordering::Relaxed) {
            self.host.logs.line(
                &self.name,
                &format!("failed: {}\n{error:?}", error.root_cause()),
            );
        }
    }
}

/// The data of one Wasmtime store.
pub(crate) struct Instance {
    pub(crate) component: Arc<ComponentShared>,
    pub(crate) stores: Slots<String>,
    pub(crate) cas: Slots<Arc<Cas>>,
    pub(crate) connections: Slots<Arc<GuestConnection>>,
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: OutboundHttp,
}

impl Instance {
    pub(crate) fn new(component: Arc<ComponentShared>) -> Self {
        let output = || GuestOutput::new(component.host.logs.clone(), component.name.clone());
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(output()).stderr(output());
        // Sockets stay closed: a guest's only way out is HTTP, to the hosts that the manifest allows.
        wasi.socket_addr_check(|_, _| Box::pin(async { false }))
            .allow_ip_name_lookup(false);
        component.host.clock.install(&mut wasi);
        component.host.chance.install(&mut wasi);
        let wasi = wasi.build();
        let hooks = component.outbound.for_instance();
        Self {
            component,
            stores: Slots::default(),
            cas: Slots::default(),
            connections: Slots::default(),
            table: ResourceTable::new(),
            wasi,
            http: WasiHttpCtx::new(),
            hooks,
        }
    }

    /// Tells when the instance is to crash on purpose.
    pub(crate) fn crash(&self) -> Arc<Notify> {
        self.hooks.crash.clone()
    }

    pub(crate) fn http_view(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

impl WasiView for Instance {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Instance {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.http_view()
    }
}

/// Names [`Instance`] to the generated code.
pub(crate) struct Glue;

impl HasData for Glue {
    type Data<'a> = &'a mut Instance;
}
