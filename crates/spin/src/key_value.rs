//! [`Documents`] in Spin's key-value store.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use talktime_store::{Access, DocumentKey, Documents, Environment, StoreError};

use crate::environment::HOST;

mod bindings {
    #![allow(missing_docs, clippy::pedantic, unused_qualifications, unsafe_code)]
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        world: "documents",
        runtime_path: "spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

use bindings::wasi::keyvalue::atomics::{Cas, CasError, swap};
use bindings::wasi::keyvalue::store::{Bucket, Error, open};

/// The store that `spin.toml` grants.
const LABEL: &str = "default";

/// How many swaps an instance can make in its life: Spin 4.1 has that many handles for them, and never gives one back
/// that was used (`crates/factor-key-value/src/host.rs` there). It replaces an instance after 128 requests or a second
/// without any.
const SWAPS_MAX: u32 = 256;

/// The swaps that this instance has made.
static SWAPS: AtomicU32 = AtomicU32::new(0);

fn swaps_left() -> u32 {
    SWAPS_MAX.saturating_sub(SWAPS.load(Ordering::Relaxed))
}

/// Swaps that a sweep leaves unused for lost races where its instance serves nothing else.
const RESERVE_ALONE: u32 = 16;

/// Swaps that a sweep leaves to the other requests that its instance may yet serve: one for each.
const RESERVE_SHARED: u32 = 128;

/// What an instance is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Sweeps, and nothing else.
    SweepsOnly,
    /// Requests, of which a sweep is one.
    Requests,
}

/// A call that takes that long has waited for another process's lock: on `SQLite` Spin waits for five seconds within one
/// call, during which nothing else of this instance runs, and no other call to the store on this machine. So one that
/// succeeds after such a wait was in the queue behind another instance's, and the next one would be again.
const LONG_WAIT: Duration = Duration::from_millis(4_500);

/// For how long nobody of this instance tries after such a call: the others behind it have had their answer then.
const LOCKED_FOR_MILLIS: u64 = 2_000;

/// Until when, by the clock of [`HOST::elapsed`], reads and writes are not tried, in milliseconds.
static LOCKED_UNTIL: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

fn elapsed_millis() -> u64 {
    u64::try_from(HOST.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Makes a call, and remembers whether it found the store locked.
fn watched<T>(access: Access, call: impl FnOnce() -> Result<T, Error>) -> Result<T, StoreError> {
    let began = HOST.elapsed();
    let outcome = call().map_err(store_error);
    let waited = HOST.elapsed().saturating_sub(began);
    if waited >= LONG_WAIT {
        let until = elapsed_millis() + LOCKED_FOR_MILLIS;
        for (of, locked_until) in LOCKED_UNTIL.iter().enumerate() {
            // Of a lock only this kind is known to have met it. The queue is everybody's.
            if outcome.is_ok() || of == access as usize {
                locked_until.store(until, Ordering::Relaxed);
            }
        }
    }
    outcome
}

/// The store, once this instance has opened it.
static BUCKET: OnceLock<Bucket> = OnceLock::new();

/// The documents in the store `default`.
pub struct KeyValue {
    bucket: &'static Bucket,
}

impl KeyValue {
    /// How many users one sweep of this instance may change: most swaps that are left, if it serves nothing else.
    pub fn swaps_for_sweep(&self, serves: Serves) -> u32 {
        let reserve = match serves {
            Serves::SweepsOnly => RESERVE_ALONE,
            Serves::Requests => RESERVE_SHARED,
        };
        swaps_left().saturating_sub(reserve)
    }

    /// Opens the store, once for each instance.
    ///
    /// # Errors
    /// When the host does not grant it or it cannot be reached.
    pub fn open() -> Result<Self, StoreError> {
        let bucket = match BUCKET.get() {
            Some(bucket) => Ok(bucket),
            None => open(LABEL).map(|opened| BUCKET.get_or_init(|| opened)),
        };
        let bucket = bucket.map_err(store_error)?;
        Ok(Self { bucket })
    }
}

impl Documents for KeyValue {
    type Claim = Cas;

    async fn read(&self, key: &DocumentKey) -> Result<Option<Vec<u8>>, StoreError> {
        watched(Access::Read, || self.bucket.get(&key.to_string()))
    }

    async fn claim(&self, key: &DocumentKey) -> Result<(Option<Vec<u8>>, Cas), StoreError> {
        let cas = Cas::new(self.bucket, &key.to_string()).map_err(store_error)?;
        let document = watched(Access::Read, || cas.current())?;
        Ok((document, cas))
    }

    fn known_to_fail(&self, access: Access) -> Option<StoreError> {
        let is_locked = elapsed_millis() < LOCKED_UNTIL[access as usize].load(Ordering::Relaxed);
        let why = if is_locked {
            "the store was locked a moment ago"
        } else if access == Access::Write && swaps_left() == 0 {
            "this instance can make no more swaps"
        } else {
            return None;
        };
        Some(StoreError::Busy(why.to_owned()))
    }

    async fn swap(&self, claim: Cas, document: &[u8]) -> Result<(), StoreError> {
        SWAPS.fetch_add(1, Ordering::Relaxed);
        watched(Access::Write, || match swap(claim, document) {
            Ok(()) | Err(CasError::CasFailed(_)) => Ok(()),
            Err(CasError::StoreError(error)) => Err(error),
        })
    }
}

fn store_error(error: Error) -> StoreError {
    match error {
        Error::NoSuchStore => StoreError::Unavailable(format!("no key-value store {LABEL:?}")),
        Error::AccessDenied => {
            StoreError::Unavailable(format!("spin.toml does not grant the store {LABEL:?}"))
        }
        Error::Other(message) => StoreError::from_message(message),
    }
}
