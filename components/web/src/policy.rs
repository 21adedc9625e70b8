//! The content security policy of the pages.

use talktime_http::{Origin, log};
use talktime_spin::{Misconfigured, Once, variable};

/// The provider that the browser itself speaks to, with a token: the variable that says where it is, and where it is by
/// default. To the others it speaks by a call that Talktime opens.
const PROVIDER: (&str, &str) = (
    "gemini_base_url",
    "https://generativelanguage.googleapis.com",
);

static POLICY: Once<String> = Once::new();

/// The policy, made on the first call.
///
/// # Errors
/// When the host cannot read a variable.
pub async fn policy() -> Result<&'static str, Misconfigured> {
    POLICY.get(read).await.map(String::as_str)
}

async fn read() -> Result<String, Misconfigured> {
    let (name, default) = PROVIDER;
    let value = variable(name).await?;
    let provider = origin(value.as_deref().unwrap_or(default));
    if provider.is_none() {
        // The pages are still good for the other providers, and the modules for everybody.
        log::once(&format!(
            "misconfigured: variable {name}: is no URL of a scheme, a host and perhaps a port; pages may not connect to it"
        ));
    }
    Ok(of(provider.as_ref()))
}

/// A base URL may end with a slash.
fn origin(base_url: &str) -> Option<Origin> {
    let base_url = base_url.trim();
    Origin::parse(base_url.strip_suffix('/').unwrap_or(base_url))
}

/// The policy that lets the pages connect to it, by HTTP and by `WebSocket`.
fn of(provider: Option<&Origin>) -> String {
    let mut connect = "'self'".to_owned();
    if let Some(provider) = provider {
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
    fn pages_connect_to_the_provider_as_it_is_configured() {
        let check = |base_url: &str, expected: &str| {
            let policy = of(origin(base_url).as_ref());
            let connect = policy
                .split("; ")
                .find_map(|part| part.strip_prefix("connect-src "));
            assert_eq!(connect, Some(expected), "{base_url:?}");
        };
        check(
            PROVIDER.1,
            "'self' https://generativelanguage.googleapis.com wss://generativelanguage.googleapis.com",
        );
        check(
            " http://127.0.0.1:4000/\n",
            "'self' http://127.0.0.1:4000 ws://127.0.0.1:4000",
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
            check(hostile, "'self'");
        }
    }
}
