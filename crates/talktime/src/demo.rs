//! What is printed for a person who tries the application out: throw-away secrets, commands to paste, a link.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::anyhow;
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use talktime_host::HostBuilder;

/// The trusted server's secret.
const INTERNAL_SECRET: &str = "internal_api_secret";

/// The key of the users' tokens.
const TOKEN_SECRET: &str = "auth_jwt_secret";

/// The user that the commands and the link are for.
const USER: &str = "demo";

/// How long the link works. A day at the desk.
const TOKEN_SECONDS: u64 = 12 * 60 * 60;

/// Secrets made up for one run, where the developer has set none.
#[derive(Debug, Default)]
pub struct Secrets {
    internal: Option<String>,
    token: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    has_internal: bool,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl Secrets {
    /// Gives the application's two secrets values where it declares them and nothing has set them.
    pub fn fill(mut builder: HostBuilder) -> anyhow::Result<(HostBuilder, Self)> {
        let mut secrets = Self::default();
        for (name, slot) in [
            (INTERNAL_SECRET, &mut secrets.internal),
            (TOKEN_SECRET, &mut secrets.token),
        ] {
            let is_declared = builder.manifest().variables.contains_key(name);
            if is_declared && builder.provided(name).is_none_or(str::is_empty) {
                let value = random_hex()?;
                builder = builder.variable(name, &value);
                *slot = Some(value);
            }
        }
        secrets.has_internal = builder.manifest().variables.contains_key(INTERNAL_SECRET);
        let value = |name: &str| {
            builder
                .provided(name)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        secrets.issuer = value("auth_issuer").map(|issuer| issuer.trim().to_owned());
        secrets.audience = value("auth_audience").and_then(|list| {
            list.split(|character: char| character == ',' || character.is_whitespace())
                .find(|entry| !entry.is_empty())
                .map(str::to_owned)
        });
        Ok((builder, secrets))
    }

    /// The text for the terminal; `base` is the server's address, such as `http://127.0.0.1:3000`.
    pub fn text(&self, base: &str, has_practice_page: bool) -> String {
        let mut parts = Vec::new();
        for (name, value) in [
            (INTERNAL_SECRET, &self.internal),
            (TOKEN_SECRET, &self.token),
        ] {
            if let Some(value) = value {
                parts.push(format!(
                    "{name} = {value}   (throw-away, for this run only)\n"
                ));
            }
        }
        if self.has_internal {
            parts.push(commands(base, self.internal.as_deref()));
        }
        if has_practice_page && let Some(key) = &self.token {
            parts.push(match self.token_for_demo(key) {
                Ok(token) => format!("\nPractice page, as user `{USER}`, for 12 hours:\n{base}/practice#token={token}\n"),
                Err(error) => format!("\nno link to the practice page: {error}\n"),
            });
        }
        parts.concat()
    }

    fn token_for_demo(&self, key: &str) -> Result<String, jsonwebtoken::errors::Error> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let claims = Claims {
            sub: USER,
            iat: now,
            exp: now + TOKEN_SECONDS,
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        jsonwebtoken::encode(
            &Header::default(),
            &claims,
            &EncodingKey::from_secret(key.as_bytes()),
        )
    }
}

/// Commands that work one after the other in any POSIX shell. A secret of the developer's own is not shown.
fn commands(base: &str, secret: Option<&str>) -> String {
    let secret = match secret {
        Some(secret) => format!("SECRET={secret}"),
        None => "SECRET=\"$SPIN_VARIABLE_INTERNAL_API_SECRET\"   # your own".to_owned(),
    };
    let user = format!("-H \"X-Internal-Secret: $SECRET\" -H \"X-User-Id: {USER}\"");
    let post = format!("curl -s -X POST {user} -H \"Content-Type: application/json\"");
    format!(
        "\nTo try the API, paste this into another terminal:\n\
         {secret}\n\
         curl -s {user} {base}/api/session/status; echo\n\
         S=$({post} -d '{{\"topic\":\"small talk\"}}' {base}/api/session/start | sed -n 's/.*\"sessionId\":\"\\([^\"]*\\)\".*/\\1/p'); echo \"session $S\"\n\
         {post} -d \"{{\\\"sessionId\\\":\\\"$S\\\"}}\" {base}/api/session/heartbeat; echo\n\
         {post} -d \"{{\\\"sessionId\\\":\\\"$S\\\"}}\" {base}/api/session/end; echo\n"
    )
}

/// 32 random bytes in hexadecimal.
fn random_hex() -> anyhow::Result<String> {
    (0..4)
        .map(|_| getrandom::u64().map(|random| format!("{random:016x}")))
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow!("cannot make a throw-away secret: {error}\nSet SPIN_VARIABLE_INTERNAL_API_SECRET and SPIN_VARIABLE_AUTH_JWT_SECRET"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_secrets_are_not_shown() {
        let secrets = Secrets {
            has_internal: true,
            ..Secrets::default()
        };
        let text = secrets.text("http://h", true);
        assert!(
            text.contains("SECRET=\"$SPIN_VARIABLE_INTERNAL_API_SECRET\"")
                && !text.contains("practice"),
            "{text}"
        );
    }

    #[test]
    fn commands_are_posix_shell() {
        let secrets = Secrets {
            internal: Some("abc".to_owned()),
            has_internal: true,
            ..Secrets::default()
        };
        let text = secrets.text("http://127.0.0.1:1", false);
        let script = text.split_once("terminal:\n").unwrap().1;
        let fake = "curl() { printf '{\"sessionId\":\"id-1\",\"args\":\"%s\"}' \"$*\"; }\n";
        let output = std::process::Command::new("sh")
            .args(["-euc", &format!("{fake}{script}")])
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{shown}");
        assert!(
            shown.contains("session id-1\n")
                && shown.contains("-d {\"sessionId\":\"id-1\"} http://127.0.0.1:1/api/session/end"),
            "{shown}"
        );
        assert!(
            shown.contains("X-Internal-Secret: abc -H X-User-Id: demo"),
            "{shown}"
        );
    }

    #[test]
    fn the_token_is_signed() {
        let secrets = Secrets {
            token: Some("k".to_owned()),
            issuer: Some("i".to_owned()),
            ..Secrets::default()
        };
        let text = secrets.text("http://h", true);
        let token = text.split_once("#token=").unwrap().1.trim();
        assert_eq!(token.split('.').count(), 3, "{token}");
    }
}
