//! A connection whose statements take their time and fail.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::faults::{Effect, Faults, Limits};
use super::late::Late;
use super::simulation::Simulation;
use crate::environment::Environment;
use crate::error::StoreError;
use crate::sql::{Row, Sql, Value};

/// How long a statement waits for a lock.
const LOCKED: Duration = Duration::from_millis(200);

/// The most that a statement is held up, or lands late: longer than a creator's lease.
const HELD_UP_MAX: Duration = Duration::from_secs(12);

/// Another connection, with faults.
pub struct FaultySql<C> {
    /// The other one.
    pub inner: C,
    simulation: &'static Simulation,
    /// What goes wrong.
    pub faults: Faults,
    late: Late<(String, Vec<Value>)>,
}

impl<C: Sql> FaultySql<C> {
    /// That connection, with no faults yet.
    pub fn new(inner: C, simulation: &'static Simulation) -> Self {
        Self {
            inner,
            simulation,
            faults: Faults::default(),
            late: Late::default(),
        }
    }

    /// Runs what was on its way and is there by now.
    async fn land(&self) {
        for (sql, parameters) in self.late.arrived(self.simulation.elapsed()) {
            self.simulation
                .note(|| format!("  a late statement arrives: {}", short(&sql)));
            // Nobody waits for its outcome any more.
            let _ = self.inner.run(&sql, &parameters).await;
        }
    }
}

impl<C: Sql> Sql for FaultySql<C> {
    async fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let changes = !sql.starts_with("SELECT");
        let limits = Limits {
            locked: LOCKED,
            held_up_max: HELD_UP_MAX,
            changes,
            lands_late: changes,
        };
        let fate = self.faults.fate(self.simulation, limits, || short(sql));
        let fate = fate.await;
        self.land().await;
        let done = match fate.effect {
            Effect::Now => Some(self.inner.run(sql, parameters).await),
            Effect::Never => None,
            Effect::At(at) => {
                self.late.push(at, (sql.to_owned(), parameters.to_vec()));
                None
            }
        };
        fate.answer(self.simulation, done).await
    }

    fn schema_seen(&self) -> &AtomicBool {
        self.inner.schema_seen()
    }
}

/// As much of a statement as tells which one it is.
fn short(sql: &str) -> String {
    sql.chars().take(60).collect()
}
