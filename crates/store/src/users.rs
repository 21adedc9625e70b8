//! One writer for each user: commands run on the state document inside a compare-and-swap loop.

use talktime_config::now;
use talktime_usage::{
    Command, Context, Instant, LedgerWrite, Policy, Refusal, Repeat, Reply, State, Status, Step,
    UserId, WriteId, status, step,
};
use uuid::Uuid;

use crate::backoff;
use crate::documents::Documents;
use crate::error::StoreError;
use crate::ledger::{Ledger, SEEDING_LEASE};

/// Users' states in `documents`, their sums in `ledger`.
pub struct Users<'a, D, L> {
    /// The state documents.
    pub documents: &'a D,
    /// The ledger.
    pub ledger: &'a L,
    /// The rules' settings.
    pub policy: &'a Policy,
    /// The clock.
    pub now: fn() -> Instant,
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

/// A command that was carried out.
#[derive(Debug)]
pub struct Applied {
    /// The answer.
    pub reply: Reply,
    /// The state after it.
    pub state: Option<State>,
    /// The rows that the ledger was told, none where nothing changed.
    pub writes: Vec<LedgerWrite>,
    /// Whether the ledger has those rows. If not, the alarm sees to it.
    pub ledger_written: bool,
}

/// A command on its way.
struct Request<'a> {
    user: &'a UserId,
    command: &'a Command,
    /// The mark of the write that it comes to.
    write: WriteId,
    /// The request, where a retry may come with the same mark.
    repeat: Option<&'a Repeat>,
}

/// An attempt whose swap was tried.
struct Attempt {
    next: State,
    writes: Vec<LedgerWrite>,
    reply: Reply,
}

impl<'a, D: Documents, L: Ledger> Users<'a, D, L> {
    /// Users by the host's clock.
    #[must_use]
    pub fn new(documents: &'a D, ledger: &'a L, policy: &'a Policy) -> Self {
        Self {
            documents,
            ledger,
            policy,
            now,
        }
    }

    /// The user's status at this instant, from one read of the state document. Nothing is written.
    ///
    /// # Errors
    /// When the document cannot be read.
    pub async fn status(&self, user: &UserId) -> Result<Status, StoreError> {
        let state = self.read(user).await?;
        Ok(status(user, state.as_ref(), (self.now)(), self.policy))
    }

    /// The user's state as it is stored.
    ///
    /// # Errors
    /// When the document cannot be read.
    pub async fn read(&self, user: &UserId) -> Result<Option<State>, StoreError> {
        let mut waits = backoff::locked();
        loop {
            match (self.documents.read(user).await, waits.next()) {
                (Err(StoreError::Busy(_)), Some(wait)) => spin_sdk::time::sleep(wait).await,
                (document, _) => return document?.as_deref().map(parse).transpose(),
            }
        }
    }

    /// Carries out a command.
    ///
    /// # Errors
    /// When the rules refuse it, or a store fails or stays contended for all tries.
    pub async fn apply(
        &self,
        user: &UserId,
        command: &Command,
        mark: &WriteMark,
    ) -> Result<Applied, ApplyError> {
        let request = Request {
            user,
            command,
            write: match mark {
                WriteMark::Once(id) => id.clone(),
                // Two copies of a repeatable request can be under way at once, and the second must not take the first
                // one's write for its own: it would answer with, and tell the ledger of, a session that never was.
                WriteMark::Repeatable(_) => random_write_id(),
            },
            repeat: match mark {
                WriteMark::Once(_) => None,
                WriteMark::Repeatable(repeat) => Some(repeat),
            },
        };
        let mut attempt: Option<Attempt> = None;
        let mut waits = backoff::contended();
        loop {
            let error = match self.attempt(&request, &mut attempt).await {
                Ok(Some(applied)) => return Ok(applied),
                Ok(None) => StoreError::Busy("many writers at once".to_owned()),
                Err(ApplyError::Store(error @ StoreError::Busy(_))) => error,
                // A swap that failed may have been made: only reading tells, so it is tried like a lost race.
                Err(ApplyError::Store(error)) if attempt.is_some() => error,
                Err(error) => return Err(error),
            };
            let Some(wait) = waits.next() else {
                return Err(error.into());
            };
            spin_sdk::time::sleep(wait).await;
        }
    }

