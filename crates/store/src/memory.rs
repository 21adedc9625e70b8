//! Stores in memory, in simulated time, where a seed decides what goes wrong and who goes on next.
//!
//! The dangerous part of this crate is what happens *between* calls to the stores: another writer, a crash, a call that
//! failed and was carried out all the same. Here each call takes a little simulated time, before it is done and after it, so
//! that tasks which run at once pass each other there in every possible order; and the same seed gives the same order, the
//! same faults and the same random numbers, on one thread. [`Simulation`] is the clock, the chance and the executor;
//! [`MemoryDocuments`] behaves as each of the key-value stores does that Talktime may be deployed on; [`FaultySql`] makes
//! any [`Sql`](crate::Sql) connection fail in the same ways, such as [`MemorySql`].
//!
//! Nothing of it is in a component: it is compiled for tests, and with the feature `memory`.

mod chance;
mod database;
mod documents;
mod faults;
mod simulation;
mod sql;

pub use chance::Chance;
pub use database::MemorySql;
pub use documents::{Behaviour, Claim, MemoryDocuments};
pub use faults::{Fault, Faults};
pub use simulation::{Simulation, Task};
pub use sql::FaultySql;

#[cfg(test)]
mod tests;
