//! The operator's accounts with the voice providers.

use talktime_voice::{Account, Accounts, GEMINI, OPENAI, OPENAI_LIVE, Values, Variables};

use crate::variables::{Misconfigured, variable};

/// Those that the variables give.
///
/// # Errors
/// When a variable cannot be used.
pub async fn voice_accounts() -> Result<Accounts, Misconfigured> {
    Ok(Accounts {
        gemini: read_account(&GEMINI).await?,
        ..call_accounts().await?
    })
}

/// Those at which there are calls: who only hangs up is granted no other key.
///
/// # Errors
/// When a variable cannot be used.
pub async fn call_accounts() -> Result<Accounts, Misconfigured> {
    Ok(Accounts {
        openai: read_account(&OPENAI).await?,
        openai_live: read_account(&OPENAI_LIVE).await?,
        gemini: None,
    })
}

async fn read_account(variables: &'static Variables) -> Result<Option<Account>, Misconfigured> {
    let key = variable(variables.key).await?;
    let base_url = variable(variables.base_url).await?;
    let base_path = optional(variables.base_path).await?;
    let models = variable(variables.models).await?;
    let version = optional(variables.version).await?;
    let values = Values {
        key: key.as_deref(),
        base_url: base_url.as_deref(),
        base_path: base_path.as_deref(),
        models: models.as_deref(),
        version: version.as_deref(),
    };
    variables
        .account(values)
        .map_err(|error| Misconfigured::new(error.variable, error.reason))
}

/// A variable that not every provider has.
async fn optional(name: Option<&'static str>) -> Result<Option<String>, Misconfigured> {
    match name {
        Some(name) => variable(name).await,
        None => Ok(None),
    }
}
