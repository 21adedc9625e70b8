//! A component at work: its engine, its instances, and the interfaces that it calls.
//!
//! Grants, handles and faults are checked here, at the call; the work itself is in `data` and `manifest`.

pub(crate) mod compiled;
pub(crate) mod engine;
pub(crate) mod instance;
pub(crate) mod key_value;
pub(crate) mod linker;
pub(crate) mod logs;
pub(crate) mod outbound_http;
pub(crate) mod slots;
pub(crate) mod sqlite;
pub(crate) mod streams;
pub(crate) mod variables;
