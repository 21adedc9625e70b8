//! A voice session: while it runs, and how it ended.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::SessionId;
use crate::ledger::SessionRow;
use crate::period::Period;
use crate::plan::{Plan, PlanName};
use crate::policy::Policy;
use crate::time::{Minutes, Timestamp, millis};

/// How hard the learner wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// For those who start.
    Beginner,
    /// For those who get by.
    Intermediate,
    /// For those who want a challenge.
    Advanced,
}

impl Difficulty {
    /// As the ledger writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Beginner => "beginner",
            Self::Intermediate => "intermediate",
            Self::Advanced => "advanced",
        }
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user hung up, or started another session in its place.
    UserEnded,
    /// The plan's minutes were used up.
    LimitReached,
    /// It reached the longest time that a session may last.
    Timeout,
    /// The client gave up on an error.
    Error,
    /// Nothing was heard of it for too long.
    Stale,
}

impl EndReason {
    /// As the ledger writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserEnded => "user_ended",
            Self::LimitReached => "limit_reached",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Stale => "stale",
        }
    }
}

/// What the session is about: up to 200 characters of free text, shown but never interpreted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Topic(String);

/// A topic that is too long or unprintable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have at most {} characters, none of them a control character",
    Topic::LENGTH_MAX
)]
pub struct TopicError;

impl Topic {
    /// The most characters of a topic.
    pub const LENGTH_MAX: usize = 200;

    /// Checks a text from outside.
    ///
    /// # Errors
    /// When it is too long or holds control characters.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        if text.chars().count() > Self::LENGTH_MAX || text.chars().any(char::is_control) {
            Err(TopicError)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunningSession {
    pub id: SessionId,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last gave a sign of life: its start, a heartbeat, or a realtime token that was handed out.
    #[serde(rename = "last_heartbeat")]
    pub last_sign: Timestamp,
    /// Whether any sign of life has come since the start, so that the user may have talked.
    #[serde(default)]
    pub heard: bool,
    /// Whether its user talks by a call that is yet to be opened. Until then nothing is billed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_call: bool,
    /// How long the realtime tokens that were handed out can be talked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_until: Option<Timestamp>,
    /// Until when a call of it was open, of those that are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_until: Option<Timestamp>,
    /// What it runs under. A state of a version that kept none is judged by today's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<Difficulty>,
    /// The periods that ended while it ran, oldest first. Their shares are final only when the session is: silence may
    /// yet turn out to have begun before a period's end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierPeriod>,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a session runs under: the settings at its start. A changed catalogue or setting never ends it in the past; its plan
/// is another only from the instant on at which the user is granted another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// The plan, and how many minutes it grants.
    pub plan: Plan,
    /// The longest that the session may last; `None` for no cap.
    #[serde(
        default,
        rename = "session_max_millis",
        skip_serializing_if = "Option::is_none",
        with = "millis::optional"
    )]
    pub session_max: Option<Duration>,
    /// The silence after which it is over.
    #[serde(rename = "stale_after_millis", with = "millis")]
    pub stale_after: Duration,
    /// How often its client was asked to send a heartbeat.
    #[serde(rename = "heartbeat_interval_millis", with = "millis")]
    pub heartbeat_interval: Duration,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Terms {
    /// Those of a session that starts now.
    #[must_use]
    pub fn of(plan: Plan, policy: &Policy) -> Self {
        Self {
            plan,
            session_max: policy.session_max,
            stale_after: policy.stale_after,
            heartbeat_interval: policy.heartbeat_interval,
            extra: Map::new(),
        }
    }
}

/// A period that ended during the session that still runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlierPeriod {
    /// The ledger's id of the period.
    pub id: String,
    pub period: Period,
    /// Where the session is split, if not at the period's end: a clock that was ahead had closed it too early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_at: Option<Timestamp>,
    /// The plan in force when it ended.
    pub plan: PlanName,
    /// That plan's minutes.
    pub minutes_limit: Minutes,
    /// Minutes of other sessions in it.
    pub minutes_of_others: Minutes,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl EarlierPeriod {
    /// Where the session is split.
    pub fn cut(&self) -> Timestamp {
        self.cut_at.unwrap_or(self.period.end())
    }
}

