//! The content security policy of the pages.

use talktime_http::{Origin, log};
use talktime_spin::{Misconfigured, Once, variable};

/// The providers that the browser itself speaks to, with a token that lasts a minute: the variable that says where each
/// one is, and where it is by default.
const PROVIDERS: [(&str, &str); 2] = [
    ("openai_base_url", "https://api.openai.com"),
    (
        "gemini_base_url",
        "https://generativelanguage.googleapis.com",
    ),
];

static POLICY: Once<String> = Once::new();

/// The policy, made on the first call.
///
/// # Errors
/// When the host cannot read a variable.
pub async fn policy() -> Result<&'static str, Misconfigured> {
    POLICY.get(read).await.map(String::as_str)
}

async fn read() -> Result<String, Misconfigured> {
    let mut origins = Vec::new();
    for (name, default) in PROVIDERS {
        let value = variable(name).await?;
        match origin(value.as_deref().unwrap_or(default)) {
            Some(origin) => origins.push(origin),
            // The pages are still good for the other provider, and the modules for everybody.
            None => log::once(&format!(
                "misconfigured: variable {name}: is no URL of a scheme, a host and perhaps a port; pages may not connect to it"
            )),
        }
    }
    Ok(of(&origins))
}

/// A base URL may end with a slash.
fn origin(base_url: &str) -> Option<Origin> {
    let base_url = base_url.trim();
    Origin::parse(base_url.strip_suffix('/').unwrap_or(base_url))
}

/// The policy that lets the pages connect to these, by HTTP and by `WebSocket`.
fn of(providers: &[Origin]) -> String {
    let mut connect = "'self'".to_owned();
    for provider in providers {
        let socket = provider.socket().map(|socket| socket.to_string());
        for source in [Some(provider.to_string()), socket].into_iter().flatten() {
            connect.push(' ');
            connect.push_str(&source);
        }
    }
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src {connect}; img-src 'self' data:; \
         media-src blob: mediastream:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_connect_to_the_providers_as_they_are_configured() {
        let check = |base_urls: &[&str], expected: &str| {
            let origins: Vec<_> = base_urls.iter().filter_map(|url| origin(url)).collect();
            let policy = of(&origins);
            let connect = policy
                .split("; ")
                .find_map(|part| part.strip_prefix("connect-src "));
            assert_eq!(connect, Some(expected), "{base_urls:?}");
        };
        check(
            &PROVIDERS.map(|(_, default)| default),
            "'self' https://api.openai.com wss://api.openai.com https://generativelanguage.googleapis.com \
             wss://generativelanguage.googleapis.com",
        );
        check(
            &["https://eu.api.openai.com/", " http://127.0.0.1:4000\n"],
            "'self' https://eu.api.openai.com wss://eu.api.openai.com http://127.0.0.1:4000 ws://127.0.0.1:4000",
        );
        // Nothing that a variable holds can add to the policy.
        for hostile in [
            "https://a.example; script-src *",
            "https://a.example;script-src",
            "https://*",
            "https://a.example 'unsafe-inline'",
            "https://a.example/path",
            "'unsafe-eval'",
            "",
        ] {
            check(&[hostile], "'self'");
        }
    }
}
