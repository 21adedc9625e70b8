//! The state of one user: the JSON document that the key-value store keeps.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::call::Call;
use crate::command::Reply;
use crate::grant::Grants;
use crate::ids::{Fingerprint, UserId, WriteId};
use crate::kept::Kept;
use crate::ledger::{LedgerWrite, PeriodRow};
use crate::mints::Mints;
use crate::period::Period;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::rhythm::Rhythm;
use crate::session::{EndedSession, RunningSession, Terms};
use crate::step::Repeat;
use crate::time::{Minutes, Timestamp};

/// The layout that this version reads and writes. A change that older versions could not live with raises it.
pub const SCHEMA: u32 = 2;

/// How many write ids are remembered: more than the writers that can be in flight for one user at a time.
const WRITES_KEPT: usize = 48;

/// How many answers to requests with an idempotency key are remembered; those to plan updates have places of their own, so
/// that a burst of them does not push out the answer to a start that is still tried again.
const ANSWERS_KEPT: usize = 8;

/// How many ended sessions are remembered, so that ending one again gets its first answer.
const ENDED_KEPT: usize = 8;

/// Why a document is no state.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// A later version wrote it.
    #[error("has layout {0}, which a later version wrote")]
    Later(u32),
    /// It is not what this version writes either.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// A user's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The layout, `SCHEMA`.
    pub schema: u32,
    /// Counts the writes, so that no two states are the same bytes and ledger rows have an order.
    pub revision: u64,
    /// Whose state it is.
    pub user: UserId,
    /// The latest instant that the state has seen. Time goes on from here even if a clock steps back.
    pub instant: Timestamp,
    /// What the user is granted.
    #[serde(default)]
    pub grants: Grants,
    /// The current period.
    pub period: CurrentPeriod,
    /// The running session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<RunningSession>,
    /// The last ended sessions, newest first.
    #[serde(default, skip_serializing_if = "Kept::is_empty")]
    pub ended: Kept<EndedSession>,
    /// The last writes, newest last.
    #[serde(default)]
    pub writes: Vec<WriteId>,
    /// The last answers to requests that carried an idempotency key, newest last.
    #[serde(default, skip_serializing_if = "Kept::is_empty")]
    pub answers: Kept<Answer>,
    /// Ledger rows that are not known to be written yet.
    #[serde(default, skip_serializing_if = "Kept::is_empty")]
    pub outbox: Kept<Outgoing>,
    /// The mints of realtime tokens in the last minute.
    #[serde(default, skip_serializing_if = "Mints::is_empty")]
    pub mints: Mints,
    /// Calls at a voice provider that are not known to be over, the newest last.
    #[serde(default, skip_serializing_if = "Kept::is_empty")]
    pub calls: Kept<Call>,
    /// When a call was offered to its provider, until that has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Timestamp>,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The period that minutes are counted in now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurrentPeriod {
    /// The ledger's id of it.
    pub id: String,
    /// The bounds. They may move when a subscription tells its own; the usage stays.
    pub bounds: Period,
    /// What gives the period after it. The first layout did not have it.
    #[serde(default = "Rhythm::calendar")]
    pub rhythm: Rhythm,
    /// When its minutes were given, which a moved start does not change: no paid period that began then or earlier brings any
    /// more. The first layout did not have it.
    #[serde(default = "Timestamp::earliest")]
    pub fresh_since: Timestamp,
    /// Where the last closed period ended: no period begins before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_until: Option<Timestamp>,
    /// Whole minutes of the sessions that ended.
    pub billed_minutes: Minutes,
    /// Sessions that failed before anybody could talk, and were free.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub free_failures: u32,
    /// Sessions that waited for a call that was never opened, and were free.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unconnected: u32,
    /// Sessions that were given a realtime token and fell silent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silences: u32,
    /// Whether the ledger has heard of the period. One in which nothing happened never becomes a row.
    pub recorded: bool,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a request with an idempotency key was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The mark that the key gave the request.
    pub write: WriteId,
    /// What the request asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    pub reply: Reply,
}

/// A ledger row on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The revision that added it.
    pub revision: u64,
    pub write: LedgerWrite,
}

impl State {
    /// The state of a user never seen before: on free, in a fresh calendar month. Nothing is stored by making it.
    #[must_use]
    pub fn fresh(user: &UserId, now: Timestamp) -> Self {
        let bounds = Period::calendar_month(now);
        Self {
            schema: SCHEMA,
            revision: 0,
            user: user.clone(),
            instant: now,
            grants: Grants::default(),
            period: CurrentPeriod::new(user, bounds, Rhythm::Calendar, None),
            session: None,
            ended: Kept::default(),
            writes: Vec::new(),
            answers: Kept::default(),
            outbox: Kept::default(),
            mints: Mints::default(),
            calls: Kept::default(),
            offered: None,
            extra: Map::new(),
        }
    }

    /// Reads a state document.
    ///
    /// # Errors
    /// When a later version wrote it in a layout that this one does not know, or it is no state.
    pub fn parse(document: &[u8]) -> Result<Self, DocumentError> {
        #[derive(Deserialize)]
        struct Layout {
            schema: u32,
        }
        let state = serde_json::from_slice::<Self>(document);
        // Of a layout that is not known nothing else can be expected to be as it was, so it may be no state at all.
        let schema = match &state {
            Ok(state) => state.schema,
            Err(_) => serde_json::from_slice::<Layout>(document)?.schema,
        };
        if schema > SCHEMA {
            return Err(DocumentError::Later(schema));
        }
        Ok(state?)
    }

