//! The WebAssembly engine, one for the process.

use std::{sync::OnceLock, time::Duration};

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::error::HostError;

/// How often a guest that computes gives the thread back. What stops it is a time limit outside of it.
pub(crate) const EPOCH_MILLIS: u64 = 10;

/// How much of an instance's memory stays with its place in the pool.
const KEPT_BYTES: usize = 1 << 20;

/// One engine for all hosts of a process: each pool reserves terabytes of address space.
static ENGINE: OnceLock<Engine> = OnceLock::new();

/// The process's engine.
pub(crate) fn engine() -> Result<Engine, HostError> {
    if let Some(engine) = ENGINE.get() {
        return Ok(engine.clone());
    }
    // Where address space is limited (`ulimit -v`), the pool cannot be had, and each instance gets memory of its own.
    let engine = Engine::new(&config(true))
        .or_else(|_| Engine::new(&config(false)))
        .map_err(|error| HostError::Engine {
            message: format!("{error:#}"),
        })?;
    let engine = ENGINE.get_or_init(|| {
        start_ticker(&engine);
        engine
    });
    Ok(engine.clone())
}

fn config(pooling: bool) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .epoch_interruption(true);
    if pooling {
        let mut pool = PoolingAllocationConfig::default();
        // What an instance has touched is wiped for the next one instead of being given back to the system page by page.
        pool.linear_memory_keep_resident(KEPT_BYTES)
            .table_keep_resident(KEPT_BYTES);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// Moves the epoch. The thread ends with the engine, which is the process's.
fn start_ticker(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(Duration::from_millis(EPOCH_MILLIS));
        }
    });
}
