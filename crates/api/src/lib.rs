//! The HTTP API's requests and answers, one type each, with the names that go over the wire.
//!
//! The domain (`talktime-usage`) knows nothing of JSON names or date formats; here its results are put into them. The
//! `OpenAPI` document is made from the same types, so it cannot tell of a field that is not there: see [`openapi`](mod@openapi).

pub mod internal;
pub mod openapi;
pub mod session;
pub mod timestamp;
pub mod token;
pub mod webhook;

pub use timestamp::Timestamp;
