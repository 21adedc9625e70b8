//! The embedded host: runs Talktime's components from `spin.toml` without the Spin CLI, for development and tests.
//!
//! [`HostBuilder`] reads the manifest, links each component with what Spin would give it, and makes a [`Host`]: ask it
//! in process with [`Host::request`], or on a socket with [`Host::serve`]. Where Spin's behaviour can be seen by a
//! guest, this host has the same, down to the texts of the errors and the limits of the tables. As a test bench it can
//! do more: the clock can be the test's ([`VirtualClock`]), any call of a guest can fail, be slow or be the last one
//! before a crash ([`Faults`]), and the key-value store can behave like each real backend ([`KvBehaviour`]).
//!
//! The way of a request: `http_server` → `app` (routes, headers) → `http_instances` (reuse) → the guest → the `*_host`
//! modules (grants, handles, faults) → `key_value`, `sqlite`, `variables`, `outbound_http`.
//!
//! **Invariant**: what the manifest does not grant, no guest gets; the check is at the call, in the `*_host` modules and
//! in `outbound_http`. **Invariant**: nothing here knows about minutes, plans or users, except `demo`, which prints
//! commands for people.

#![allow(clippy::doc_markdown, reason = "SQLite is a name, not code")]

mod allowed_hosts;
mod app;
mod bindings;
pub mod build_components;
mod clock;
mod cron;
pub mod demo;
mod engine;
mod error;
mod faults;
mod files;
mod hex;
mod host;
mod host_builder;
mod http_instances;
mod http_server;
mod instance;
mod key_value;
mod key_value_host;
mod linker;
mod logs;
mod manifest;
mod outbound_http;
mod routes;
mod slots;
mod sqlite;
mod sqlite_host;
mod storage;
mod streams;
mod template;
mod variables;
mod variables_host;

pub use rusqlite;

pub use self::{
    clock::{Clock, VirtualClock},
    error::HostError,
    faults::{CallKind, FaultAction, Faults, HostCall},
    host::Host,
    host_builder::HostBuilder,
    http_server::Server,
    key_value::KvBehaviour,
    manifest::Manifest,
    storage::Storage,
};
