//! How a change gets into a user's document: read, decide, swap, and read back whether that was done.

use talktime_usage::{
    Command, Context, LedgerFacts, LedgerWrite, Repeat, Reply, State, Step, Timestamp, UserId,
    WriteId, step, take_up,
};

use crate::backoff;
use crate::documents::{Access, Documents};
use crate::environment::Deadline;
use crate::error::StoreError;
use crate::ledger::{Ledger, Written};
use crate::pseudonym::pseudonym;
use crate::users::{Applied, ApplyError, Users, parse};

/// The most swaps of one request: all requests of an instance share what it has, and one user's many must not use it up.
const SWAPS_MAX: usize = 4;

/// From how many rows on the outbox is written and emptied by the next command that the ledger hears of, so that it does
/// not need a sweep to shrink.
const OUTBOX_WRITTEN_AT: usize = 32;

/// From how many rows on no session is started any more while they cannot be written: the document is one value, which
/// every write makes anew, and stores bound its size.
const OUTBOX_MAX: usize = 200;

/// What is to be done with a state.
#[derive(Clone, Copy)]
pub(crate) enum Change<'a> {
    /// Carry out a command.
    Command {
        command: &'a Command,
        /// The mark of the request, where a retry may come with the same.
        repeat: Option<&'a Repeat>,
    },
    /// Take up what only the ledger knows.
    TakeUp(&'a LedgerFacts),
}

/// A change on its way.
pub(crate) struct Request<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) change: Change<'a>,
    /// The mark of the write that it comes to; each attempt has its own, made from it.
    pub(crate) write: WriteId,
    /// Who it is, should it create the user: all its attempts together, and no other request that comes with the same
    /// mark.
    pub(crate) creator: WriteId,
    pub(crate) deadline: Deadline,
}

/// A document as it was read, and the claim to replace just that.
pub(crate) struct Reading<C> {
    pub(crate) state: Option<State>,
    claim: C,
}

/// What became of a request.
pub(crate) enum Carried {
    /// It was carried out.
    Out(Box<Applied>),
    /// There is no document, and the ledger knows the user.
    OnlyLedgerKnows(LedgerFacts),
}

/// An attempt whose swap was tried.
struct Attempt {
    write: WriteId,
    before: Option<State>,
    next: State,
    writes: Vec<LedgerWrite>,
    reply: Reply,
    /// Of one that creates the user: until when nobody else may.
    lease_until: Option<Timestamp>,
}

/// How a turn of the loop ended.
enum Turn {
    Carried(Carried),
    /// Another writer was faster, or is said to have been.
    Again(StoreError),
    /// No further try is to be made.
    GiveUp(StoreError),
}

