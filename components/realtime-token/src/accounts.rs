//! The operator's accounts with the providers, read from variables once for each instance.

use http::{HeaderValue, Uri};
use talktime_api::token::{Provider, check_name};
use talktime_http::{Code, Misconfigured, Problem, variable};

/// Both accounts, as far as they are set up.
pub struct Accounts {
    openai: Option<Account>,
    gemini: Option<Account>,
}

/// An account with a provider. It has no `Debug`, so that no log can show the key by mistake.
#[derive(Clone)]
pub struct Account {
    /// The value of the header that proves it, the long-lived key in it.
    pub key: HeaderValue,
    /// Where the provider is.
    pub base_url: BaseUrl,
    /// The model that is used where none is asked for.
    pub model: String,
}

/// A scheme, a host and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    is_secure: bool,
    authority: String,
}

/// The variables of one account.
struct Variables {
    key: &'static str,
    /// What stands before the key in its header.
    key_prefix: &'static str,
    base_url: &'static str,
    base_url_default: &'static str,
    model: &'static str,
    model_default: &'static str,
}

const OPENAI: Variables = Variables {
    key: "openai_api_key",
    key_prefix: "Bearer ",
    base_url: "openai_base_url",
    base_url_default: "https://api.openai.com",
    model: "openai_model",
    model_default: "gpt-realtime",
};

const GEMINI: Variables = Variables {
    key: "gemini_api_key",
    key_prefix: "",
    base_url: "gemini_base_url",
    base_url_default: "https://generativelanguage.googleapis.com",
    model: "gemini_model",
    model_default: "gemini-live-2.5-flash-preview",
};

impl Accounts {
    /// Reads the variables.
    ///
    /// # Errors
    /// When one has a value that cannot be used.
    pub async fn read() -> Result<Self, Misconfigured> {
        Ok(Self {
            openai: OPENAI.read().await?,
            gemini: GEMINI.read().await?,
        })
    }

    /// The account to use: with the provider that is asked for, else with the one that is set up, `OpenAI` first.
    ///
    /// # Errors
    /// 503 where it is not set up, naming the variable to set.
    pub fn choose(&self, asked: Option<Provider>) -> Result<(Provider, &Account), Problem> {
        let account = |provider| match provider {
            Provider::OpenAi => self.openai.as_ref().map(|account| (provider, account)),
            Provider::Gemini => self.gemini.as_ref().map(|account| (provider, account)),
        };
        match asked {
            Some(provider) => account(provider).ok_or_else(|| {
                let key = match provider {
                    Provider::OpenAi => OPENAI.key,
                    Provider::Gemini => GEMINI.key,
                };
                Problem::provider_not_configured(provider.as_str())
                    .detail(format!("The operator can set the variable {key}"))
            }),
            None => account(Provider::OpenAi)
                .or_else(|| account(Provider::Gemini))
                .ok_or_else(|| {
                    let error = "No voice provider is set up here";
                    Problem::new(Code::ProviderNotConfigured, error).detail(format!(
                        "The operator can set the variable {} or {}",
                        OPENAI.key, GEMINI.key
                    ))
                }),
        }
    }
}

impl Variables {
    /// `None` where there is no key. The others are checked in any case: they are also what `spin.toml` grants.
    async fn read(&self) -> Result<Option<Account>, Misconfigured> {
        let key = variable(self.key).await?;
        let base_url = variable(self.base_url).await?;
        let model = variable(self.model).await?;
        self.account(key.as_deref(), base_url.as_deref(), model.as_deref())
    }

    fn account(
        &self,
        key: Option<&str>,
        base_url: Option<&str>,
        model: Option<&str>,
    ) -> Result<Option<Account>, Misconfigured> {
        let base_url = BaseUrl::parse(base_url.unwrap_or(self.base_url_default))
            .map_err(|reason| Misconfigured::new(self.base_url, reason))?;
        let model = model.unwrap_or(self.model_default).trim();
        // Google's own form; theirs and the bare one mean the same.
        let model = model.strip_prefix("models/").unwrap_or(model);
        check_name(model).map_err(|reason| Misconfigured::new(self.model, reason))?;
        let Some(key) = key else { return Ok(None) };
        let mut key = HeaderValue::from_str(&format!("{}{}", self.key_prefix, key.trim()))
            .map_err(|_| Misconfigured::new(self.key, "has characters that no key has"))?;
        key.set_sensitive(true);
        Ok(Some(Account {
            key,
            base_url,
            model: model.to_owned(),
        }))
    }
}