    /// The plan in force: while a session runs, the one that it runs under.
    pub fn plan(&self, policy: &Policy) -> Plan {
        self.session
            .as_ref()
            .and_then(|session| session.terms.as_ref())
            .map_or_else(|| self.granted_plan(policy), |terms| terms.plan.clone())
    }

    /// The plan that the user is granted at the state's instant, by today's catalogue.
    pub fn granted_plan(&self, policy: &Policy) -> Plan {
        self.grants.plan(policy, self.instant)
    }

    /// What the session runs under.
    pub(crate) fn terms<'a>(&self, session: &'a RunningSession, policy: &Policy) -> Cow<'a, Terms> {
        session.terms.as_ref().map_or_else(
            || Cow::Owned(Terms::of(self.granted_plan(policy), policy)),
            Cow::Borrowed,
        )
    }

    /// The later of `now` and the last instant seen.
    pub fn time(&self, now: Timestamp) -> Timestamp {
        now.max(self.instant)
    }

    /// Minutes used in the current period at `now`, the running session included.
    pub fn minutes_used(&self, now: Timestamp) -> Minutes {
        let running = self
            .session
            .as_ref()
            .map_or(Minutes::ZERO, |session| session.shares_so_far(now).current);
        self.period.billed_minutes.plus(running)
    }

    /// The current period's row for the ledger, as of `now`.
    pub fn period_row(&self, now: Timestamp, policy: &Policy, archived: bool) -> PeriodRow {
        let plan = self.plan(policy);
        PeriodRow {
            id: self.period.id.clone(),
            period: self.period.bounds,
            plan: plan.name,
            minutes_used: self.minutes_used(now),
            minutes_limit: plan.minutes,
            archived,
            version: self.revision,
        }
    }

    /// The current period's row, with which the ledger hears of it.
    pub(crate) fn record_period(&mut self, now: Timestamp, policy: &Policy) -> LedgerWrite {
        self.period.recorded = true;
        LedgerWrite::Period(self.period_row(now, policy, false))
    }

    /// Whether the write of that id is among the last ones.
    pub fn has_write(&self, id: &WriteId) -> bool {
        self.writes.contains(id)
    }

    /// The answer that the request of that mark got.
    pub fn answer(&self, id: &WriteId) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.write == *id)
    }

    pub(crate) fn push_write(&mut self, id: WriteId) {
        self.writes.push(id);
        let surplus = self.writes.len().saturating_sub(WRITES_KEPT);
        self.writes.drain(..surplus);
    }

    pub(crate) fn push_answer(&mut self, repeat: &Repeat, reply: Reply) {
        // A request that is carried out each time it comes takes one place all the same.
        self.answers.retain(|answer| answer.write != repeat.id);
        let is_plan = matches!(reply, Reply::Plan(_));
        self.answers.push(Answer {
            write: repeat.id.clone(),
            fingerprint: repeat.fingerprint.clone(),
            reply,
        });
        let of_kind = |answer: &Answer| matches!(answer.reply, Reply::Plan(_)) == is_plan;
        let kept = self.answers.iter().filter(|answer| of_kind(answer)).count();
        let mut surplus = kept.saturating_sub(ANSWERS_KEPT);
        self.answers.retain(|answer| {
            let is_surplus = surplus > 0 && of_kind(answer);
            surplus -= usize::from(is_surplus);
            !is_surplus
        });
        // Those of a later version count too.
        self.answers.keep_last(2 * ANSWERS_KEPT);
    }

    pub(crate) fn push_ended(&mut self, ended: EndedSession) {
        self.ended.push_front(ended);
        self.ended.truncate(ENDED_KEPT);
    }

    /// Puts rows into the outbox in place of older ones about the same thing.
    pub(crate) fn send(&mut self, writes: &[LedgerWrite]) {
        for write in writes {
            self.outbox.retain(|old| !write.supersedes(&old.write));
            self.outbox.push(Outgoing {
                revision: self.revision,
                write: write.clone(),
            });
        }
        debug_assert!(
            self.outbox
                .iter()
                .is_sorted_by_key(|outgoing| outgoing.revision),
            "the outbox is not in the order of its revisions"
        );
    }
}

impl CurrentPeriod {
    /// The second in which it first began, which its id tells.
    pub(crate) fn first_second(&self) -> Timestamp {
        // An id of another form was written by hand, into the ledger that the period was taken up from.
        let (_, second) = self.id.rsplit_once(':').unwrap_or_default();
        second
            .parse()
            .map_or(self.bounds.start(), Timestamp::from_unix_seconds)
    }

    /// The latest second that is taken in the ledger by this period: by its start, which may have been moved, or its id.
    pub(crate) fn latest_start(&self) -> Timestamp {
        self.bounds
            .start()
            .max(self.first_second())
            .max(self.fresh_since)
    }

    pub(crate) fn new(
        user: &UserId,
        bounds: Period,
        rhythm: Rhythm,
        closed_until: Option<Timestamp>,
    ) -> Self {
        Self {
            id: format!("{user}:{}", bounds.start().unix_seconds()),
            bounds,
            rhythm,
            fresh_since: bounds.start(),
            closed_until,
            billed_minutes: Minutes::ZERO,
            free_failures: 0,
            unconnected: 0,
            silences: 0,
            recorded: false,
            extra: Map::new(),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks for"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
