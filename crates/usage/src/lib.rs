//! The rules of Talktime, and nothing else.
//!
//! One pure function, [`step`], takes a user's [`State`], a [`Command`] and the time, and gives the next state, the
//! [`LedgerWrite`]s that follow from it and the [`Reply`], or a [`Refusal`]. [`status`] is its read-only sister. Neither
//! does I/O, reads a clock or draws a random number: whatever they need is an argument, so every rule can be tried in a
//! test with one line of input.
//!
//! Start with [`settle`](mod@settle) to see how time passes (limits, time-outs, silence, the end of a period), then
//! [`step`](mod@step) for what each command does on top of that. [`plan`], [`grant`], [`cycle`](mod@cycle) and
//! [`rhythm`] say how many minutes a user has and until when.

pub mod alarm;
pub mod command;
pub mod cycle;
pub mod ending;
pub mod event_order;
pub mod grant;
pub mod ids;
pub mod kept;
pub mod ledger;
mod mint;
pub mod mints;
mod news;
pub mod ownership;
pub mod period;
pub mod plan;
mod plan_news;
pub mod policy;
pub mod rebase;
pub mod restore;
pub mod rhythm;
pub mod session;
pub mod settle;
pub mod state;
pub mod status;
pub mod step;
mod sweep;
pub mod time;

pub use alarm::{Alarm, next_alarm};
pub use command::{
    Command, Heard, Minted, OtherReply, PlanOutcome, Refusal, Reply, SessionStart, Started, Stopped,
};
pub use event_order::EventOrder;
pub use grant::{Roster, RosterEntry, Source};
pub use ids::{CustomerId, Fingerprint, IdError, SessionId, SubscriptionId, UserId, WriteId};
pub use ledger::{LedgerWrite, PeriodRow, SessionRow};
pub use mints::MintLimits;
pub use ownership::{Claim, Ownership, Subscriber};
pub use period::{Period, PeriodError};
pub use plan::{Allowance, Catalogue, CatalogueError, Plan, PlanName};
pub use plan_news::{EventOutcome, PlanNews};
pub use policy::Policy;
pub use rebase::clock_ahead;
pub use restore::{LedgerFacts, take_up};
pub use session::{Difficulty, EndReason, EndedSession, RunningSession, Topic};
pub use state::{DocumentError, State};
pub use status::{Status, status};
pub use step::{Context, Repeat, Step, step};
pub use sweep::rows_to_write;
pub use time::{Instant, Minutes, Seconds, TimeError};
