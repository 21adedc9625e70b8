//! The state of one user: the JSON document that the key-value store keeps.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::command::Reply;
use crate::grant::Grants;
use crate::ids::{UserId, WriteId};
use crate::ledger::{LedgerWrite, PeriodRow};
use crate::period::{Cadence, Period};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::session::{EndedSession, RunningSession};
use crate::time::{Instant, Minutes};

/// The layout that this version reads and writes. A change that older versions could not live with raises it.
pub const SCHEMA: u32 = 1;

/// How many write ids are remembered: more than the writers that can be in flight for one user at a time.
const WRITES_KEPT: usize = 48;

/// How many answers to requests with an idempotency key are remembered.
const ANSWERS_KEPT: usize = 8;

/// How many ended sessions are remembered, so that ending one again gets its first answer.
const ENDED_KEPT: usize = 4;

/// A user's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The layout, [`SCHEMA`].
    pub schema: u32,
    /// Counts the writes, so that no two states are the same bytes and ledger rows have an order.
    pub revision: u64,
    /// Whose state it is.
    pub user: UserId,
    /// The latest instant that the state has seen. Time goes on from here even if a clock steps back.
    pub instant: Instant,
    /// What the user is granted.
    #[serde(default)]
    pub grants: Grants,
    /// The current period.
    pub period: CurrentPeriod,
    /// The running session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<RunningSession>,
    /// The last ended sessions, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<EndedSession>,
    /// The last writes, newest last.
    #[serde(default)]
    pub writes: Vec<WriteId>,
    /// The last answers to requests that carried an idempotency key, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// Ledger rows that are not known to be written yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Outgoing>,
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
    /// What gives the period after it.
    pub cadence: Cadence,
    /// Where the last closed period ended: no period begins before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_until: Option<Instant>,
    /// Whole minutes of the sessions that ended.
    pub billed_minutes: Minutes,
    /// The exact time of those sessions, in milliseconds.
    pub billed_millis: u64,
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
    /// The answer.
    pub reply: Reply,
}

/// A ledger row on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The revision that added it.
    pub revision: u64,
    /// The row.
    pub write: LedgerWrite,
}

impl State {
    /// The state of a user never seen before: on free, in a fresh calendar month. Nothing is stored by making it.
    #[must_use]
    pub fn fresh(user: &UserId, now: Instant) -> Self {
        let bounds = Period::calendar_month(now);
        Self {
            schema: SCHEMA,
            revision: 0,
            user: user.clone(),
            instant: now,
            grants: Grants::default(),
            period: CurrentPeriod::new(user, bounds, Cadence::CALENDAR, None),
            session: None,
            ended: Vec::new(),
            writes: Vec::new(),
            answers: Vec::new(),
            outbox: Vec::new(),
            extra: Map::new(),
        }
    }

    /// The plan in force.
    #[must_use]
    pub fn plan(&self, policy: &Policy) -> Plan {
        self.grants.plan(&policy.catalogue)
    }

    /// The later of `now` and the last instant seen.
    #[must_use]
    pub fn time(&self, now: Instant) -> Instant {
        now.max(self.instant)
    }

    /// Minutes used in the current period at `now`, the running session included.
    #[must_use]
    pub fn minutes_used(&self, now: Instant) -> Minutes {
        let running = self
            .session
            .as_ref()
            .map_or(Minutes::ZERO, |session| session.shares_so_far(now).current);
        self.period.billed_minutes.plus(running)
    }

    /// The current period's row for the ledger, as of `now`.
    #[must_use]
    pub fn period_row(&self, now: Instant, policy: &Policy, archived: bool) -> PeriodRow {
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

    /// Whether the write of that id is among the last ones.
    #[must_use]
    pub fn has_write(&self, id: &WriteId) -> bool {
        self.writes.contains(id)
    }

    /// The answer that the request of that mark got.
    #[must_use]
    pub fn answer(&self, id: &WriteId) -> Option<&Reply> {
        self.answers
            .iter()
            .find(|answer| answer.write == *id)
            .map(|answer| &answer.reply)
    }

    pub(crate) fn push_write(&mut self, id: WriteId) {
        self.writes.push(id);
        keep_newest(&mut self.writes, WRITES_KEPT);
    }

    pub(crate) fn push_answer(&mut self, write: WriteId, reply: Reply) {
        self.answers.push(Answer { write, reply });
        keep_newest(&mut self.answers, ANSWERS_KEPT);
    }

    pub(crate) fn push_ended(&mut self, ended: EndedSession) {
        self.ended.insert(0, ended);
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
    }
}

impl CurrentPeriod {
    /// The second in which it first began, which its id tells.
    pub(crate) fn first_second(&self) -> Instant {
        let (_, second) = self.id.rsplit_once(':').unwrap_or_default();
        second
            .parse()
            .map_or(self.bounds.start(), Instant::from_unix_seconds)
    }

    pub(crate) fn new(
        user: &UserId,
        bounds: Period,
        cadence: Cadence,
        closed_until: Option<Instant>,
    ) -> Self {
        Self {
            id: format!("{user}:{}", bounds.start().unix_seconds()),
            bounds,
            cadence,
            closed_until,
            billed_minutes: Minutes::ZERO,
            billed_millis: 0,
            recorded: false,
            extra: Map::new(),
        }
    }
}

fn keep_newest<T>(list: &mut Vec<T>, most: usize) {
    let surplus = list.len().saturating_sub(most);
    list.drain(..surplus);
}
