//! The embedded host: runs Talktime's components from `spin.toml` without the Spin CLI, for development and tests.
//!
//! [`HostBuilder`] reads the manifest, links each component with what Spin would give it, and makes a [`Host`]: ask it
//! in process with [`Host::request`], or on a socket with [`Host::serve`]. Where Spin's behaviour can be seen by a
//! guest, this host has the same, down to the texts of the errors and the limits of the tables. As a test bench it can
//! do more: the clock can be the test's ([`VirtualClock`]), any call of a guest can fail, be slow or be the last one
//! before a crash ([`Faults`]), and the key-value store can behave like each real backend ([`KvBehaviour`]).
//!
//! The way of a request: `serve` (server, routes and headers, reuse of instances) → the guest → `guest` (grants, handles,
//! faults) → `data`, `manifest::variables`, or the network.
//!
//! **Invariant**: what the manifest does not grant, no guest gets; the check is at the call, in `guest`.
//! **Invariant**: nothing here knows about minutes, plans or users.

#![allow(clippy::doc_markdown, reason = "SQLite is a name, not code")]

mod bindings;
pub mod build_components;
mod data;
mod error;
mod guest;
mod host;
mod host_builder;
mod lock;
mod manifest;
mod serve;
mod testbench;

pub use rusqlite;

pub use self::{
    data::{files::Storage, key_value::KvBehaviour},
    error::HostError,
    host::Host,
    host_builder::HostBuilder,
    manifest::Manifest,
    serve::server::{Nagle, Server},
    testbench::{
        clock::{Clock, VirtualClock},
        faults::{CallKind, FaultAction, Faults, HostCall},
    },
};
