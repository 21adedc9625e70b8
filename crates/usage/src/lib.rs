//! The rules of Talktime, and nothing else.
//!
//! One pure function, [`step`], takes a user's [`State`], a [`Command`] and the time, and gives the next state, the
//! [`LedgerWrite`]s that follow from it and the [`Reply`], or a [`Refusal`]. [`status`] is its read-only sister. Neither
//! does I/O, reads a clock or draws a random number: whatever they need is an argument, so every rule can be tried in a
//! test with one line of input.
//!
//! Start with `settle.rs` to see how time passes (limits, time-outs, silence, the end of a period), then
//! `step.rs` for what each command does on top of that. `plan.rs`, `grant.rs`, `cycle.rs` and
//! `rhythm.rs` say how many minutes a user has and until when.

mod alarm;
mod call;
mod command;
mod cycle;
mod ending;
mod event_order;
mod grant;
mod ids;
mod kept;
mod ledger;
mod mint;
mod mints;
mod news;
mod ownership;
mod period;
mod plan;
mod plan_news;
mod policy;
mod rebase;
mod restore;
mod rhythm;
mod session;
mod settle;
mod state;
mod status;
mod step;
mod sweep;
mod time;

pub use alarm::{ARCHIVE_SPREAD, Alarm, next_alarm};
pub use call::{Call, CallProvider, RingingCall, calls_to_hang_up, next_look_at_calls};
pub use command::{
    Command, Heard, Minted, OtherReply, PlanOutcome, Refusal, Reply, SessionStart, Started, Stopped,
};
pub use event_order::EventOrder;
pub use grant::{Roster, RosterEntry, Source};
pub use ids::{
    CallId, CustomerId, Fingerprint, IdError, PhoneNumber, SessionId, SubscriptionId, UserId,
    WriteId,
};
pub use ledger::{LedgerWrite, PeriodRow, SessionEnd, SessionRow};
pub use mints::MintLimits;
pub use ownership::{Claim, Ownership, Subscriber};
pub use period::{Period, PeriodError};
pub use plan::{Allowance, Catalogue, CatalogueError, Plan, PlanName};
pub use plan_news::{EventOutcome, PlanNews};
pub use policy::Policy;
pub use rebase::clock_ahead;
pub use restore::{LedgerFacts, PeriodFacts, is_to_be_compared, take_up};
pub use session::{Difficulty, EndReason, EndedSession, RunningSession, Topic};
pub use settle::settle;
pub use state::{DocumentError, State};
pub use status::{Status, status, warning};
pub use step::{Context, Repeat, Step, step};
pub use sweep::rows_to_write;
pub use time::{Minutes, Seconds, TimeError, Timestamp};
