//! Cron triggers: fired and forgotten, with no retry and no catching up; ticks may overlap.

use std::{str::FromStr, sync::Arc, time::Duration};

use chrono::Utc;
use cron::Schedule;

use crate::{
    bindings::{SpinCronPre, cron_types},
    error::HostError,
    guest::{
        instance::{ComponentShared, Instance},
        linker,
    },
    manifest::Manifest,
    serve::app::App,
};

/// The longest run of one tick. Spin has no limit; an endless loop ends here.
const TICK_MAX: Duration = Duration::from_mins(5);

/// Makes the instances of one component, one for each tick.
pub(crate) struct CronComponent {
    pub(crate) pre: SpinCronPre<Instance>,
    pub(crate) component: Arc<ComponentShared>,
}

impl CronComponent {
    /// Runs one tick in a fresh instance; an error is the guest's, or the text of its trap.
    pub(crate) async fn tick(&self, timestamp_seconds: u64) -> Result<(), String> {
        match tokio::time::timeout(TICK_MAX, self.run(timestamp_seconds)).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(cron_types::Error::Other(message)))) => Err(message),
            Ok(Err(trap)) => {
                self.component.failed(&trap);
                Err(format!("{trap:?}"))
            }
            Err(_) => Err(format!("stopped after {} s", TICK_MAX.as_secs())),
        }
    }

    async fn run(&self, timestamp: u64) -> wasmtime::Result<Result<(), cron_types::Error>> {
        let mut store = linker::store(self.pre.engine(), self.component.clone());
        let crash = store.data().crash();
        let guest = self.pre.instantiate_async(&mut store).await?;
        let metadata = cron_types::Metadata { timestamp };
        let call = store.run_concurrent(async |accessor| {
            guest.call_handle_cron_event(accessor, metadata).await
        });
        tokio::select! {
            result = call => result?,
            () = crash.notified() => Err(wasmtime::Error::msg("crash on purpose")),
        }
    }
}

/// One trigger of the manifest.
pub(crate) struct CronSchedule {
    pub(crate) component: String,
    schedule: Schedule,
}

/// Reads the triggers' expressions.
pub(crate) fn schedules(manifest: &Manifest) -> Result<Vec<CronSchedule>, HostError> {
    let parse = |trigger: &crate::manifest::CronTrigger| {
        let schedule = Schedule::from_str(&trigger.cron_expression).map_err(|error| {
            HostError::ManifestInvalid {
                path: manifest.path.clone(),
                line: None,
                message: format!(
                    "cron_expression {:?} does not parse (the first field is seconds): {error}",
                    trigger.cron_expression
                ),
            }
        })?;
        Ok(CronSchedule {
            component: trigger.component.clone(),
            schedule,
        })
    };
    manifest.cron_triggers.iter().map(parse).collect()
}

impl CronSchedule {
    /// Fires in real time until the task is aborted.
    pub(crate) async fn run(self, app: Arc<App>) {
        // The iterator ends with the schedule, if it names years.
        for next in self.schedule.upcoming(Utc) {
            let Ok(wait) = (next - Utc::now()).to_std() else {
                // The moment has passed, as after a suspended machine: no catching up.
                continue;
            };
            tokio::time::sleep(wait).await;
            let (app, component) = (app.clone(), self.component.clone());
            tokio::spawn(async move {
                let Some(cron) = app
                    .components
                    .get(&component)
                    .and_then(|running| running.cron.as_ref())
                else {
                    return;
                };
                if let Err(message) = cron.tick(app.shared.clock.unix_seconds()).await {
                    app.shared
                        .logs
                        .line(&component, &format!("cron: {message}"));
                }
            });
        }
    }
}
