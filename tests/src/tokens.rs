//! JSON Web Tokens for tests.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::JWT_SECRET;

/// An HS256 token of the bench's secret with those claims.
///
/// # Panics
/// When the claims are no object.
#[must_use]
pub fn token(claims: &Value) -> String {
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    encode(&Header::default(), claims, &key).expect("a token")
}

/// A token for a user that expires at that Unix second.
#[must_use]
pub fn token_for(user: &str, expires: i64) -> String {
    token(&json!({"sub": user, "exp": expires}))
}
