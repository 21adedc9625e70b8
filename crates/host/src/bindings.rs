//! The Rust side of the WIT interfaces in `wit`, generated.

pub(crate) use self::{
    cron::{SpinCronPre, spin::cron::cron_types},
    host::{Host_, spin, wasi},
};

mod host {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "host",
        imports: { default: async | trappable },
    });
}

mod cron {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "spin:cron/spin-cron@3.0.0",
        exports: { default: async },
    });
}