impl<D: Documents, L: Ledger> Users<'_, D, L> {
    /// The document as it is, with the claim to replace it.
    pub(crate) async fn claim(&self, user: &UserId) -> Result<Reading<D::Claim>, StoreError> {
        let (document, claim) = self.documents.claim(user).await?;
        let state = document.as_deref().map(parse).transpose()?;
        Ok(Reading { state, claim })
    }

    /// Turns until the change is made, refused, or given up. The first turn goes by `reading`, if there is one already.
    pub(crate) async fn carry_out(
        &self,
        request: Request<'_>,
        mut reading: Option<Reading<D::Claim>>,
    ) -> Result<Carried, ApplyError> {
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut waits = backoff::contended(self.environment);
        loop {
            let error = match self.turn(&request, reading.take(), &mut attempts).await {
                Ok(Turn::Carried(carried)) => return Ok(carried),
                Ok(Turn::Again(error)) => error,
                Ok(Turn::GiveUp(error)) => return Err(error.into()),
                // A swap that failed may have been made: only reading tells, so it is tried like a lost race.
                Err(ApplyError::Store(error))
                    if !attempts.is_empty() || matches!(error, StoreError::Busy(_)) =>
                {
                    error
                }
                Err(error) => return Err(error),
            };
            let again = match waits.next() {
                Some(wait) => request.deadline.wait(wait, self.environment).await,
                None => false,
            };
            if !again {
                return Err(error.into());
            }
        }
    }

    async fn turn(
        &self,
        request: &Request<'_>,
        reading: Option<Reading<D::Claim>>,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Turn, ApplyError> {
        if let Some(error) = self.documents.known_to_fail(Access::Read) {
            return Ok(Turn::GiveUp(error));
        }
        let now = self.now();
        let Reading { state, claim } = match reading {
            Some(reading) => reading,
            None => self.claim(request.user).await?,
        };
        // A swap that seemed to fail was made after all.
        if let Some(made) = take_made(attempts, state.as_ref()) {
            return Ok(Turn::Carried(self.committed(request, made, now).await));
        }
        if state.is_none()
            && matches!(request.change, Change::Command { .. })
            && let Some(facts) = self.ledger.facts(request.user, None, now).await?
            && !facts.is_empty()
        {
            return Ok(Turn::Carried(Carried::OnlyLedgerKnows(facts)));
        }
        let write = request.write.attempt(attempts.len() + 1);
        let (next, writes, reply) = match self.decide(request, state.as_ref(), &write, now).await? {
            Step::Unchanged(reply) => {
                return Ok(Turn::Carried(Carried::Out(Box::new(Applied {
                    reply,
                    before: state.clone(),
                    state,
                    writes: Vec::new(),
                    ledger_written: true,
                    ledger_is_ahead: false,
                }))));
            }
            Step::Changed {
                next,
                writes,
                reply,
            } => (*next, writes, reply),
        };
        debug_assert!(
            next.has_write(&write)
                && state
                    .as_ref()
                    .is_none_or(|state| state.revision < next.revision),
            "a change leaves no mark in the state, or no newer one"
        );
        if attempts.len() >= SWAPS_MAX {
            return Ok(Turn::GiveUp(raced()));
        }
        if let Some(error) = self.documents.known_to_fail(Access::Write) {
            return Ok(Turn::GiveUp(error));
        }
        let bytes = serialize(&next)?;
        let Some((claim, lease_until)) = self
            .prepare(request, state.as_ref(), claim, &write, now)
            .await?
        else {
            return Ok(Turn::Again(raced()));
        };
        attempts.push(Attempt {
            write,
            before: state,
            next,
            writes,
            reply,
            lease_until,
        });
        self.commit(request, attempts, claim, &bytes, now).await
    }

    /// Swaps the document for that of the last attempt, and finds out which of them was made.
    async fn commit(
        &self,
        request: &Request<'_>,
        attempts: &mut Vec<Attempt>,
        claim: D::Claim,
        document: &[u8],
        now: Timestamp,
    ) -> Result<Turn, ApplyError> {
        // Another request of this instance may have found out while this one waited for the ledger.
        if let Some(error) = self.documents.known_to_fail(Access::Write) {
            return Ok(Turn::GiveUp(error));
        }
        debug_assert!(!attempts.is_empty(), "a swap is made of no attempt");
        let swapped = self.documents.swap(claim, document).await;
        if let Err(error) = &swapped
            && request.deadline.is_over(self.environment)
        {
            // The time is up, and who asks again finds out what came of it.
            return Ok(Turn::GiveUp(error.clone()));
        }
        let stored = self.documents.read(request.user).await?;
        let made = if stored.as_deref() == Some(document) {
            attempts.pop()
        } else {
            let stored = stored.as_deref().map(parse).transpose()?;
            take_made(attempts, stored.as_ref())
        };
        match made {
            Some(made) => Ok(Turn::Carried(self.committed(request, made, now).await)),
            None => swapped.map(|()| Turn::Again(raced())).map_err(Into::into),
        }
    }

    /// What comes before the swap: the alarm, or who has no document yet becomes the one who creates it. `None` when
    /// another writer did.
    async fn prepare(
        &self,
        request: &Request<'_>,
        state: Option<&State>,
        claim: D::Claim,
        write: &WriteId,
        now: Timestamp,
    ) -> Result<Option<(D::Claim, Option<Timestamp>)>, StoreError> {
        let Some(state) = state else {
            let created = self.claim_creation(request, write).await?;
            return Ok(created.map(|(claim, lease_until)| (claim, Some(lease_until))));
        };
        if request.change.needs_alarm(state) {
            let at = now.plus(self.policy.alarm_interval);
            let set = self.ledger.set_alarm(request.user, write.as_str(), now, at);
            set.await?;
        }
        Ok(Some((claim, None)))
    }

    /// What the rules say to the change.
    async fn decide(
        &self,
        request: &Request<'_>,
        state: Option<&State>,
        write: &WriteId,
        now: Timestamp,
    ) -> Result<Step, ApplyError> {
        let written_through = match (request.change, state) {
            (Change::Command { command, .. }, Some(state)) => {
                self.write_outbox(state, command, now).await?
            }
            _ => None,
        };
        let context = Context {
            user: request.user,
            now,
            policy: self.policy,
            write,
            repeat: request.change.repeat(),
            written_through,
        };
        Ok(match request.change {
            Change::Command { command, .. } => step(state, command, &context)?,
            Change::TakeUp(facts) => {
                take_up(state, facts, &context).unwrap_or(Step::Unchanged(Reply::TakenUp))
            }
        })
    }

    /// Writes a long outbox before a command that would make it longer, and tells through which revision.
    async fn write_outbox(
        &self,
        state: &State,
        command: &Command,
        now: Timestamp,
    ) -> Result<Option<u64>, ApplyError> {
        let length = state.outbox.len();
        if length <= OUTBOX_WRITTEN_AT || !is_told(command) {
            return Ok(None);
        }
        let rows: Vec<LedgerWrite> = state.outbox.iter().map(|row| row.write.clone()).collect();
        match self.ledger.write(&state.user, &rows, now).await {
            Ok(_) => Ok(Some(state.revision)),
            Err(error) => {
                eprintln!(
                    "{length} rows of {} wait for the ledger: is anything sweeping? To write them failed: {error}",
                    pseudonym(&state.user)
                );
                if length > OUTBOX_MAX && matches!(command, Command::Start(_)) {
                    let why = format!("{length} rows wait for the ledger");
                    return Err(StoreError::Busy(why).into());
                }
                Ok(None)
            }
        }
    }

    /// The swap was made: tells the ledger. Should that fail, the alarm does it from the outbox.
    async fn committed(&self, request: &Request<'_>, made: Attempt, now: Timestamp) -> Carried {
        let user = request.user;
        if let Some(until) = made.lease_until {
            self.check_creation(request, until).await;
        }
        let told = self.ledger.write(user, &made.writes, now).await;
        if let Err(error) = &told {
            eprintln!(
                "ledger lags for {}, the alarm will write it: {error}",
                pseudonym(user)
            );
        }
        Carried::Out(Box::new(Applied {
            reply: made.reply,
            before: made.before,
            state: Some(made.next),
            writes: made.writes,
            ledger_written: matches!(told, Ok(Written::Rows | Written::NewerKnown)),
            ledger_is_ahead: matches!(told, Ok(Written::NewerKnown)),
        }))
    }
}

