//! The variables that this crate itself needs, read once for each instance.

use crate::authentication::{AuthSettings, Authenticator};
use crate::secret::{self, InternalSecret};
use talktime_config::{Misconfigured, Once, variable};

/// The one who tells users apart.
///
/// # Errors
/// When a variable cannot be used.
pub(crate) async fn authenticator() -> Result<&'static Authenticator, Misconfigured> {
    static AUTHENTICATOR: Once<Authenticator> = Once::new();
    AUTHENTICATOR
        .get(async || {
            Authenticator::from_settings(&AuthSettings {
                internal_api_secret: variable(secret::VARIABLE).await?,
                auth_jwt_secret: variable(crate::jwks::SECRET_VARIABLE).await?,
                auth_jwks: variable(crate::jwks::JWKS_VARIABLE).await?,
                auth_issuer: variable("auth_issuer").await?,
                auth_audience: variable("auth_audience").await?,
                auth_cookie: variable("auth_cookie").await?,
            })
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
