//! Simulated time, seeded chance, and the executor that goes with them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use talktime_usage::Timestamp;

use super::chance::Chance;
use crate::environment::Environment;

/// Something that runs at the same time as others: a request, or a sweep, each in a process of its own.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// When somebody goes on; who of several at one instant is drawn.
type Turn = (Duration, u64);

/// The surroundings of a simulated run. Time stands still while anybody has something to do, and goes on to the next
/// instant that somebody waits for when nobody has.
pub struct Simulation {
    /// What everything random is drawn from, the order of calls included.
    pub chance: Chance,
    /// The most that a healthy call takes on its way to a store, and back, in milliseconds. Such calls pass each other even
    /// where that is 0.
    pub latency_millis_max: Cell<u64>,
    /// The same of those tasks of a run that are on slow machines, by their numbers.
    pub slow_tasks: RefCell<BTreeMap<usize, u64>>,
    unix_millis: Cell<i64>,
    elapsed: Cell<Duration>,
    waiting: RefCell<BTreeMap<Turn, Waker>>,
    is_running: Cell<bool>,
    /// The task that is being polled is never to be polled again.
    crashed: Cell<bool>,
    current: Cell<usize>,
    story: RefCell<Option<Vec<String>>>,
}

impl Simulation {
    /// One that begins at that time, by that seed.
    #[must_use]
    pub fn new(start: Timestamp, seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            latency_millis_max: Cell::new(0),
            slow_tasks: RefCell::default(),
            unix_millis: Cell::new(start.unix_millis()),
            elapsed: Cell::new(Duration::ZERO),
            waiting: RefCell::default(),
            is_running: Cell::new(false),
            crashed: Cell::new(false),
            current: Cell::new(0),
            story: RefCell::new(None),
        }
    }

    /// From now on it is noted what happens.
    pub fn tell_story(&self) {
        *self.story.borrow_mut() = Some(Vec::new());
    }

    /// Notes what happens, where that is wanted.
    pub fn note(&self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut *self.story.borrow_mut() {
            let at = self.now().utc().format("%d %H:%M:%S%.3f");
            story.push(format!("{at} {} {}", self.current.get(), what()));
        }
    }

    /// What was noted.
    pub fn story(&self) -> Vec<String> {
        self.story.borrow().clone().unwrap_or_default()
    }

    /// Lets time go on.
    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.unix_millis
            .set(self.unix_millis.get().saturating_add(millis));
        self.elapsed.set(self.elapsed.get() + span);
    }

    /// Sets the wall clock forward, or back. No time passes by that.
    pub fn step_clock(&self, millis: i64) {
        self.unix_millis
            .set(self.unix_millis.get().saturating_add(millis));
    }

    /// The time of a way to a store, or back: a draw for each, so that calls under way at once are done in any order.
    pub(super) fn latency(&self) -> Duration {
        let slow = self.slow_tasks.borrow().get(&self.current.get()).copied();
        let most = slow.unwrap_or(self.latency_millis_max.get());
        Duration::from_millis(self.chance.between(0, most))
    }

    /// Runs tasks at once, each to its end or to its crash, which gives `None`.
    ///
    /// # Panics
    /// When a task waits for something that is not a part of the simulation.
    pub fn run<'a, T>(&self, tasks: impl IntoIterator<Item = Task<'a, T>>) -> Vec<Option<T>> {
        let mut tasks: Vec<Running<'_, T>> = tasks.into_iter().map(Running::new).collect();
        self.is_running.set(true);
        loop {
            while self.poll_woken(&mut tasks) {}
            if tasks.iter().all(|task| task.future.is_none()) {
                break;
            }
            assert!(self.next_turn(), "a task waits for nobody");
        }
        self.is_running.set(false);
        // Those of tasks that have crashed.
        self.waiting.borrow_mut().clear();
        tasks.into_iter().map(|task| task.outcome).collect()
    }

    /// Polls the tasks that were woken, and tells whether there were any.
    fn poll_woken<T>(&self, tasks: &mut [Running<'_, T>]) -> bool {
        let mut any = false;
        for (number, task) in tasks.iter_mut().enumerate() {
            if !task.woken.0.swap(false, Ordering::Relaxed) {
                continue;
            }
            any = true;
            self.current.set(number);
            task.poll();
            if self.crashed.take() {
                task.future = None;
            }
        }
        any
    }

    /// Lets whoever is next go on, at the instant that it waits for.
    fn next_turn(&self) -> bool {
        let next = self.waiting.borrow_mut().pop_first();
        let Some(((at, _), waker)) = next else {
            return false;
        };
        self.advance(at.saturating_sub(self.elapsed.get()));
        waker.wake();
        true
    }

    /// The calling task goes no further, and neither does anything that is a part of it: its process is gone.
    pub async fn crash<T>(&self) -> T {
        self.crashed.set(true);
        pending().await
    }

    async fn turn(&self, at: Duration) {
        let turn = (at, self.chance.bits());
        let mut is_first = true;
        poll_fn(|context: &mut Context<'_>| {
            let mut waiting = self.waiting.borrow_mut();
            if is_first || waiting.contains_key(&turn) {
                is_first = false;
                waiting.insert(turn, context.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}

impl Environment for Simulation {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.unix_millis.get())
    }

    fn elapsed(&self) -> Duration {
        self.elapsed.get()
    }

    /// Under another executor nobody else is there whom time could stand still for.
    fn wait(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async move {
            if self.is_running.get() {
                self.turn(self.elapsed.get() + span).await;
            } else {
                self.advance(span);
            }
        })
    }

    fn random(&self) -> u64 {
        self.chance.bits()
    }
}

/// A task on its way.
struct Running<'a, T> {
    future: Option<Task<'a, T>>,
    woken: Arc<Woken>,
    outcome: Option<T>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'a, T> Running<'a, T> {
    fn new(task: Task<'a, T>) -> Self {
        Self {
            future: Some(task),
            woken: Arc::new(Woken(AtomicBool::new(true))),
            outcome: None,
        }
    }

    fn poll(&mut self) {
        let Some(future) = &mut self.future else {
            return;
        };
        let waker = Waker::from(self.woken.clone());
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.outcome = Some(outcome);
            self.future = None;
        }
    }
}