/// How a session's minutes fall on the periods that it touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// One number for each of [`RunningSession::earlier`].
    pub earlier: Vec<Minutes>,
    /// What falls on the current period.
    pub current: Minutes,
    /// The sum: the whole session, rounded up once.
    pub total: Minutes,
}

impl RunningSession {
    /// A session that starts now.
    #[must_use]
    pub fn started(
        id: SessionId,
        now: Timestamp,
        topic: Option<Topic>,
        difficulty: Option<Difficulty>,
    ) -> Self {
        Self {
            id,
            started_at: now,
            last_sign: now,
            heard: false,
            awaits_call: false,
            token_until: None,
            call_until: None,
            terms: None,
            topic,
            difficulty,
            earlier: Vec::new(),
            extra: Map::new(),
        }
    }

    /// Its row for the ledger while it runs, as of `now`.
    pub fn row(&self, now: Timestamp) -> SessionRow {
        SessionRow {
            id: self.id,
            started_at: self.started_at,
            ended: None,
            minutes_used: self.shares_so_far(now).total,
            topic: self.topic.clone(),
            difficulty: self.difficulty,
        }
    }

    /// The shares of the session if it lasts until `until` and costs at least `least`.
    ///
    /// Each period but the last gets the session up to its end, rounded up, less what earlier periods got; the last
    /// gets the rest of the total. So the parts always add up to the whole, rounded up once.
    pub fn shares(&self, until: Timestamp, least: Minutes) -> Shares {
        let minutes_at = |at: Timestamp| {
            if self.awaits_call {
                return Minutes::ZERO;
            }
            Minutes::rounded_up(at.since(self.started_at)).max(least)
        };
        let mut assigned = Minutes::ZERO;
        let earlier: Vec<Minutes> = self
            .earlier
            .iter()
            .map(|earlier| {
                let end = earlier.cut();
                if end <= self.started_at {
                    // Cut off by a reset in the second in which the session began: none of it lies there.
                    return Minutes::ZERO;
                }
                let share = minutes_at(until.min(end)).minus(assigned);
                assigned = assigned.plus(share);
                share
            })
            .collect();
        let total = minutes_at(until);
        debug_assert!(
            assigned <= total,
            "the parts of a session are more than the whole"
        );
        Shares {
            earlier,
            current: total.minus(assigned),
            total,
        }
    }

    /// From now on the user can talk. A session that has waited for that begins here: it is billed, and may last, from now
    /// on.
    pub(crate) fn connect(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.awaits_call) {
            self.started_at = now;
        }
        self.hear(now);
    }

    /// A sign of life.
    pub(crate) fn hear(&mut self, now: Timestamp) {
        self.last_sign = now;
        self.heard = true;
    }

    /// Moves it back in time, with the clock.
    pub(crate) fn move_back(&mut self, span: Duration) {
        self.started_at = self.started_at.minus(span);
        self.last_sign = self.last_sign.minus(span);
        self.token_until = self.token_until.map(|until| until.minus(span));
        self.call_until = self.call_until.map(|until| until.minus(span));
        for earlier in &mut self.earlier {
            earlier.cut_at = Some(earlier.cut().minus(span));
        }
    }

    /// The shares at this moment, were the session to go on: nothing yet at its very start.
    pub fn shares_so_far(&self, now: Timestamp) -> Shares {
        self.shares(now, Minutes::ZERO)
    }
}

/// A session that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndedSession {
    pub id: SessionId,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended: the instant up to which it is billed.
    pub ended_at: Timestamp,
    pub reason: EndReason,
    /// What it cost.
    pub minutes: Minutes,
    /// The current period's usage right after it, so that ending it again gets the first answer.
    pub total_minutes_used: Minutes,
    /// The minutes left right after it.
    pub minutes_remaining: Minutes,
}
