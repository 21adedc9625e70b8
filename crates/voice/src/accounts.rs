//! The operator's accounts with the providers, as variables set them up.

use std::fmt::Display;

use http::HeaderValue;
use talktime_wire::token::Provider;

use crate::base_url::BaseUrl;
use crate::gemini::ApiVersion;
use crate::models::Models;

/// Both accounts, as far as they are set up.
pub struct Accounts {
    /// That with `OpenAI`.
    pub openai: Option<Account>,
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
    /// `OpenAI`'s.
    OpenAi,
    /// Google's, in a version.
    Gemini(ApiVersion),
}

/// The variables of one account.
#[derive(Debug)]
pub struct Variables {
    /// The one with the key.
    pub key: &'static str,
    /// What stands before the key in its header.
    key_prefix: &'static str,
    /// The one with the address.
    pub base_url: &'static str,
    base_url_default: &'static str,
    /// The one with the list of models.
    pub models: &'static str,
    models_default: &'static str,
    /// The one with the API's version, where the provider has several.
    pub version: Option<&'static str>,
}

/// Those of the account with `OpenAI`.
pub const OPENAI: Variables = Variables {
    key: "openai_api_key",
    key_prefix: "Bearer ",
    base_url: "openai_base_url",
    base_url_default: "https://api.openai.com",
    models: "openai_models",
    models_default: "gpt-realtime-2.1",
    version: None,
};

/// Those of the account with Google.
pub const GEMINI: Variables = Variables {
    key: "gemini_api_key",
    key_prefix: "",
    base_url: "gemini_base_url",
    base_url_default: "https://generativelanguage.googleapis.com",
    models: "gemini_models",
    models_default: "gemini-3.8-live",
    version: Some("gemini_api_version"),
};

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
#[error("The operator can set the variable {}", variables(*.asked))]
pub struct NotSetUp {
    /// The provider that was asked for; no matter which otherwise.
    pub asked: Option<Provider>,
}

fn variables(asked: Option<Provider>) -> String {
    match asked {
        Some(Provider::OpenAi) => OPENAI.key.to_owned(),
        Some(Provider::Gemini) => GEMINI.key.to_owned(),
        None => format!("{} or {}", OPENAI.key, GEMINI.key),
    }
}

/// A model is asked for that callers cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of those that are offered here: {}", .offered.join(", "))]
pub struct NotOffered {
    /// Those that they can have, the default first.
    pub offered: Vec<String>,
}

impl Accounts {
    /// The account to use: with the provider that is asked for, else with the one that is set up, `OpenAI` first.
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
        found.ok_or(NotSetUp { asked })
    }
}

impl Account {
    /// Whose it is.
    pub fn provider(&self) -> Provider {
        match self.api {
            Api::OpenAi => Provider::OpenAi,
            Api::Gemini(_) => Provider::Gemini,
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
    /// The account by these values. `None` where there is no key. The others are checked in any case: they are also what
    /// `spin.toml` grants.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn account(
        &'static self,
        key: Option<&str>,
        base_url: Option<&str>,
        models: Option<&str>,
        version: Option<&str>,
    ) -> Result<Option<Account>, AccountError> {
        let base_url = BaseUrl::parse(base_url.unwrap_or(self.base_url_default))
            .map_err(|reason| AccountError::new(self.base_url, reason))?;
        let models = Models::parse(models.unwrap_or(self.models_default))
            .map_err(|reason| AccountError::new(self.models, reason))?;
        let api = match self.version {
            None => Api::OpenAi,
            Some(name) => Api::Gemini(
                version
                    .map_or(Ok(ApiVersion::default()), ApiVersion::parse)
                    .map_err(|reason| AccountError::new(name, reason))?,
            ),
        };
        let Some(key) = key else { return Ok(None) };
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
mod tests {
    use super::*;

    fn accounts(openai: Option<&str>, gemini: Option<&str>) -> Accounts {
        let account = |variables: &'static Variables, key| {
            variables
                .account(key, None, None, None)
                .expect("defaults are valid")
        };
        Accounts {
            openai: account(&OPENAI, openai),
            gemini: account(&GEMINI, gemini),
        }
    }

    #[test]
    fn the_provider_is_the_one_asked_for_or_the_first_that_is_set_up() {
        let check =
            |keys: (Option<&str>, Option<&str>), asked, expected: Result<(&str, &str), &str>| {
                let accounts = accounts(keys.0, keys.1);
                let chosen = accounts.choose(asked);
                let outcome = chosen.map(|account| {
                    let model = account.model(None).expect("a default");
                    (account.provider().as_str(), model)
                });
                let outcome = outcome.map_err(|error| {
                    assert_eq!(error.asked, asked);
                    error.to_string()
                });
                let expected = expected.map_err(str::to_owned);
                assert_eq!(outcome, expected, "{keys:?} {asked:?}");
            };
        let (openai, gemini) = (Some(Provider::OpenAi), Some(Provider::Gemini));
        let first = Ok(("openai", "gpt-realtime-2.1"));
        let second = Ok(("gemini", "gemini-3.8-live"));
        check((Some("a"), Some("b")), None, first);
        check((Some("a"), Some("b")), gemini, second);
        check((None, Some("b")), None, second);
        check((None, Some("b")), gemini, second);
        check((Some("a"), None), openai, first);
        check(
            (None, Some("b")),
            openai,
            Err("The operator can set the variable openai_api_key"),
        );
        check(
            (Some("a"), None),
            gemini,
            Err("The operator can set the variable gemini_api_key"),
        );
        check(
            (None, None),
            None,
            Err("The operator can set the variable openai_api_key or gemini_api_key"),
        );
    }

    #[test]
    fn each_provider_has_its_header() {
        let accounts = accounts(Some(" sk-1\n"), Some("AIza-2"));
        let key = |account: &Option<Account>| account.as_ref().map(|account| account.key.clone());
        assert_eq!(
            key(&accounts.openai),
            Some(HeaderValue::from_static("Bearer sk-1"))
        );
        assert_eq!(
            key(&accounts.gemini),
            Some(HeaderValue::from_static("AIza-2"))
        );
        assert!(key(&accounts.openai).is_some_and(|key| key.is_sensitive()));
    }

    #[test]
    fn a_bad_value_names_its_variable_and_is_not_quoted() {
        let check = |values: [Option<&str>; 4], expected: &str| {
            let [key, base_url, models, version] = values;
            let error = GEMINI
                .account(key, base_url, models, version)
                .err()
                .map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expected));
        };
        check(
            [Some("se\ncret"), None, None, None],
            "variable gemini_api_key: has characters that no key has",
        );
        check(
            [None, Some("nonsense"), None, None],
            "variable gemini_base_url: must start with https:// or http://",
        );
        check(
            [None, None, Some("a, b;c"), None],
            "variable gemini_models: may hold only letters, digits and . _ - :",
        );
        check(
            [None, None, Some(","), None],
            "variable gemini_models: names no model",
        );
        check(
            [None, None, None, Some("../v1")],
            "variable gemini_api_version: must be a version such as v1alpha or v1beta",
        );
    }

    #[test]
    fn a_model_that_is_not_offered_is_refused_with_those_that_are() {
        let account = GEMINI
            .account(Some("k"), None, Some("models/x-1, y"), None)
            .expect("valid")
            .expect("there is a key");
        assert_eq!(account.model(None).ok(), Some("x-1"));
        assert_eq!(account.model(Some("y")).ok(), Some("y"));
        let error = account.model(Some("z")).expect_err("not offered");
        assert_eq!(
            error.to_string(),
            "must be one of those that are offered here: x-1, y"
        );
    }
}
