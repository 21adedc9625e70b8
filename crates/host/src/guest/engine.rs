//! The WebAssembly engine, one for the process, and the components compiled for it.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
    time::Duration,
};

use sha2::{Digest, Sha256};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, component::Component,
};

use crate::{error::HostError, lock::lock};

/// How often a guest that computes gives the thread back. What stops it is a time limit outside of it.
pub(crate) const EPOCH_MILLIS: u64 = 10;

/// One engine for all hosts of a process: each pool reserves terabytes of address space.
static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Components already loaded in this process, by the key of the cache.
static LOADED: Mutex<Option<HashMap<String, Component>>> = Mutex::new(None);

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
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(
            PoolingAllocationConfig::default(),
        ));
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

/// Loads a component: from this process, from the cache folder, or by compiling it.
pub(crate) fn load(component: &str, wasm: &Path, cache: &Path) -> Result<Component, HostError> {
    let engine = engine()?;
    let bytes = std::fs::read(wasm).map_err(|_| HostError::WasmMissing {
        component: component.to_owned(),
        path: wasm.to_owned(),
    })?;
    let invalid = |error: wasmtime::Error| HostError::ComponentInvalid {
        component: component.to_owned(),
        message: format!("{error:#}"),
    };
    let key = cache_key(&engine, &bytes);
    if let Some(component) = lock(&LOADED).as_ref().and_then(|loaded| loaded.get(&key)) {
        return Ok(component.clone());
    }
    let file = cache.join(format!("{key}.cwasm"));
    let loaded = if let Some(component) = read_cached(&engine, &file) {
        component
    } else {
        let compiled = engine.precompile_component(&bytes).map_err(invalid)?;
        match write_cached(&file, &compiled).and_then(|()| read_cached(&engine, &file)) {
            Some(component) => component,
            // A folder that cannot be written to costs time, and nothing else.
            None => Component::new(&engine, &bytes).map_err(invalid)?,
        }
    };
    lock(&LOADED)
        .get_or_insert_default()
        .insert(key, loaded.clone());
    Ok(loaded)
}

/// Names the compiled form of these bytes by this engine.
fn cache_key(engine: &Engine, bytes: &[u8]) -> String {
    struct Sink(Sha256);
    impl Hasher for Sink {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut sink = Sink(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut sink);
    sink.write(bytes);
    let mut key = format!("{:x}", sink.0.finalize());
    key.truncate(32);
    key
}

fn read_cached(engine: &Engine, file: &Path) -> Option<Component> {
    if !file.exists() {
        return None;
    }
    #[expect(
        unsafe_code,
        reason = "Wasmtime cannot check that a compiled file is one of its own"
    )]
    // SAFETY: the file was written by `write_cached`, under a name that covers the engine's version and settings; the
    // folder is the developer's own `target`, whose content cargo runs without a check just the same.
    let component = unsafe { Component::deserialize_file(engine, file) };
    component.ok()
}

/// Writes under a name of its own, then renames: another process never sees half a file.
fn write_cached(file: &Path, compiled: &[u8]) -> Option<()> {
    let folder = file.parent()?;
    std::fs::create_dir_all(folder).ok()?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder).ok()?;
    std::io::Write::write_all(&mut temporary, compiled).ok()?;
    temporary.persist(file).ok()?;
    Some(())
}

/// The cache folder of an application.
pub(crate) fn cache_folder(app: &Path) -> PathBuf {
    app.join("target").join("talktime-cache")
}
