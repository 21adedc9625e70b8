//! What the HTTP components of Talktime share, so that each of them is a table of routes and one function.
//!
//! Start with [`Service::serve`]: it takes the host's request to the function that answers it, and the outcome back to
//! the host. On the way a request meets [`cors`], [`routes`] and, when the component asks for them, [`authentication`] with
//! [`csrf`], [`body`] and [`idempotency`]; what it is refused for is a [`Problem`], what it gets is an [`Answer`].
//!
//! All of that is plain functions over plain values, tested natively. Variables, the clock and the timer come from
//! `talktime-spin`.

pub mod answer;
pub mod authentication;
pub mod body;
pub mod cors;
pub mod csrf;
mod deadline;
pub mod failures;
pub mod idempotency;
pub mod jwks;
pub mod jwt;
pub mod log;
pub mod origin;
pub mod problem;
pub mod request;
pub mod response;
pub mod routes;
pub mod secret;
pub mod service;
pub mod settings;

pub use answer::Answer;
pub use authentication::{AuthSettings, Authenticator};
pub use cors::Cors;
pub use csrf::CookieUse;
pub use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
pub use idempotency::{random_write_id, write_id_from};
pub use origin::Origin;
pub use problem::{Code, Problem, ProblemDetails};
pub use request::Request;
pub use response::{Response, in_one_write, respond};
pub use routes::Verb;
pub use secret::InternalSecret;
pub use service::Service;
