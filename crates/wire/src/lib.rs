//! The HTTP API's requests, answers and refusals, one type each, with the names that go over the wire.
//!
//! The domain (`talktime-usage`) knows nothing of them: here its results are put into them. What the domain can be written
//! as JSON for is its own state document; of that only numbers, ids and free texts are passed on as they are, and
//! [`schema`] says what they look like. The `OpenAPI` document is made from the same types, so it cannot tell of a field
//! that is not there: see [`openapi`](mod@openapi).

pub mod internal;
pub mod openapi;
pub mod problem;
mod rfc3339;
pub mod schema;
pub mod session;
pub mod token;
pub mod webhook;

pub use rfc3339::Rfc3339;