impl BaseUrl {
    /// Reads an `http` or `https` URL without a path: Spin takes no other in `allowed_outbound_hosts`, where the same
    /// variable stands. A slash at the end is passed over.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.trim().parse().map_err(|_| "is no URL")?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("must start with https:// or http://"),
        };
        let authority = uri.authority().ok_or("has no host")?.as_str();
        if authority.contains('@') {
            return Err("must not hold a user or a password");
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err("must have no path: a scheme, a host and perhaps a port");
        }
        Ok(Self {
            is_secure,
            authority: authority.to_owned(),
        })
    }

    /// The URL of a path on it.
    #[must_use]
    pub fn http(&self, path: &str) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.authority)
    }

    /// The URL of a socket on it.
    #[must_use]
    pub fn socket(&self, path: &str) -> String {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        format!("{scheme}://{}{path}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn accounts(openai: Option<&str>, gemini: Option<&str>) -> Accounts {
        let account = |variables: &Variables, key| {
            variables
                .account(key, None, None)
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
            |keys: (Option<&str>, Option<&str>), asked, expected: Result<(&str, &str), Value>| {
                let accounts = accounts(keys.0, keys.1);
                let chosen = accounts.choose(asked);
                let outcome = chosen
                    .as_ref()
                    .map(|(provider, account)| (provider.as_str(), account.model.as_str()));
                assert_eq!(
                    outcome.map_err(|problem| json!(problem.details())),
                    expected,
                    "{keys:?} {asked:?}"
                );
            };
        let refusal = |error: &str, detail: &str| {
            Err(json!({
                "type": "urn:talktime:problem:provider_not_configured",
                "title": "Provider not set up",
                "status": 503,
                "code": "provider_not_configured",
                "error": error,
                "detail": detail,
            }))
        };
        let (openai, gemini) = (Some(Provider::OpenAi), Some(Provider::Gemini));
        let first = Ok(("openai", "gpt-realtime"));
        let second = Ok(("gemini", "gemini-live-2.5-flash-preview"));
        check((Some("a"), Some("b")), None, first.clone());
        check((Some("a"), Some("b")), gemini, second.clone());
        check((None, Some("b")), None, second.clone());
        check((None, Some("b")), gemini, second);
        check((Some("a"), None), openai, first);
        check(
            (None, Some("b")),
            openai,
            refusal(
                "The voice provider openai is not set up here",
                "The operator can set the variable openai_api_key",
            ),
        );
        check(
            (Some("a"), None),
            gemini,
            refusal(
                "The voice provider gemini is not set up here",
                "The operator can set the variable gemini_api_key",
            ),
        );
        check(
            (None, None),
            None,
            refusal(
                "No voice provider is set up here",
                "The operator can set the variable openai_api_key or gemini_api_key",
            ),
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
        let check = |key, base_url, model, expected: &str| {
            let error = GEMINI
                .account(key, base_url, model)
                .err()
                .map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expected));
        };
        check(
            Some("se\ncret"),
            None,
            None,
            "variable gemini_api_key: has characters that no key has",
        );
        check(
            None,
            Some("nonsense"),
            None,
            "variable gemini_base_url: must start with https:// or http://",
        );
        check(
            None,
            None,
            Some("a b"),
            "variable gemini_model: may hold only letters, digits and . _ - :",
        );
    }

    #[test]
    fn a_model_may_have_googles_prefix() {
        let account = GEMINI
            .account(Some("k"), None, Some("models/x-1"))
            .expect("valid");
        assert_eq!(account.map(|account| account.model), Some("x-1".to_owned()));
    }

    #[test]
    fn a_base_url_has_a_scheme_and_a_host() {
        let check = |text: &str, expected: Result<(&str, &str), &str>| {
            let urls = BaseUrl::parse(text).map(|base| (base.http("/a"), base.socket("/b")));
            let expected = expected.map(|(http, socket)| (http.to_owned(), socket.to_owned()));
            assert_eq!(urls, expected, "{text}");
        };
        check(
            "https://api.openai.com",
            Ok(("https://api.openai.com/a", "wss://api.openai.com/b")),
        );
        check(
            " https://api.openai.com/\n",
            Ok(("https://api.openai.com/a", "wss://api.openai.com/b")),
        );
        check(
            "http://127.0.0.1:8089",
            Ok(("http://127.0.0.1:8089/a", "ws://127.0.0.1:8089/b")),
        );
        check(
            "http://[::1]:80",
            Ok(("http://[::1]:80/a", "ws://[::1]:80/b")),
        );
        check("api.openai.com", Err("must start with https:// or http://"));
        check("ftp://x", Err("must start with https:// or http://"));
        check(
            "https://user:pw@x",
            Err("must not hold a user or a password"),
        );
        let no_path = "must have no path: a scheme, a host and perhaps a port";
        check("https://proxy.example/v1", Err(no_path));
        check("https://proxy.example/?a", Err(no_path));
        check("https://a b", Err("is no URL"));
        check("https://", Err("is no URL"));
    }
}
