//! [`Documents`] in memory, with the behaviour of each store that may hold them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use talktime_usage::State;

use super::faults::{Effect, Fault, Faults, Limits};
use super::late::Late;
use super::simulation::Simulation;
use crate::documents::{Access, DocumentKey, Documents};
use crate::environment::Environment;
use crate::error::StoreError;

/// How long Spin's `SQLite` waits for another process's lock within one call, and for how long nobody tries after that.
const LOCKED: Duration = Duration::from_secs(5);
const LOCKED_FOR: Duration = Duration::from_secs(2);

/// The most that a read is held up.
const READ_HELD_UP_MAX: Duration = Duration::from_secs(12);

/// The most that a swap is held up, or lands late. Who creates a user has at least half of
/// [`SEEDING_LEASE`](crate::ledger::SEEDING_LEASE) left then; a swap that takes longer may replace what the next creator
/// wrote, on a store that replaces unconditionally, and nothing can be done about that.
const SWAP_HELD_UP_MAX: Duration = Duration::from_secs(4);

/// What a swap compares, and what it says of itself. The caller hears none of the latter, or would believe it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Spin's `SQLite` store: it compares the bytes that were read, and replaces unconditionally where none were. That it
    /// did not fit is no failure.
    #[default]
    Sqlite,
    /// Spin's Redis store: it compares whether anybody has written since, even the same bytes. It says that it was not
    /// done, always.
    Redis,
    /// As the interface promises: the version that was read is replaced or, where there was none, nothing else is.
    Versioned,
}

impl Behaviour {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Redis, Self::Versioned];
}

/// A reading, with what the store compares at the swap.
#[derive(Clone, Debug)]
pub struct Claim {
    key: DocumentKey,
    seen: Option<Vec<u8>>,
    version: u64,
}

/// Documents in memory.
pub struct MemoryDocuments {
    simulation: &'static Simulation,
    behaviour: Behaviour,
    /// What they are.
    pub documents: RefCell<BTreeMap<DocumentKey, Vec<u8>>>,
    versions: RefCell<BTreeMap<DocumentKey, u64>>,
    /// What goes wrong.
    pub faults: Faults,
    /// What each call takes, over the ordinary.
    pub slow: Cell<Duration>,
    /// What each call of that kind takes, and then fails as locked.
    pub locked_reads: Cell<Option<Duration>>,
    /// The same of swaps.
    pub locked_swaps: Cell<Option<Duration>>,
    /// How many swaps were tried.
    pub swaps: Cell<u32>,
    /// How many can be tried.
    pub swaps_max: Cell<u32>,
    /// The calls that are known to find the store locked.
    pub found_locked: Cell<Option<Access>>,
    locked_until: [Cell<Duration>; 2],
    late: Late<(Claim, Vec<u8>)>,
    /// All documents that were ever stored, in the order in which they were, until somebody takes them.
    pub stored: RefCell<Vec<(DocumentKey, Vec<u8>)>>,
}

impl MemoryDocuments {
    /// An empty store that behaves so.
    #[must_use]
    pub fn new(simulation: &'static Simulation, behaviour: Behaviour) -> Self {
        Self {
            simulation,
            behaviour,
            documents: RefCell::default(),
            versions: RefCell::default(),
            faults: Faults::default(),
            slow: Cell::default(),
            locked_reads: Cell::default(),
            locked_swaps: Cell::default(),
            swaps: Cell::default(),
            swaps_max: Cell::new(u32::MAX),
            found_locked: Cell::default(),
            locked_until: Default::default(),
            late: Late::default(),
            stored: RefCell::default(),
        }
    }

    /// Swaps, if that fits by the store's rules. Whether it did nobody is told.
    fn put(&self, claim: &Claim, document: &[u8]) {
        let now = self.documents.borrow().get(&claim.key).cloned();
        let fits = match self.behaviour {
            Behaviour::Sqlite => claim.seen.is_none() || claim.seen == now,
            Behaviour::Redis => claim.version == self.version(&claim.key),
            Behaviour::Versioned => claim.version == self.version(&claim.key) && claim.seen == now,
        };
        self.simulation.note(|| {
            let done = if fits { "stored" } else { "not stored" };
            format!("  {} {done}", claim.key)
        });
        if fits {
            self.replace(&claim.key, document.to_vec());
        }
    }

