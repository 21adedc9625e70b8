//! What goes wrong: failures, crashes, calls that drag on, and requests whose calls come between each other's.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use talktime_host::{FaultAction, Faults, HostCall, VirtualClock};
use tokio::time::Instant;

use crate::prng::Prng;

const FAILURES: [&str; 3] = ["database is locked", "disk I/O error", "too many requests"];

/// The longest that one host call drags on, by the guests' clock. Less than half of the lease of a user's creator: within
/// that a write which the creator has begun is done.
const SLOW_MILLIS_MAX: u64 = 4_000;

/// What instances take for a wait behind a lock.
const HELD_UP_MILLIS: u64 = 4_500;

/// Calls of requests that come at once go on at multiples of so many milliseconds of the runtime's (paused) clock, one at
/// each. Between two of them there is room for the short sleeps of guests, so nothing ever races with anything.
const SLOT_MILLIS: u64 = 4;

/// The most slots by which a call gives way to others, mostly and now and then.
const GIVE_WAY_SLOTS_MAX: [u64; 6] = [2, 8, 8, 8, 8, 60];

/// The faults of a run.
pub struct InjectedFaults {
    inner: Mutex<Inner>,
    clock: OnceLock<VirtualClock>,
}

struct Inner {
    prng: Prng,
    profile: FaultProfile,
    began: Option<Instant>,
    /// The slots that are taken, counted from the step's begin.
    slots: BTreeSet<u64>,
    log: String,
    happened: u32,
    /// How long calls dragged on in this step.
    slow_millis: u64,
    /// When that last came to so much that a call to the documents meanwhile may have, by the guests' clock.
    held_up: Option<i64>,
}

/// What may go wrong in a step.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultProfile {
    /// Of a thousand host calls, how many fail, and as many crash.
    pub per_mille: u64,
    /// How long every call takes by the guests' clock.
    pub drag_millis: u64,
    /// Calls of the component `session` that all fail: those whose kind and detail begin so.
    pub broken: Option<&'static str>,
    /// Whether calls give way to each other.
    pub interleave: bool,
}

impl InjectedFaults {
    pub fn new(prng: Prng) -> Self {
        Self {
            inner: Mutex::new(Inner {
                prng,
                profile: FaultProfile::default(),
                began: None,
                slots: BTreeSet::new(),
                log: String::new(),
                happened: 0,
                slow_millis: 0,
                held_up: None,
            }),
            clock: OnceLock::new(),
        }
    }

    pub fn slows(&self, clock: &VirtualClock) {
        assert!(self.clock.set(clock.clone()).is_ok(), "set once");
    }

    /// Begins a step of so many requests, and tells when each is to be sent.
    pub fn begin(&self, profile: FaultProfile, requests: usize) -> Vec<Duration> {
        let mut inner = self.inner.lock().expect("one thread");
        inner.began = Some(Instant::now());
        inner.profile = profile;
        inner.slots.clear();
        inner.log.clear();
        inner.happened = 0;
        inner.slow_millis = 0;
        let slots = 1..=requests as u64;
        inner.slots.extend(slots.clone());
        slots
            .map(|slot| Duration::from_millis(slot * SLOT_MILLIS))
            .collect()
    }

    /// Ends a step: nothing goes wrong from now on. What has, and how often.
    pub fn end(&self) -> (String, u32) {
        let mut inner = self.inner.lock().expect("one thread");
        inner.profile = FaultProfile::default();
        if inner.slow_millis >= HELD_UP_MILLIS {
            inner.held_up = self.clock.get().map(VirtualClock::now_millis);
        }
        (std::mem::take(&mut inner.log), inner.happened)
    }

    /// When calls were last held up for so long that instances may take the store for locked.
    pub fn held_up(&self) -> Option<i64> {
        self.inner.lock().expect("one thread").held_up
    }

    #[expect(
        clippy::same_functions_in_if_condition,
        reason = "each draws anew from the generator"
    )]
    fn fault(&self, inner: &mut Inner, call: &HostCall, when: &str) -> Option<FaultAction> {
        let FaultProfile {
            per_mille, broken, ..
        } = inner.profile;
        let is_broken = call.component == "session"
            && broken
                .is_some_and(|what| format!("{:?} {}", call.kind, call.detail).starts_with(what));
        let action = if is_broken {
            FaultAction::Fail(FAILURES[1].to_owned())
        } else if per_mille == 0 {
            return None;
        } else if inner.prng.per_mille(per_mille) {
            FaultAction::Fail((*inner.prng.pick(&FAILURES)).to_owned())
        } else if inner.prng.per_mille(per_mille) {
            FaultAction::Crash
        } else if inner.prng.per_mille(per_mille) {
            let millis = inner.prng.between(1, SLOW_MILLIS_MAX);
            if let Some(clock) = self.clock.get() {
                clock.advance(Duration::from_millis(millis));
            }
            inner.slow_millis += millis;
            // Held up for too long, the creator of a user gives up.
            inner.happened += 1;
            let _ = write!(
                inner.log,
                "\n      slow by {millis} ms {when} {}",
                name(call)
            );
            return None;
        } else {
            return None;
        };
        inner.happened += 1;
        let _ = write!(inner.log, "\n      {action:?} {when} {}", name(call));
        Some(action)
    }
}

fn name(call: &HostCall) -> String {
    let detail: String = call.detail.chars().take(48).collect();
    format!("{} {:?} {detail}", call.component, call.kind)
}

impl Inner {
    fn give_way(&mut self) -> FaultAction {
        let Some(began) = self.began.filter(|_| self.profile.interleave) else {
            return FaultAction::None;
        };
        let now = u64::try_from(began.elapsed().as_millis()).expect("a short run");
        let most = *self.prng.pick(&GIVE_WAY_SLOTS_MAX);
        let mut slot = now / SLOT_MILLIS + self.prng.between(1, most);
        while !self.slots.insert(slot) {
            slot += 1;
        }
        FaultAction::Delay(Duration::from_millis(slot * SLOT_MILLIS - now))
    }
}

impl Faults for InjectedFaults {
    fn before(&self, call: &HostCall) -> FaultAction {
        let mut inner = self.inner.lock().expect("one thread");
        if let Some(clock) = self.clock.get() {
            clock.advance(Duration::from_millis(inner.profile.drag_millis));
        }
        inner.slow_millis += inner.profile.drag_millis;
        match self.fault(&mut inner, call, "before") {
            Some(action) => action,
            None => inner.give_way(),
        }
    }

    fn after(&self, call: &HostCall) -> FaultAction {
        let mut inner = self.inner.lock().expect("one thread");
        self.fault(&mut inner, call, "after")
            .unwrap_or(FaultAction::None)
    }
}
