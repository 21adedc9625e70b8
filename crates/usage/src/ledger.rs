//! What the ledger is told: whole rows, each replacing what it said before.

use serde::{Deserialize, Serialize};

use crate::ids::SessionId;
use crate::period::Period;
use crate::plan::PlanName;
use crate::session::{Difficulty, EndReason, Topic};
use crate::time::{Minutes, Timestamp};

/// One row to insert or to bring up to date. Writing it twice, or after a newer one, changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerWrite {
    /// A row of `usage_periods`.
    Period(PeriodRow),
    /// A row of `usage_sessions`.
    Session(SessionRow),
}

/// A row of `usage_periods`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeriodRow {
    /// The user and the second in which the period first began: `user_42:1793523600`. It stays when a subscription
    /// moves the period's bounds.
    pub id: String,
    pub period: Period,
    /// The plan in force.
    pub plan: PlanName,
    /// All minutes of the period so far.
    pub minutes_used: Minutes,
    /// The plan's minutes.
    pub minutes_limit: Minutes,
    /// Whether the period is over and its sum final.
    pub archived: bool,
    /// The state's revision that said this: a row is never replaced by an older one.
    pub version: u64,
}

/// A row of `usage_sessions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRow {
    pub id: SessionId,
    /// When it started.
    pub started_at: Timestamp,
    /// How it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<SessionEnd>,
    /// What it cost, or while it runs has cost so far.
    pub minutes_used: Minutes,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<Difficulty>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEnd {
    pub at: Timestamp,
    pub reason: EndReason,
}

impl LedgerWrite {
    /// Whether this row replaces all that `other` says.
    pub fn supersedes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Period(new), Self::Period(old)) => new.id == old.id,
            (Self::Session(new), Self::Session(old)) => new.id == old.id,
            _ => false,
        }
    }
}
