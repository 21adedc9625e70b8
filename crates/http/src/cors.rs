//! Which web pages may call the API and read its answers (CORS).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::origin::Origin;
use talktime_spin::Misconfigured;

/// The variable that lists the origins.
pub const VARIABLE: &str = "cors_allowed_origins";

/// How long a browser may remember a preflight, in seconds: Chromium's own default is 5, and a change of
/// configuration should not take longer than a coffee to arrive.
const MAX_AGE_SECONDS: &str = "600";

/// The origins whose pages may call the API with the user's credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// Reads origins like `https://app.example.com`, separated by commas or white space.
    ///
    /// # Errors
    /// When one of them is no origin, or has a wildcard: browsers refuse wildcards together with credentials.
    pub fn parse(list: &str) -> Result<Self, Misconfigured> {
        let origins = list
            .split(|character: char| character == ',' || character.is_whitespace())
            .filter(|entry| !entry.is_empty())
            .enumerate()
            .map(|(index, entry)| {
                let origin = Origin::parse(entry).map(|origin| origin.to_string());
                origin.ok_or_else(|| {
                    Misconfigured::new(
                        VARIABLE,
                        format!(
                            "entry {} is not an origin; write scheme://host[:port], without * and without a path",
                            index + 1
                        ),
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { origins })
    }

    /// Whether a request is a browser's question before the real request. It is answered before anything else, because
    /// it carries no credentials.
    pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS
            && headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The headers that every answer to this request carries, refusals too.
    pub fn headers(&self, request: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([(VARY, HeaderValue::from_static("Origin"))]);
        if let Some(origin) = self.allowed(request) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("Retry-After"),
            );
        }
        headers
    }

    /// What the answer to a preflight carries on top of [`Cors::headers`].
    pub fn preflight_headers(&self, request: &HeaderMap) -> HeaderMap {
        if self.allowed(request).is_none() {
            return HeaderMap::new();
        }
        HeaderMap::from_iter([
            (
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static("GET, POST"),
            ),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static("authorization, content-type, idempotency-key"),
            ),
            (
                ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static(MAX_AGE_SECONDS),
            ),
        ])
    }

    /// Whether the request comes from a page of one of the origins.
    pub fn allows(&self, request: &HeaderMap) -> bool {
        self.allowed(request).is_some()
    }

    fn allowed<'a>(&self, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
        request
            .get(ORIGIN)
            .filter(|origin| self.origins.iter().any(|own| *origin == own.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn origins_are_read_exactly() {
        let check = |list: &str, expected: Option<&[&str]>| {
            let outcome = Cors::parse(list);
            if let Err(error) = &outcome {
                assert_eq!(error.variable, "cors_allowed_origins");
            }
            let origins = outcome.ok().map(|cors| cors.origins);
            assert_eq!(
                origins,
                expected.map(|list| list.iter().map(ToString::to_string).collect()),
                "{list:?}"
            );
        };
        check("", Some(&[]));
        check(
            "https://a.example,http://localhost:5173\n https://B.example",
            Some(&[
                "https://a.example",
                "http://localhost:5173",
                "https://b.example",
            ]),
        );
        check("capacitor://localhost", Some(&["capacitor://localhost"]));
        check("http://[::1]:3000", Some(&["http://[::1]:3000"]));
        // Browsers leave the default port out.
        check(
            "https://a.example:443 http://b.example:80",
            Some(&["https://a.example", "http://b.example"]),
        );
        check("https://a.example:8443", Some(&["https://a.example:8443"]));
        check("*", None);
        check("https://*.example", None);
        check("https://a.example/", None);
        check("https://a.example/app", None);
        check("https://user@a.example", None);
        check("a.example", None);
        check("null", None);
    }

    #[test]
    fn only_allowed_origins_get_more_than_vary() {
        let cors = Cors::parse("https://a.example").expect("an origin");
        let allowed = headers(&[
            ("vary", "Origin"),
            ("access-control-allow-origin", "https://a.example"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "Retry-After"),
        ]);
        let check = |origin: Option<&'static str>, expected: &HeaderMap| {
            let request =
                origin.map_or_else(HeaderMap::new, |origin| headers(&[("origin", origin)]));
            assert_eq!(cors.headers(&request), *expected, "{origin:?}");
        };
        let vary = headers(&[("vary", "Origin")]);
        check(Some("https://a.example"), &allowed);
        check(None, &vary);
        check(Some("https://b.example"), &vary);
        check(Some("http://a.example"), &vary);
        check(Some("https://a.example:8443"), &vary);
        check(Some("https://a.example.evil.test"), &vary);
        check(Some("null"), &vary);
        assert!(Cors::default().headers(&headers(&[("origin", "")])) == vary);
    }

    #[test]
    fn a_bad_origin_is_named_by_its_place() {
        let error = Cors::parse("https://a.example, s3cret b.example").expect_err("no origin");
        assert_eq!(
            error.to_string(),
            "variable cors_allowed_origins: entry 2 is not an origin; write scheme://host[:port], without * and \
             without a path"
        );
    }
}