    fn replace(&self, key: &DocumentKey, document: Vec<u8>) {
        *self.versions.borrow_mut().entry(key.clone()).or_default() += 1;
        let stored = (key.clone(), document.clone());
        self.stored.borrow_mut().push(stored);
        self.documents.borrow_mut().insert(key.clone(), document);
    }

    fn version(&self, key: &DocumentKey) -> u64 {
        self.versions.borrow().get(key).copied().unwrap_or(0)
    }

    /// Does what was on its way and is there by now.
    fn land(&self) {
        for (claim, document) in self.late.arrived(self.simulation.elapsed()) {
            self.simulation
                .note(|| format!("  a late swap of {} arrives", claim.key));
            self.put(&claim, &document);
        }
    }

    async fn call<T>(
        &self,
        access: Access,
        name: impl FnOnce() -> String,
        work: impl FnOnce(Option<Fault>) -> T,
        late: impl FnOnce(Duration),
    ) -> Result<T, StoreError>
    where
        T: Sized,
    {
        let locked = match access {
            Access::Read => self.locked_reads.get(),
            Access::Write => self.locked_swaps.get(),
        };
        self.simulation.advance(self.slow.get());
        if let Some(span) = locked {
            self.simulation.advance(span);
            return Err(StoreError::Busy("database is locked".to_owned()));
        }
        let changes = access == Access::Write;
        let limits = Limits {
            locked: LOCKED,
            held_up_max: if changes {
                SWAP_HELD_UP_MAX
            } else {
                READ_HELD_UP_MAX
            },
            changes,
            // A file is on this machine. And no second attempt could be safe from a first one that comes after it and
            // replaces unconditionally.
            lands_late: changes && self.behaviour != Behaviour::Sqlite,
        };
        let fate = self.faults.fate(self.simulation, limits, name).await;
        self.land();
        if fate.fault == Some(Fault::Locked) {
            self.locked_until[access as usize].set(self.simulation.elapsed() + LOCKED_FOR);
        }
        let done = match fate.effect {
            Effect::Now => Some(Ok(work(fate.fault))),
            Effect::Never => None,
            Effect::At(at) => {
                late(at);
                None
            }
        };
        fate.answer(self.simulation, done).await
    }

    /// Another writer's change.
    fn race(&self, key: &DocumentKey) {
        let document = self.documents.borrow().get(key).cloned();
        let Some(Ok(mut other)) = document.map(|document| State::parse(&document)) else {
            return;
        };
        other.revision += 1;
        if let Ok(document) = serde_json::to_vec(&other) {
            self.replace(key, document);
        }
    }
}

impl Documents for MemoryDocuments {
    type Claim = Claim;

    async fn read(&self, key: &DocumentKey) -> Result<Option<Vec<u8>>, StoreError> {
        let look = |_| self.documents.borrow().get(key).cloned();
        self.call(Access::Read, || format!("read {key}"), look, |_| ())
            .await
    }

    async fn claim(&self, key: &DocumentKey) -> Result<(Option<Vec<u8>>, Claim), StoreError> {
        let look = |_| {
            let seen = self.documents.borrow().get(key).cloned();
            let claim = Claim {
                key: key.clone(),
                seen: seen.clone(),
                version: self.version(key),
            };
            (seen, claim)
        };
        self.call(Access::Read, || format!("claim {key}"), look, |_| ())
            .await
    }

    fn known_to_fail(&self, access: Access) -> Option<StoreError> {
        let is_used_up = access == Access::Write && self.swaps.get() >= self.swaps_max.get();
        let is_locked = self.simulation.elapsed() < self.locked_until[access as usize].get();
        (is_used_up || is_locked || self.found_locked.get() == Some(access))
            .then(|| StoreError::Busy("not now".to_owned()))
    }

    async fn swap(&self, claim: Claim, document: &[u8]) -> Result<(), StoreError> {
        self.swaps.set(self.swaps.get() + 1);
        let swap = |fault| {
            if fault == Some(Fault::Raced) {
                self.race(&claim.key);
            }
            self.put(&claim, document);
        };
        let late = |at| self.late.push(at, (claim.clone(), document.to_vec()));
        self.call(Access::Write, || format!("swap {}", claim.key), swap, late)
            .await
    }
}