    /// One turn of the loop; `None` when another writer was faster.
    async fn attempt(
        &self,
        request: &Request<'_>,
        last: &mut Option<Attempt>,
    ) -> Result<Option<Applied>, ApplyError> {
        let Request {
            user,
            command,
            write,
            repeat,
        } = request;
        let now = (self.now)();
        let (document, claim) = self.documents.claim(user).await?;
        let state = document.as_deref().map(parse).transpose()?;
        // A swap that seemed to fail was made after all.
        if state.as_ref().is_some_and(|state| state.has_write(write))
            && let Some(won) = last.take()
        {
            return Ok(Some(self.committed(user, won, now).await));
        }
        let context = Context {
            user,
            now,
            policy: self.policy,
            write,
            repeat: *repeat,
            written_through: None,
        };
        let (next, writes, reply) = match step(state.as_ref(), command, &context)? {
            Step::Unchanged(reply) => {
                return Ok(Some(Applied {
                    reply,
                    state,
                    writes: Vec::new(),
                    ledger_written: true,
                }));
            }
            Step::Changed {
                next,
                writes,
                reply,
            } => (*next, writes, reply),
        };
        let bytes = serialize(&next)?;
        let claim = match &state {
            None => match self.claim_creation(user, write).await? {
                Some(claim) => claim,
                None => return Ok(None),
            },
            // While a session runs there is an alarm already: its start set one, and each sweep sets the next.
            Some(state) => {
                if state.session.is_none() && needs_alarm(command) {
                    let at = now.plus(self.policy.alarm_interval);
                    self.ledger.set_alarm(user, write.as_str(), now, at).await?;
                }
                claim
            }
        };
        let attempt = last.insert(Attempt {
            next,
            writes,
            reply,
        });
        let swapped = self.documents.swap(claim, &bytes).await;
        let stored = self.documents.read(user).await?;
        let won = stored.as_deref() == Some(&bytes[..])
            || stored
                .as_deref()
                .map(parse)
                .transpose()?
                .is_some_and(|state| state.has_write(write));
        if won {
            let attempt = Attempt {
                next: attempt.next.clone(),
                writes: std::mem::take(&mut attempt.writes),
                reply: attempt.reply.clone(),
            };
            return Ok(Some(self.committed(user, attempt, now).await));
        }
        swapped?;
        Ok(None)
    }

    /// Becomes the one who creates the user, or waits until somebody has. `None` when the user exists by now.
    async fn claim_creation(
        &self,
        user: &UserId,
        write: &WriteId,
    ) -> Result<Option<D::Claim>, StoreError> {
        let mut waits = backoff::creation();
        loop {
            let now = (self.now)();
            let lease_until = self
                .ledger
                .claim_creation(
                    user,
                    write.as_str(),
                    now,
                    now.plus(self.policy.alarm_interval),
                )
                .await?;
            // Read again: before the lease was had, an earlier holder may have created the user.
            let (document, claim) = self.documents.claim(user).await?;
            if document.is_some() {
                return Ok(None);
            }
            // Some stores replace unconditionally where nothing was read. So who was held up for most of the lease does
            // not write: the next holder may be about to.
            let in_time =
                lease_until.is_some_and(|until| until.since((self.now)()) >= SEEDING_LEASE / 2);
            if in_time {
                return Ok(Some(claim));
            }
            let Some(wait) = waits.next() else {
                // Waited for long enough: not for the loop of lost races to try again.
                return Err(StoreError::Unavailable(
                    "another request is creating this user".to_owned(),
                ));
            };
            spin_sdk::time::sleep(wait).await;
        }
    }

    /// The swap was made: tells the ledger. Should that fail, the alarm does it from the outbox.
    async fn committed(&self, user: &UserId, attempt: Attempt, now: Instant) -> Applied {
        let told = self.ledger.write(user, &attempt.writes, now).await;
        if let Err(error) = &told {
            eprintln!("ledger lags for user {user}, the alarm will write it: {error}");
        }
        Applied {
            reply: attempt.reply,
            state: Some(attempt.next),
            writes: attempt.writes,
            ledger_written: told.is_ok(),
        }
    }
}

/// A mark that no other write has.
pub(crate) fn random_write_id() -> WriteId {
    let (bits, _) = Uuid::new_v4().as_u64_pair();
    WriteId::from_bits(bits)
}

/// Whether the command changes what the ledger says even if no session runs.
fn needs_alarm(command: &Command) -> bool {
    matches!(
        command,
        Command::Start { .. }
            | Command::ChangePlan { .. }
            | Command::PastDue { .. }
            | Command::Reconcile(_)
    )
}

fn parse(document: &[u8]) -> Result<State, StoreError> {
    State::parse(document)
        .map_err(|error| StoreError::Unreadable(format!("a state document: {error}")))
}

fn serialize(state: &State) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(state).map_err(|error| StoreError::Unreadable(error.to_string()))
}
