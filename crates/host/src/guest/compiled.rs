//! The components as machine code: from this process, from the cache folder, or compiled now.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};

use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use wasmtime::{Engine, component::Component};

use crate::{error::HostError, guest::engine::engine, lock::lock, manifest::Manifest};

/// Components already loaded in this process, by the key of the cache.
static LOADED: Mutex<Option<HashMap<String, Component>>> = Mutex::new(None);

/// Loads an application's components side by side. To compile them is the slow part of a first start: it is told on
/// stderr if `is_verbose`.
pub(crate) async fn load(
    manifest: &Manifest,
    is_verbose: bool,
) -> Result<HashMap<String, Component>, HostError> {
    let engine = engine()?;
    let cache = manifest.folder.join("target").join("talktime-cache");
    let mut readers = JoinSet::new();
    for (name, config) in &manifest.components {
        let (engine, cache) = (engine.clone(), cache.clone());
        let (name, path) = (name.clone(), manifest.wasm_path(config));
        readers.spawn_blocking(move || {
            let wasm = Wasm::read(&engine, name, path, &cache)?;
            Ok::<_, HostError>((wasm.find(&engine), wasm))
        });
    }
    let mut components = HashMap::new();
    let mut uncompiled = Vec::new();
    while let Some(read) = readers.join_next().await {
        match read.map_err(died)?? {
            (Some(component), wasm) => {
                components.insert(wasm.component, component);
            }
            (None, wasm) => uncompiled.push(wasm),
        }
    }
    if uncompiled.is_empty() {
        return Ok(components);
    }
    let start = Instant::now();
    if is_verbose {
        let count = uncompiled.len();
        let plural = if count == 1 { "" } else { "s" };
        eprintln!("compiling {count} component{plural} to machine code, once…");
    }
    let mut compilers = JoinSet::new();
    for wasm in uncompiled {
        let engine = engine.clone();
        compilers.spawn_blocking(move || {
            let component = wasm.compile(&engine)?;
            Ok::<_, HostError>((wasm.component, component))
        });
    }
    while let Some(compiled) = compilers.join_next().await {
        let (name, component) = compiled.map_err(died)??;
        components.insert(name, component);
    }
    if is_verbose {
        eprintln!("compiled in {:.1} s", start.elapsed().as_secs_f64());
    }
    Ok(components)
}

#[expect(clippy::needless_pass_by_value, reason = "used as map_err's function")]
fn died(error: tokio::task::JoinError) -> HostError {
    HostError::Engine {
        message: error.to_string(),
    }
}

/// A component's wasm file, read.
struct Wasm {
    component: String,
    bytes: Vec<u8>,
    key: String,
    /// Where the compiled form is kept.
    cached: PathBuf,
}

impl Wasm {
    fn read(
        engine: &Engine,
        component: String,
        path: PathBuf,
        cache: &Path,
    ) -> Result<Self, HostError> {
        let Ok(bytes) = std::fs::read(&path) else {
            return Err(HostError::WasmMissing { component, path });
        };
        let key = cache_key(engine, &bytes);
        Ok(Self {
            component,
            bytes,
            cached: cache.join(format!("{key}.cwasm")),
            key,
        })
    }

    fn find(&self, engine: &Engine) -> Option<Component> {
        let known = lock(&LOADED)
            .as_ref()
            .and_then(|loaded| loaded.get(&self.key).cloned());
        known.or_else(|| Some(self.keep(read_cached(engine, &self.cached)?)))
    }

    fn compile(&self, engine: &Engine) -> Result<Component, HostError> {
        let invalid = |error: wasmtime::Error| HostError::ComponentInvalid {
            component: self.component.clone(),
            message: format!("{error:#}"),
        };
        let compiled = engine.precompile_component(&self.bytes).map_err(invalid)?;
        let component = match write_cached(&self.cached, &compiled)
            .and_then(|()| read_cached(engine, &self.cached))
        {
            Some(component) => component,
            // A folder that cannot be written to costs time, and nothing else.
            None => Component::new(engine, &self.bytes).map_err(invalid)?,
        };
        Ok(self.keep(component))
    }

    fn keep(&self, component: Component) -> Component {
        lock(&LOADED)
            .get_or_insert_default()
            .insert(self.key.clone(), component.clone());
        component
    }
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
