//! The Rust side of the WIT interfaces in `wit`, generated.

pub(crate) use self::{
    cron::{SpinCronPre, spin::cron::cron_types},
    host::{Host_, spin, wasi},
};

mod host {
    wasmtime::component::bindgen!({
        path: [
            "../../wit/deps/spin-sqlite@3.1.0",
            "../../wit/deps/spin-variables@3.0.0",
            "../../wit/deps/wasi-keyvalue-2024-10-17",
            "../../wit/host",
        ],
        world: "talktime:host/host",
        imports: { default: async | trappable },
    });
}

mod cron {
    wasmtime::component::bindgen!({
        path: "../../wit/deps/spin-cron@3.0.0",
        world: "spin-cron",
        exports: { default: async },
    });
}
