//! The `OpenAPI` 3.1 document, made from the types.
//!
//! It is checked in as `docs/openapi.json` and served from there; the test below says when it no longer fits the types,
//! and with `UPDATE_OPENAPI=1` writes it anew.

/// The document as it is served.
pub const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

#[cfg(test)]
mod tests;
