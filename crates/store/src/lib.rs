//! Where the rules of `talktime-usage` meet the world: the state document of each user, the ledger, and time.
//!
//! [`Users`] is the heart: it runs a command inside a compare-and-swap loop, and tells the ledger. [`sweep()`]
//! does the same for alarms that are due. Beside the states there are two small tables: whose calls have to be looked at
//! ([`call_watch`]), and whose a phone number is ([`Phones`]). All know three narrow ports only: [`Documents`], [`Ledger`] and
//! [`Environment`] (clocks, chance, waiting). [`SqlLedger`] is the ledger in SQL over any [`Sql`] connection. What runs them
//! on Spin is `talktime-spin`; here they run on documents in memory and on `SQLite`'s own library.
//!
//! The order of every change is: set the alarm, swap the document (that is the commit), tell the ledger. A crash between
//! any two leaves an alarm that finishes the work from the document's outbox.

mod alarms;
mod backoff;
pub mod call_watch;
mod calls;
mod creation;
pub mod delivery;
mod documents;
mod environment;
mod error;
mod facts;
mod ledger;
#[cfg(any(test, feature = "memory"))]
pub mod memory;
mod migrations;
mod no_ledger;
mod phones;
pub mod plan_news;
mod pseudonym;
pub mod report;
mod retention;
mod rows;
mod side_document;
pub mod sql;
mod sqlite;
pub mod subscriptions;
mod sweep;
mod sweep_clock;
#[cfg(test)]
mod testing;
mod users;
pub mod webhook_events;
mod writer;

pub use documents::{Access, DocumentKey, Documents};
pub use environment::Environment;
pub use error::StoreError;
pub use ledger::Ledger;
pub use no_ledger::NoLedger;
pub use phones::Phones;
pub use pseudonym::pseudonym;
pub use sql::Sql;
pub use sqlite::SqlLedger;
pub use sweep::{SweepError, SweepOrder, SweepReport, sweep};
pub use users::{ApplyError, Users, WriteMark};
