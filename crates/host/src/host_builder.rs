//! Makes a host from a manifest: what it is to be like, and how its components are linked.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicUsize},
    },
};

use tokio::sync::Semaphore;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::{handler::ProxyHandler, p3::bindings::ServicePre};

use crate::{
    bindings::SpinCronPre,
    data::{
        files::{Files, Storage},
        key_value::{KeyValue, KvBehaviour},
    },
    error::HostError,
    guest::{
        compiled, engine,
        instance::{ComponentShared, Instance, Shared},
        linker,
        logs::Logs,
        outbound_http::OutboundHttp,
        sqlite::DATABASE,
    },
    host::{Host, Inner},
    manifest::{
        ComponentConfig, Manifest,
        allowed_hosts::AllowedHosts,
        routes::Router,
        variables::{self, Variables},
    },
    serve::{
        app::{App, REQUESTS_AT_A_TIME_MAX, RunningComponent},
        cron::{self, CronComponent},
        instances::HttpInstances,
        server::Nagle,
    },
    testbench::{
        chance::Chance,
        clock::Clock,
        faults::{FaultPoint, Faults},
    },
};

/// Says what a host is to be like. The defaults are a test's: private storage, no logs, no cron.
pub struct HostBuilder {
    manifest: Manifest,
    from_environment: HashMap<String, String>,
    overrides: HashMap<String, String>,
    storage: Storage,
    behaviour: KvBehaviour,
    clock: Clock,
    chance: Chance,
    faults: Option<Arc<dyn Faults>>,
    verbose: bool,
    print_guest_output: bool,
    cron: bool,
    nagle: Nagle,
}

impl HostBuilder {
    /// Reads a `spin.toml` (or the one in a folder).
    ///
    /// # Errors
    /// When the manifest cannot be read or is not valid.
    pub fn from_manifest(path: impl AsRef<Path>) -> Result<Self, HostError> {
        Ok(Self {
            manifest: Manifest::read(path)?,
            from_environment: HashMap::new(),
            overrides: HashMap::new(),
            storage: Storage::Memory,
            behaviour: KvBehaviour::default(),
            clock: Clock::System,
            chance: Chance::System,
            faults: None,
            verbose: false,
            print_guest_output: false,
            cron: false,
            nagle: Nagle::Off,
        })
    }

    /// The manifest that the host is built from.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Gives an application variable a value, over the environment's and the default.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.overrides.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Reads `SPIN_VARIABLE_<NAME>` from the environment and, where it has none, from the manifest folder's `.env`.
    ///
    /// # Errors
    /// When a value is not UTF-8, or the `.env` file does not parse.
    pub fn variables_from_env(mut self) -> Result<Self, HostError> {
        let dotenv = self.manifest.folder.join(".env");
        self.from_environment =
            variables::from_environment(&self.manifest, |key| std::env::var(key), &dotenv)?;
        Ok(self)
    }

    /// The value that a provider gives this variable so far, if any.
    pub fn provided(&self, name: &str) -> Option<&str> {
        self.overrides
            .get(name)
            .or_else(|| self.from_environment.get(name))
            .map(String::as_str)
    }

    /// Where the data is kept.
    #[must_use]
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// Which backend the key-value store behaves like.
    #[must_use]
    pub fn key_value(mut self, behaviour: KvBehaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// Which clock the guests read.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Draws the guests' random numbers from a seed, the secure ones too: for tests that are to be played again.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.chance = Chance::seeded(seed);
        self
    }

    /// What goes wrong on purpose.
    #[must_use]
    pub fn faults(mut self, faults: Arc<dyn Faults>) -> Self {
        self.faults = Some(faults);
        self
    }

    /// Prints what a first start waits for to stderr, and one line for each request to stdout.
    #[must_use]
    pub fn verbose(mut self, on: bool) -> Self {
        self.verbose = on;
        self
    }

    /// Prints what the guests print to stderr. [`Host::logs`] has it in any case.
    #[must_use]
    pub fn print_guest_output(mut self, on: bool) -> Self {
        self.print_guest_output = on;
        self
    }

    /// Fires the cron triggers in real time while the host serves.
    #[must_use]
    pub fn cron(mut self, on: bool) -> Self {
        self.cron = on;
        self
    }

    /// Whether the server holds small writes back.
    #[must_use]
    pub fn nagle(mut self, nagle: Nagle) -> Self {
        self.nagle = nagle;
        self
    }

