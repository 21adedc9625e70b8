//! JSON Web Tokens for tests.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::JWT_SECRET;

/// A token with that header and those claims.
///
/// # Panics
/// When the key is not of the header's algorithm.
#[must_use]
pub fn signed(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    encode(header, claims, key).expect("a token")
}

/// An HS256 token of that secret with those claims.
#[must_use]
pub fn token_by(secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    signed(&Header::default(), claims, &key)
}

/// An HS256 token of the bench's secret with those claims.
#[must_use]
pub fn token(claims: &Value) -> String {
    token_by(JWT_SECRET, claims)
}

/// A token for a user that expires at that Unix second.
#[must_use]
pub fn token_for(user: &str, expires: i64) -> String {
    token(&json!({"sub": user, "exp": expires}))
}
