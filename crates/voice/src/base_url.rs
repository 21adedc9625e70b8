//! Where a provider is.

use http::Uri;

/// A scheme, a host and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    is_secure: bool,
    authority: String,
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
    pub fn http(&self, path: &str) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.authority)
    }

    /// The URL of a socket on it.
    pub fn socket(&self, path: &str) -> String {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        format!("{scheme}://{}{path}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
