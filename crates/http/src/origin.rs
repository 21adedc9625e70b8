//! An origin: a scheme, a host and a port, in the one form in which browsers write it (RFC 6454).

use std::fmt;

use http::Uri;
use http::uri::Authority;

/// `scheme://host[:port]`, in lower case and without the port that the scheme has anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    authority: String,
}

impl Origin {
    /// Reads a text that is an origin and nothing more; `None` for one with a path, a user, a wildcard or a character
    /// that no host's name has.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let is_all = text.len() == scheme.len() + "://".len() + authority.as_str().len();
        if is_all {
            Self::of(scheme, authority)
        } else {
            None
        }
    }

    /// The origin of what is at `authority` by `scheme`.
    pub(crate) fn of(scheme: &str, authority: &Authority) -> Option<Self> {
        let scheme = scheme.to_ascii_lowercase();
        let host = authority.host().to_ascii_lowercase();
        if !is_host(&host) {
            return None;
        }
        let rest = authority.as_str().strip_prefix(authority.host())?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port.parse::<u16>().ok()?),
            None if rest.is_empty() => None,
            None => return None,
        };
        let authority = match port {
            Some(port) if default_port(&scheme) != Some(port) => format!("{host}:{port}"),
            _ => host,
        };
        Some(Self { scheme, authority })
    }

    /// `https` or `http`, say, in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The same place by `WebSocket`, where the scheme is a web server's.
    pub fn socket(&self) -> Option<Self> {
        let scheme = match self.scheme.as_str() {
            "https" => "wss",
            "http" => "ws",
            _ => return None,
        };
        Some(Self {
            scheme: scheme.to_owned(),
            authority: self.authority.clone(),
        })
    }
}

/// A name, or an address, version 6 in brackets. It excludes what would mean something where origins are listed, such as
/// the semicolon of a content security policy.
fn is_host(host: &str) -> bool {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" | "wss" => Some(443),
        "http" | "ws" => Some(80),
        _ => None,
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        let check = |text: &str, expected: Option<&str>| {
            let origin = Origin::parse(text).map(|origin| origin.to_string());
            assert_eq!(origin.as_deref(), expected, "{text:?}");
        };
        check("https://a.example", Some("https://a.example"));
        check("HTTPS://A.Example", Some("https://a.example"));
        check("https://a.example:443", Some("https://a.example"));
        check("http://a.example:80", Some("http://a.example"));
        check("https://a.example:80", Some("https://a.example:80"));
        check("http://localhost:5173", Some("http://localhost:5173"));
        check("http://[::1]:3000", Some("http://[::1]:3000"));
        check("http://[::1]:80", Some("http://[::1]"));
        check("capacitor://localhost", Some("capacitor://localhost"));
        for text in [
            "",
            "null",
            "a.example",
            "*",
            "https://*.example",
            "https://a.example/",
            "https://a.example/app",
            "https://a.example?x",
            "https://user@a.example",
            "https://user:word@a.example",
            "https://a.example:",
            "https://a.example:99999",
            "https://a.example;script-src",
            "https://'self'",
            "https://[::1",
            "https://",
            "https://bücher.example",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_socket_has_the_security_of_its_origin() {
        let check = |text: &str, expected: Option<&str>| {
            let socket = Origin::parse(text).and_then(|origin| origin.socket());
            let socket = socket.map(|origin| origin.to_string());
            assert_eq!(socket.as_deref(), expected, "{text:?}");
        };
        check("https://a.example", Some("wss://a.example"));
        check("http://127.0.0.1:4000", Some("ws://127.0.0.1:4000"));
        check("capacitor://localhost", None);
    }
}
