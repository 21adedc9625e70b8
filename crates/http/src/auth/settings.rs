//! The variables that say who is let in, read once for each instance.

use super::authentication::{self, AuthSettings, Authenticator};
use super::secret::{self, InternalSecret};
use super::{jwks, jwt};
use crate::log;
use talktime_spin::{Misconfigured, Once, variable};

/// The one who tells users apart.
///
/// # Errors
/// When a variable cannot be used.
pub(crate) async fn authenticator() -> Result<&'static Authenticator, Misconfigured> {
    static AUTHENTICATOR: Once<Authenticator> = Once::new();
    AUTHENTICATOR
        .get(async || {
            let authenticator = Authenticator::from_settings(&AuthSettings {
                internal_api_secret: variable(secret::VARIABLE).await?,
                auth_jwt_secret: variable(jwks::SECRET_VARIABLE).await?,
                auth_jwks: variable(jwks::JWKS_VARIABLE).await?,
                auth_issuer: variable(jwt::ISSUER_VARIABLE).await?,
                auth_audience: variable(jwt::AUDIENCE_VARIABLE).await?,
                auth_cookie: variable(authentication::COOKIE_VARIABLE).await?,
            })?;
            for remark in authenticator.remarks() {
                log::once(&format!(
                    "variable {}: {remark}; it is passed over",
                    jwks::JWKS_VARIABLE
                ));
            }
            Ok(authenticator)
        })
        .await
}

/// The secret of the internal routes.
///
/// # Errors
/// When the variable cannot be used.
pub(crate) async fn internal_secret() -> Result<&'static InternalSecret, Misconfigured> {
    static SECRET: Once<InternalSecret> = Once::new();
    SECRET
        .get(async || InternalSecret::parse(variable(secret::VARIABLE).await?.as_deref()))
        .await
}
