//! One writer for each user: commands run on the state document inside a compare-and-swap loop.

use std::time::Duration;

use talktime_usage::is_to_be_compared;
use talktime_usage::{
    Command, LedgerFacts, LedgerWrite, OtherReply, Policy, Refusal, Repeat, Reply, State, Status,
    Timestamp, UserId, WriteId, clock_ahead, next_look_at_calls, status,
};

use crate::alarms::DueAlarm;
use crate::backoff;
use crate::call_watch::CallWatch;
use crate::documents::{Access, Documents};
use crate::environment::{Deadline, Environment};
use crate::error::StoreError;
use crate::ledger::Ledger;
use crate::pseudonym::pseudonym;
use crate::writer::{Carried, Change, Reading, Request};

/// For how long new tries are begun. A host call can wait for five seconds by itself, where another process holds the
/// store; a request is to be answered within about that.
const TRIED_FOR: Duration = Duration::from_secs(4);

/// The latest that a sweep comes by a session that runs, failed ones included; an alarm further away is none.
const SWEPT_WITHIN: Duration = Duration::from_mins(20);

/// Users' states in `documents`, their sums in `ledger`.
pub struct Users<'a, D, L> {
    /// The state documents.
    pub documents: &'a D,
    pub ledger: &'a L,
    /// The rules' settings.
    pub policy: &'a Policy,
    /// Clocks and chance.
    pub environment: &'a dyn Environment,
}

/// The mark of a request.
#[derive(Clone, Debug)]
pub enum WriteMark {
    /// It has a mark of its own.
    Once(WriteId),
    /// A retry may come with the same mark, and wants the same answer.
    Repeatable(Repeat),
}

/// Why a command has no reply.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A store failed; the command may or may not have been carried out.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The document keeps an answer that cannot be one to this request.
impl From<OtherReply> for ApplyError {
    fn from(error: OtherReply) -> Self {
        StoreError::Unreadable(error.to_string()).into()
    }
}

/// A command that was carried out.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) reply: Reply,
    /// The state before it.
    pub(crate) before: Option<State>,
    /// The state after it.
    pub(crate) state: Option<State>,
    /// The rows that the ledger was told, none where nothing changed.
    pub(crate) writes: Vec<LedgerWrite>,
    /// Whether the ledger has those rows. If not, the alarm sees to it.
    pub(crate) ledger_written: bool,
    /// Whether the ledger was told of a newer state than this.
    pub(crate) ledger_is_ahead: bool,
}

impl<'a, D: Documents, L: Ledger> Users<'a, D, L> {
    /// Users there, by those rules.
    #[must_use]
    pub fn new(
        documents: &'a D,
        ledger: &'a L,
        policy: &'a Policy,
        environment: &'a dyn Environment,
    ) -> Self {
        Self {
            documents,
            ledger,
            policy,
            environment,
        }
    }

    /// The mark of a write that nobody repeats.
    pub fn fresh_mark(&self) -> WriteMark {
        WriteMark::Once(self.random_write_id())
    }

    /// A mark that no other write has.
    pub(crate) fn random_write_id(&self) -> WriteId {
        WriteId::from_bits(self.environment.random())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// The user's status at this instant, from one read of the state document. Nothing is written.
    ///
    /// # Errors
    /// When the document cannot be read.
    pub async fn status(&self, user: &UserId) -> Result<Status, StoreError> {
        let state = self.read(user).await?;
        Ok(status(user, state.as_ref(), self.now(), self.policy))
    }

    /// The user's state as it is stored.
    ///
    /// # Errors
    /// When the document cannot be read.
    pub async fn read(&self, user: &UserId) -> Result<Option<State>, StoreError> {
        let document = self.patiently(async || self.documents.read(&user.into()).await);
        document.await?.as_deref().map(parse).transpose()
    }

    /// Makes a call that reads, and waits for a store that is locked.
    pub(crate) async fn patiently<T>(
        &self,
        read: impl AsyncFn() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let deadline = self.deadline();
        let mut waits = backoff::locked(self.environment);
        if let Some(error) = self.documents.known_to_fail(Access::Read) {
            return Err(error);
        }
        loop {
            let error = match read().await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let again = match (&error, waits.next()) {
                (StoreError::Busy(_), Some(wait)) => deadline.wait(wait, self.environment).await,
                _ => false,
            };
            if !again {
                return Err(error);
            }
        }
    }

    /// Carries out a command. A user whom only the ledger still knows, or knows more of, is taken up from it.
    ///
    /// # Errors
    /// When the rules refuse it, or a store fails or stays contended for all tries.
    pub(crate) async fn apply(
        &self,
        user: &UserId,
        command: &Command,
        mark: &WriteMark,
    ) -> Result<Applied, ApplyError> {
        // Large, and a part of every request's future.
        Box::pin(self.apply_to(None, user, command, mark)).await
    }

    /// [`Self::apply`], where the document has been read already.
    pub(crate) async fn apply_to(
        &self,
        reading: Option<Reading<D::Claim>>,
        user: &UserId,
        command: &Command,
        mark: &WriteMark,
    ) -> Result<Applied, ApplyError> {
        let now = self.now();
        let deadline = self.deadline();
        let request = |change| Request {
            user,
            change,
            write: match mark {
                WriteMark::Once(id) => id.clone(),
                // Two copies of a repeatable request can be under way at once, and the second must not take the first
                // one's write for its own: it would answer with, and tell the ledger of, a session that never was.
                WriteMark::Repeatable(_) => self.random_write_id(),
            },
            creator: self.random_write_id(),
            deadline,
        };
        let change = Change::Command {
            command,
            repeat: match mark {
                WriteMark::Once(_) => None,
                WriteMark::Repeatable(repeat) => Some(repeat),
            },
        };
        let carried = match self.carry_out(request(change), reading).await? {
            Carried::OnlyLedgerKnows(facts) => {
                // Rare, so its future is not a part of every request's.
                Box::pin(self.take_up(user, &facts, deadline)).await?;
                Box::pin(self.carry_out(request(change), None)).await?
            }
            carried @ Carried::Out(_) => carried,
        };
        let Carried::Out(applied) = carried else {
            // It was there a moment ago.
            let gone = "the document was lost again".to_owned();
            return Err(StoreError::Unavailable(gone).into());
        };
        self.watch(user, command, &applied, now, deadline).await;
        self.watch_calls(user, command, &applied).await;
        Ok(*applied)
    }

    /// Says so where a clock was ahead, and compares the state with the ledger where that is due.
    async fn watch(
        &self,
        user: &UserId,
        command: &Command,
        applied: &Applied,
        now: Timestamp,
        deadline: Deadline,
    ) {
        let before = applied.before.as_ref();
        if let Some(ahead) = before.and_then(|before| clock_ahead(before, now)) {
            eprintln!(
                "the state of {} is {} s ahead of the clock of this machine: one of the clocks is wrong, or was. The state is \
                 moved onto this one",
                pseudonym(user),
                ahead.as_secs()
            );
        }
        let Some(after) = &applied.state else { return };
        let is_due = matches!(command, Command::Heartbeat { .. })
            && before.is_some_and(|before| is_to_be_compared(before, after));
        if (applied.ledger_is_ahead || is_due)
            && let Err(error) = Box::pin(self.compare(after, deadline)).await
        {
            eprintln!(
                "{} could not be compared with the ledger, later: {error}",
                pseudonym(user)
            );
        }
    }

    /// The watch over open calls.
    pub fn call_watch(&self) -> CallWatch<'_, D> {
        CallWatch {
            documents: self.documents,
            environment: self.environment,
        }
    }

