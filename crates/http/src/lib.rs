//! What the HTTP components of Talktime share, so that each of them is a table of routes and one function.
//!
//! Start with [`Service::serve`]: it takes the host's request to the function that answers it, and the outcome back to
//! the host. On the way a request meets `cors` and the table of `routes`; the function asks it for a [`Call`]: who calls
//! (`auth`, with `csrf`), what they ask (`body`), the mark of the write (`idempotency`). What a request is refused for is a
//! [`Problem`], what it gets is an [`Answer`].
//!
//! All of that is plain functions over plain values, tested natively. Variables, the clock, chance and the timer come from
//! `talktime-spin`.

mod answer;
mod auth;
mod body;
mod call;
mod cors;
mod csrf;
mod deadline;
mod idempotency;
pub mod log;
mod origin;
mod problem;
mod request;
mod response;
mod routes;
mod service;
mod signed;

pub use answer::Answer;
pub use call::{Call, InternalCall, InternalRequest};
pub use idempotency::write_id_from;
pub use origin::Origin;
pub use problem::Problem;
pub use request::Request;
pub use response::{Response, respond};
pub use routes::Verb;
pub use service::Service;
pub use signed::{Signed, webhook_keys};
pub use talktime_wire::problem::Code;
