//! Many users' sweeps at once, whose writes to the ledger go together: each sees to its user as if it were alone, and what
//! several of them tell the ledger at the same time is one statement. A commit costs far more than the rows in it.

use std::cell::RefCell;
use std::pin::pin;
use std::task::Poll;

use futures_channel::oneshot;
use futures_util::stream::{Stream, StreamExt};
use talktime_usage::{LedgerFacts, LedgerWrite, SessionId, Timestamp, UserId};

use crate::alarms::{Alarms, FinishedAlarm, UserRows};
use crate::error::StoreError;
use crate::ledger::{Ledger, Written};

/// Calls of one kind that wait for being made together.
struct Waiting<C, A>(RefCell<Vec<(C, oneshot::Sender<A>)>>);

impl<C, A> Waiting<C, A> {
    fn none() -> Self {
        Self(RefCell::default())
    }

    fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    fn take(&self) -> (Vec<C>, Vec<oneshot::Sender<A>>) {
        self.0.take().into_iter().unzip()
    }

    /// Waits until the call was made; `None` if nobody makes it any more.
    async fn join(&self, call: C) -> Option<A> {
        let (sender, receiver) = oneshot::channel();
        self.0.borrow_mut().push((call, sender));
        receiver.await.ok()
    }
}

/// Whoever asks may have gone.
fn answer<A>(senders: Vec<oneshot::Sender<A>>, answers: impl IntoIterator<Item = A>) {
    for (sender, answer) in senders.into_iter().zip(answers) {
        let _ = sender.send(answer);
    }
}

fn nobody_asks() -> StoreError {
    StoreError::Unavailable("the sweep is over".to_owned())
}

/// The ledger of sweeps that run at once.
pub(super) struct TogetherLedger<'a, L> {
    inner: &'a L,
    writes: Waiting<(UserId, Vec<LedgerWrite>), Result<Written, StoreError>>,
    finished: Waiting<FinishedAlarm, Result<(), StoreError>>,
}

impl<'a, L: Alarms> TogetherLedger<'a, L> {
    pub(super) fn new(inner: &'a L) -> Self {
        Self {
            inner,
            writes: Waiting::none(),
            finished: Waiting::none(),
        }
    }

    /// Runs the sweeps to their end, and makes what they wait for whenever none of them can go on.
    pub(super) async fn run<T>(
        &self,
        sweeps: impl Stream<Item = T>,
        now: impl Fn() -> Timestamp,
    ) -> Vec<T> {
        let mut sweeps = pin!(sweeps);
        let mut done = Vec::new();
        loop {
            let all_wait = std::future::poll_fn(|context| {
                loop {
                    match sweeps.poll_next_unpin(context) {
                        Poll::Ready(Some(one)) => done.push(one),
                        Poll::Ready(None) => return Poll::Ready(false),
                        Poll::Pending if self.writes.is_empty() && self.finished.is_empty() => {
                            return Poll::Pending;
                        }
                        Poll::Pending => return Poll::Ready(true),
                    }
                }
            });
            if !all_wait.await {
                return done;
            }
            self.make_calls(now()).await;
        }
    }

    async fn make_calls(&self, now: Timestamp) {
        let (writes, senders) = self.writes.take();
        let told: Vec<UserRows<'_>> = writes
            .iter()
            .map(|(user, rows)| UserRows { user, rows })
            .collect();
        if !told.is_empty() {
            answer(senders, self.inner.write_all(&told, now).await);
        }
        let (finished, senders) = self.finished.take();
        if !finished.is_empty() {
            let outcome = self.inner.finish_alarms(&finished, now).await;
            answer(senders, std::iter::repeat(outcome));
        }
    }

    pub(super) async fn finish_alarm(&self, finished: FinishedAlarm) -> Result<(), StoreError> {
        let outcome = self.finished.join(finished).await;
        outcome.unwrap_or_else(|| Err(nobody_asks()))
    }
}

impl<L: Ledger> Ledger for TogetherLedger<'_, L> {
    async fn claim_creation(
        &self,
        user: &UserId,
        creator: &str,
        write: &str,
        now: Timestamp,
        alarm_at: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let claimed = self
            .inner
            .claim_creation(user, creator, write, now, alarm_at);
        claimed.await
    }

    async fn is_creator(
        &self,
        user: &UserId,
        creator: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.inner.is_creator(user, creator, now).await
    }

    async fn facts(
        &self,
        user: &UserId,
        session: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Option<LedgerFacts>, StoreError> {
        self.inner.facts(user, session, now).await
    }

    async fn set_alarm(
        &self,
        user: &UserId,
        token: &str,
        now: Timestamp,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.set_alarm(user, token, now, at).await
    }

    /// As of when the rows are written makes no difference of a moment.
    async fn write(
        &self,
        user: &UserId,
        rows: &[LedgerWrite],
        _: Timestamp,
    ) -> Result<Written, StoreError> {
        if rows.is_empty() {
            return Ok(Written::Rows);
        }
        let outcome = self.writes.join((user.clone(), rows.to_vec())).await;
        outcome.unwrap_or_else(|| Err(nobody_asks()))
    }
}