    /// Sees to it that somebody looks at the user's calls when they are to be hung up, where that is news. A sweep says it
    /// anyway: it mends what was lost.
    async fn watch_calls(&self, user: &UserId, command: &Command, applied: &Applied) {
        let look = |state: &Option<State>| {
            let state = state.as_ref()?;
            next_look_at_calls(state, self.now(), self.policy)
        };
        let Some(next) = look(&applied.state) else {
            return;
        };
        let is_news = look(&applied.before).is_none_or(|before| next < before);
        if (is_news || matches!(command, Command::Sweep { .. }))
            && let Err(error) = Box::pin(self.call_watch().request_look(user, next)).await
        {
            eprintln!(
                "the calls of {} are looked at when the next sweep asks for it: {error}",
                pseudonym(user)
            );
        }
    }

    /// Takes up what the ledger knows and the user's document does not.
    ///
    /// # Errors
    /// When a store fails.
    pub(crate) async fn take_up(
        &self,
        user: &UserId,
        facts: &LedgerFacts,
        deadline: Deadline,
    ) -> Result<(), ApplyError> {
        let request = Request {
            user,
            change: Change::TakeUp(facts),
            write: self.random_write_id(),
            creator: self.random_write_id(),
            deadline,
        };
        if let Carried::Out(applied) = self.carry_out(request, None).await?
            && !applied.writes.is_empty()
        {
            let what = if applied.before.is_none() {
                "lost"
            } else {
                "older than the ledger"
            };
            let revision = applied.state.map_or(0, |state| state.revision);
            eprintln!(
                "the document of {} was {what} and is taken up from there, as revision {revision}: was the key-value store \
                 emptied, or put back in time? A plan that only the ledger knew of holds until its period ends",
                pseudonym(user)
            );
        }
        Ok(())
    }

    /// Compares a state that was read before now with the ledger: whichever of them is older is brought up to the other.
    pub(crate) async fn compare(
        &self,
        state: &State,
        deadline: Deadline,
    ) -> Result<(), ApplyError> {
        let session = state.session.as_ref().map(|session| session.id);
        let now = self.now();
        let facts = self.ledger.facts(&state.user, session, now).await?;
        let facts = facts.unwrap_or_default();
        if facts.lacks_alarm(state, now, SWEPT_WITHIN) {
            eprintln!(
                "a session of {} runs and the ledger has no alarm for it: it was put back in time or emptied",
                pseudonym(&state.user)
            );
            let token = DueAlarm::token_of_sweep(&self.random_write_id());
            self.ledger.set_alarm(&state.user, &token, now, now).await?;
        }
        // The document is read again for it, after the ledger.
        if facts.is_ahead_of(state) {
            self.take_up(&state.user, &facts, deadline).await?;
        }
        Ok(())
    }

    /// A deadline for something of its own.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(TRIED_FOR, self.environment)
    }
}

pub(crate) fn parse(document: &[u8]) -> Result<State, StoreError> {
    State::parse(document)
        .map_err(|error| StoreError::Unreadable(format!("a state document {error}")))
}

#[cfg(test)]
mod tests;
