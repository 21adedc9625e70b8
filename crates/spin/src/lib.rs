//! Talktime's ports on Spin. Of all crates only this one knows the platform; the components name it where they put the
//! parts together.
//!
//! [`KeyValue`] keeps the documents and [`SqlConnection`] runs the ledger's statements, in the stores `default` that
//! `spin.toml` grants; [`Host`] is the environment: clocks, chance, waiting. [`Settings`] and [`variable`] are what an
//! operator sets, read once for each instance ([`Once`]). [`leave_in_one_write`] is for Spin's HTTP server, [`outbound`] for its HTTP client.

mod environment;
mod key_value;
mod once;
pub mod outbound;
mod secret;
mod settings;
mod sql;
mod turns;
mod variables;
mod voice_accounts;

pub use environment::{HOST, Host, now, session_id, sleep};
pub use key_value::{KeyValue, Serves};
pub use once::Once;
pub use secret::check_secret;
pub use settings::Settings;
pub use sql::{Ledger, SqlConnection, ledger};
pub use turns::{leave_in_one_write, next_turn};
pub use variables::{Misconfigured, parsed, variable};
pub use voice_accounts::{call_accounts, voice_accounts};