    /// Compiles and links all components, and opens the storage.
    ///
    /// # Errors
    /// When a component is missing or does not fit, a variable is wrong or missing, or the storage cannot be used.
    pub async fn build(self) -> Result<Host, HostError> {
        let mut provided = self.from_environment;
        provided.extend(self.overrides);
        let manifest = self.manifest;
        let variables = Variables::new(&manifest, provided)?;
        check_required(&manifest, &variables)?;
        let router = Router::new(&manifest)?;
        let schedules = cron::schedules(&manifest)?;
        let compiled = compiled::load(&manifest, self.verbose).await?;
        let files = Arc::new(Files::open(&self.storage)?);
        let failed = |error: rusqlite::Error| HostError::Storage {
            path: manifest.folder.clone(),
            message: error.to_string(),
        };
        let connection = files.key_value_connection().map_err(failed)?;
        let reader = files.key_value_reader().map_err(failed)?;
        let shared = Arc::new(Shared {
            variables,
            files,
            key_value: KeyValue::new(connection, reader, self.behaviour),
            clock: self.clock,
            chance: self.chance,
            logs: Logs::new(self.print_guest_output),
            stopping: AtomicBool::new(false),
        });
        let engine = engine::engine()?;
        let linker = linker::linker(&engine, &shared.clock).map_err(|error| HostError::Engine {
            message: format!("{error:#}"),
        })?;
        let application = Arc::default();
        let mut components = HashMap::new();
        for (name, config) in &manifest.components {
            let component_shared = component_shared(
                &manifest,
                name,
                config,
                &shared,
                self.faults.as_ref(),
                &application,
            )?;
            let invalid = |error: wasmtime::Error| HostError::ComponentInvalid {
                component: name.clone(),
                message: format!("{error:#}"),
            };
            let pre = linker.instantiate_pre(&compiled[name]).map_err(invalid)?;
            let running =
                running_component(&manifest, name, pre, component_shared).map_err(invalid)?;
            components.insert(name.clone(), running);
        }
        let app = Arc::new(App {
            router,
            components,
            shared,
            limit: Semaphore::new(REQUESTS_AT_A_TIME_MAX),
            request_log: self.verbose,
            nagle: self.nagle,
        });
        // Nobody else has it, so it is set here.
        let _ = application.set(Arc::downgrade(&app));
        let schedules = if self.cron { schedules } else { Vec::new() };
        Ok(Host::new(Inner {
            app,
            schedules: std::sync::Mutex::new(schedules),
        }))
    }
}

fn check_required(manifest: &Manifest, variables: &Variables) -> Result<(), HostError> {
    let missing = variables.missing();
    let Some(first) = missing.first() else {
        return Ok(());
    };
    Err(HostError::Variable {
        message: format!(
            "{} requires variables that have no value: {}\nSet each in the environment or in .env, such as SPIN_VARIABLE_{}=...",
            manifest.path.display(),
            missing.join(", "),
            first.to_ascii_uppercase()
        ),
    })
}

fn component_shared(
    manifest: &Manifest,
    name: &str,
    config: &ComponentConfig,
    shared: &Arc<Shared>,
    faults: Option<&Arc<dyn Faults>>,
    application: &Arc<OnceLock<Weak<App>>>,
) -> Result<Arc<ComponentShared>, HostError> {
    let invalid = |message| HostError::ManifestInvalid {
        path: manifest.path.clone(),
        line: None,
        message: format!("component `{name}`: {message}"),
    };
    // Without a runtime configuration there is one store and one database, in Spin as here.
    for label in config
        .key_value_stores
        .iter()
        .chain(&config.sqlite_databases)
    {
        if label != DATABASE {
            return Err(invalid(format!(
                "`{label}` is not defined: without a runtime configuration there is only `default`"
            )));
        }
    }
    let allowed =
        AllowedHosts::parse(&config.allowed_outbound_hosts, &shared.variables).map_err(invalid)?;
    let point = FaultPoint {
        component: name.into(),
        faults: faults.cloned(),
    };
    let outbound = OutboundHttp {
        allowed: Arc::new(allowed),
        faults: point.clone(),
        crash: Arc::default(),
        application: application.clone(),
    };
    Ok(Arc::new(ComponentShared {
        name: name.into(),
        config: config.clone(),
        outbound,
        faults: point,
        host: shared.clone(),
        http_instances: AtomicUsize::new(0),
    }))
}

fn running_component(
    manifest: &Manifest,
    name: &str,
    pre: InstancePre<Instance>,
    shared: Arc<ComponentShared>,
) -> wasmtime::Result<RunningComponent> {
    let has_http = manifest
        .http_triggers
        .iter()
        .any(|trigger| trigger.component == name);
    let has_cron = manifest
        .cron_triggers
        .iter()
        .any(|trigger| trigger.component == name);
    let http = if has_http {
        let pre = ServicePre::new(pre.clone())?;
        Some(ProxyHandler::new(HttpInstances {
            pre,
            component: shared.clone(),
        }))
    } else {
        None
    };
    let cron = if has_cron {
        Some(CronComponent {
            pre: SpinCronPre::new(pre)?,
            component: shared.clone(),
        })
    } else {
        None
    };
    Ok(RunningComponent { shared, http, cron })
}
