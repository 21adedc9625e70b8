//! The Rust side of the WIT interfaces in `wit/host`, generated.

pub(crate) use self::{
    cron::{SpinCronPre, spin::cron::cron_types},
    host::{Host_, spin, wasi},
};

mod host {
    wasmtime::component::bindgen!({
        path: "../../wit/host",
        world: "host",
        imports: { default: async | trappable },
    });
}

mod cron {
    wasmtime::component::bindgen!({
        path: "../../wit/host/deps/spin-cron@3.0.0",
        world: "spin-cron",
        exports: { default: async },
    });
}
