//! Where a provider is.

use http::Uri;

/// A scheme, a host and perhaps a port, and perhaps what stands before all paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    is_secure: bool,
    authority: String,
    path: String,
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
            path: String::new(),
        })
    }

    /// The same, with this before all paths, such as `/openai`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn below(self, path: &str) -> Result<Self, &'static str> {
        let path = path.trim().trim_end_matches('/');
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if !path.starts_with('/') || path.contains("//") || !path.bytes().all(is_safe) {
            return Err("must be a path such as /openai");
        }
        Ok(Self {
            path: path.to_owned(),
            ..self
        })
    }

    /// The URL of a path on it.
    pub fn http(&self, path: &str) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}{}{path}", self.authority, self.path)
    }

    /// The URL of a socket on it.
    pub fn socket(&self, path: &str) -> String {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        format!("{scheme}://{}{}{path}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_same_calls_elsewhere_has_a_path_before_them() {
        let check = |path: &str, expected: Result<&str, &str>| {
            let base = BaseUrl::parse("https://a.example")
                .expect("a URL")
                .below(path);
            let url = base.map(|base| base.http("/v1/realtime/calls"));
            assert_eq!(url, expected.map(str::to_owned), "{path:?}");
        };
        check("/openai", Ok("https://a.example/openai/v1/realtime/calls"));
        check(" /a/b/ ", Ok("https://a.example/a/b/v1/realtime/calls"));
        for bad in [
            "openai",
            "/",
            "",
            "//b.example",
            "/a?b",
            "/a b",
            "@b.example",
            "/a#b",
        ] {
            check(bad, Err("must be a path such as /openai"));
        }
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