/// The attempt whose mark the document has.
fn take_made(attempts: &mut Vec<Attempt>, stored: Option<&State>) -> Option<Attempt> {
    let stored = stored?;
    let made = attempts
        .iter()
        .position(|attempt| stored.has_write(&attempt.write))?;
    Some(attempts.swap_remove(made))
}

fn raced() -> StoreError {
    StoreError::Busy("many writers at once".to_owned())
}

impl Change<'_> {
    fn repeat(&self) -> Option<&Repeat> {
        match self {
            Self::Command { repeat, .. } => *repeat,
            Self::TakeUp(_) => None,
        }
    }

    /// Whether the alarm is to be set before. While a session runs there is one already: its start set one, and each sweep
    /// sets the next. But where the ledger and the document are of different times there may be none.
    fn needs_alarm(&self, state: &State) -> bool {
        match self {
            Self::Command { command, .. } => state.session.is_none() && changes_ledger(command),
            Self::TakeUp(_) => true,
        }
    }
}

/// Whether the command changes what the ledger says even if no session runs.
fn changes_ledger(command: &Command) -> bool {
    matches!(
        command,
        Command::Start(_)
            | Command::ChangePlan { .. }
            | Command::PastDue { .. }
            | Command::Reconcile(_)
    )
}

/// Whether the ledger hears of the command.
fn is_told(command: &Command) -> bool {
    changes_ledger(command) || matches!(command, Command::End { .. })
}

fn serialize(state: &State) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(state).map_err(|error| StoreError::Unreadable(error.to_string()))
}
