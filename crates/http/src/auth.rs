//! Who is asking: the users of the web app by their tokens, its server by the internal secret.

mod authentication;
mod jwks;
mod jwt;
mod secret;
mod settings;

#[cfg(test)]
pub(crate) use authentication::AuthSettings;
pub(crate) use authentication::Authenticator;
pub(crate) use settings::{authenticator, internal_secret};
