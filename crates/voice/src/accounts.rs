//! The operator's accounts with the providers, as variables set them up.

use std::fmt::Display;

use http::HeaderValue;
use talktime_wire::call::CallProvider;
use talktime_wire::token::Provider;

use crate::base_url::BaseUrl;
use crate::gemini::ApiVersion;
use crate::models::Models;

/// All accounts, as far as they are set up.
pub struct Accounts {
    /// That with `OpenAI`: its Realtime API.
    pub openai: Option<Account>,
    /// The same account at GPT-Live, with models of its own. It has calls only, no tokens.
    pub openai_live: Option<Account>,
    /// That with Google.
    pub gemini: Option<Account>,
}

/// An account with a provider. It has no `Debug`, so that no log can show the key by mistake.
#[derive(Clone)]
pub struct Account {
    /// What is spoken there.
    pub api: Api,
    /// The value of the header that proves it, the long-lived key in it.
    pub key: HeaderValue,
    /// Where the provider is.
    pub base_url: BaseUrl,
    /// The models that callers can have.
    pub models: Models,
    /// Where all this is set.
    pub variables: &'static Variables,
}

/// A provider's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Api {
    /// `OpenAI`'s, for one of its two kinds of calls.
    OpenAi(CallProvider),
    /// Google's, in a version.
    Gemini(ApiVersion),
}

/// The variables of one account.
#[derive(Debug)]
pub struct Variables {
    /// What is spoken there, unless another version is set.
    api: Api,
    /// The one with the key.
    pub key: &'static str,
    /// What stands before the key in its header.
    key_prefix: &'static str,
    /// The one with the address.
    pub base_url: &'static str,
    base_url_default: &'static str,
    /// The one with what stands before the provider's paths, where others have the same calls elsewhere.
    pub base_path: Option<&'static str>,
    /// The one with the list of models.
    pub models: &'static str,
    /// `None` where nothing is offered unless it is set.
    models_default: Option<&'static str>,
    /// The one with the API's version, where the provider has several.
    pub version: Option<&'static str>,
}

/// Those of the account with `OpenAI`.
pub const OPENAI: Variables = Variables {
    api: Api::OpenAi(CallProvider::OpenAi),
    key: "openai_api_key",
    key_prefix: "Bearer ",
    base_url: "openai_base_url",
    base_url_default: "https://api.openai.com",
    base_path: Some("openai_base_path"),
    models: "openai_models",
    models_default: Some("gpt-realtime-2.1"),
    version: None,
};

/// Those of the account with `OpenAI` at GPT-Live. Its models (`gpt-live-1` is one) have no default: their names change, and
/// who wants them says so.
pub const OPENAI_LIVE: Variables = Variables {
    api: Api::OpenAi(CallProvider::OpenAiLive),
    models: "openai_live_models",
    models_default: None,
    ..OPENAI
};

/// Those of the account with Google.
pub const GEMINI: Variables = Variables {
    api: Api::Gemini(ApiVersion::DEFAULT),
    key: "gemini_api_key",
    key_prefix: "",
    base_url: "gemini_base_url",
    base_url_default: "https://generativelanguage.googleapis.com",
    base_path: None,
    models: "gemini_models",
    models_default: Some("gemini-3.8-live"),
    version: Some("gemini_api_version"),
};

/// The values of an account's variables, as far as they are set.
#[derive(Clone, Copy, Default)]
pub struct Values<'a> {
    pub key: Option<&'a str>,
    pub base_url: Option<&'a str>,
    pub base_path: Option<&'a str>,
    pub models: Option<&'a str>,
    pub version: Option<&'a str>,
}

/// A variable with a value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("variable {variable}: {reason}")]
pub struct AccountError {
    pub variable: &'static str,
    /// What is wrong with it. It never quotes the value.
    pub reason: String,
}

impl AccountError {
    fn new(variable: &'static str, reason: impl Display) -> Self {
        Self {
            variable,
            reason: reason.to_string(),
        }
    }
}

/// There is no account to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The operator can set the variable {}", .variables.join(" or "))]
pub struct NotSetUp {
    /// The name of the provider that was asked for; no matter which otherwise.
    pub asked: Option<&'static str>,
    /// Those that would set it up.
    variables: &'static [&'static str],
}

/// A model is asked for that callers cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of those that are offered here: {}", .offered.join(", "))]
pub struct NotOffered {
    /// Those that they can have, the default first.
    pub offered: Vec<String>,
}

impl Accounts {
    /// The account to use for a token: with the provider that is asked for, else with the one that is set up, `OpenAI`
    /// first.
    ///
    /// # Errors
    /// Where it is not set up, naming the variable to set.
    pub fn choose(&self, asked: Option<Provider>) -> Result<&Account, NotSetUp> {
        let account = |provider| match provider {
            Provider::OpenAi => self.openai.as_ref(),
            Provider::Gemini => self.gemini.as_ref(),
        };
        let found = match asked {
            Some(provider) => account(provider),
            None => account(Provider::OpenAi).or_else(|| account(Provider::Gemini)),
        };
        found.ok_or(NotSetUp {
            asked: asked.map(Provider::as_str),
            variables: match asked {
                Some(Provider::OpenAi) => &[OPENAI.key],
                Some(Provider::Gemini) => &[GEMINI.key],
                None => &[OPENAI.key, GEMINI.key],
            },
        })
    }

    /// The account to use for a call: the one that is asked for, else that of the Realtime API.
    ///
    /// # Errors
    /// Where it is not set up, naming the variable to set.
    pub fn for_call(&self, asked: Option<CallProvider>) -> Result<&Account, NotSetUp> {
        let asked = asked.unwrap_or(CallProvider::OpenAi);
        let found = match asked {
            CallProvider::OpenAi => self.openai.as_ref(),
            CallProvider::OpenAiLive => self.openai_live.as_ref(),
        };
        found.ok_or(NotSetUp {
            asked: Some(asked.as_str()),
            // Both have one key: where it is set, the models are what is missing.
            variables: match self.openai {
                None => &[OPENAI.key],
                Some(_) => &[OPENAI_LIVE.models],
            },
        })
    }
}

impl Account {
    /// Whose it is.
    pub fn provider(&self) -> Provider {
        match self.api {
            Api::OpenAi(_) => Provider::OpenAi,
            Api::Gemini(_) => Provider::Gemini,
        }
    }

    /// Who carries its calls; `None` where calls cannot be had.
    pub fn call_provider(&self) -> Option<CallProvider> {
        match self.api {
            Api::OpenAi(calls) => Some(calls),
            Api::Gemini(_) => None,
        }
    }

    /// Its name in logs.
    pub(crate) fn name(&self) -> &'static str {
        match self.api {
            Api::OpenAi(calls) => calls.as_str(),
            Api::Gemini(_) => Provider::Gemini.as_str(),
        }
    }

    /// The model to use: the one that is asked for, else the default.
    ///
    /// # Errors
    /// Where it is not one of those that callers can have.
    pub fn model(&self, asked: Option<&str>) -> Result<&str, NotOffered> {
        self.models.choose(asked).ok_or_else(|| NotOffered {
            offered: self.models.names().map(str::to_owned).collect(),
        })
    }
}

impl Variables {
    /// The account by these values. `None` where there is no key, or no model is offered. The others are checked in any
    /// case: they are also what `spin.toml` grants.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn account(&'static self, values: Values<'_>) -> Result<Option<Account>, AccountError> {
        let Values {
            key,
            base_url,
            base_path,
            models,
            version,
        } = values;
        let mut base_url = BaseUrl::parse(base_url.unwrap_or(self.base_url_default))
            .map_err(|reason| AccountError::new(self.base_url, reason))?;
        if let (Some(name), Some(path)) = (self.base_path, base_path) {
            base_url = base_url
                .below(path)
                .map_err(|reason| AccountError::new(name, reason))?;
        }
        let models = models
            .or(self.models_default)
            .map(Models::parse)
            .transpose()
            .map_err(|reason| AccountError::new(self.models, reason))?;
        let api = match (self.version, version) {
            (Some(name), Some(version)) => Api::Gemini(
                ApiVersion::parse(version).map_err(|reason| AccountError::new(name, reason))?,
            ),
            _ => self.api.clone(),
        };
        let (Some(key), Some(models)) = (key, models) else {
            return Ok(None);
        };
        let mut key = HeaderValue::from_str(&format!("{}{}", self.key_prefix, key.trim()))
            .map_err(|_| AccountError::new(self.key, "has characters that no key has"))?;
        key.set_sensitive(true);
        Ok(Some(Account {
            api,
            key,
            base_url,
            models,
            variables: self,
        }))
    }
}

#[cfg(test)]
mod tests;
