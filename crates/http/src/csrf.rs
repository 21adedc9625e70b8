//! The guard against pages of other sites that use a user's cookie for a change (cross-site request forgery).
//!
//! A body counts as JSON whatever its content type says, so a form of any site could send one without a preflight. A
//! change that only a cookie proves must therefore come from an allowed origin or from our own. A browser says where from:
//! by `Sec-Fetch-Site`, else by `Origin`; a client that says neither is no browser.

use http::header::ORIGIN;
use http::uri::Scheme;
use http::{HeaderMap, Method, Uri};

use crate::cors::Cors;
use crate::origin::Origin;

/// The header by which a proxy that ends TLS says so.
const FORWARDED_SCHEME: &str = "x-forwarded-proto";

/// Whether a cookie may prove who is asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieUse {
    /// It may: the request only reads, or its sender is no page of another site.
    Allowed,
    /// It may not: a page of another site wants a change.
    Forged,
}

impl CookieUse {
    /// For a request of that method and target. `cors` are the origins that are as good as our own, where there are any.
    ///
    /// Reading is always allowed: a page of another site is not shown the answer.
    pub fn of(cors: Option<&Cors>, method: &Method, target: &Uri, headers: &HeaderMap) -> Self {
        let reads = method == Method::GET || method == Method::HEAD;
        let is_ours = || {
            cors.is_some_and(|cors| cors.allows(headers)) || !is_of_another_site(target, headers)
        };
        if reads || is_ours() {
            Self::Allowed
        } else {
            Self::Forged
        }
    }
}

fn is_of_another_site(target: &Uri, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin.to_str().ok().and_then(Origin::parse);
    !origin.is_some_and(|origin| is_own(&origin, target, headers))
}

/// Whether it is the origin that the request was sent to. The host comes from the request's URI: hosts keep the `Host`
/// header to themselves.
///
/// Over TLS, whether the host or a proxy ends it, only `https` is our own. Where neither says so, a proxy may still have
/// ended it in silence, so both schemes are. No page can add the proxy's header without asking by a preflight first.
fn is_own(origin: &Origin, target: &Uri, headers: &HeaderMap) -> bool {
    let is_secure = target.scheme() == Some(&Scheme::HTTPS)
        || headers
            .get(FORWARDED_SCHEME)
            .and_then(|value| value.to_str().ok())
            .and_then(|list| list.split(',').next())
            .is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"));
    let scheme_fits = match origin.scheme() {
        "https" => true,
        "http" => !is_secure,
        _ => false,
    };
    let own = target
        .authority()
        .and_then(|authority| Origin::of(origin.scheme(), authority));
    scheme_fits && own.as_ref() == Some(origin)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn cookie_use(method: &Method, target: &str, pairs: &[(&str, &str)]) -> CookieUse {
        let cors = Cors::parse("https://a.example").expect("an origin");
        let headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                    HeaderValue::from_str(value).expect("a value"),
                )
            })
            .collect();
        let target = target.parse().expect("a URI");
        CookieUse::of(Some(&cors), method, &target, &headers)
    }

    #[test]
    fn a_cookie_is_good_only_for_our_own_pages() {
        let check = |pairs: &[(&str, &str)], expected| {
            assert_eq!(
                cookie_use(&Method::POST, "http://api.example/write", pairs),
                expected,
                "{pairs:?}"
            );
            assert_eq!(
                cookie_use(&Method::GET, "http://api.example/read", pairs),
                CookieUse::Allowed
            );
        };
        for ours in [
            &[][..],
            &[("origin", "https://a.example")],
            &[
                ("origin", "https://a.example"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[("origin", "http://api.example")],
            &[("origin", "http://api.example:80")],
            // A proxy may have ended TLS.
            &[("origin", "https://api.example")],
            &[
                ("origin", "https://x.test"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[("sec-fetch-site", "none")],
        ] {
            check(ours, CookieUse::Allowed);
        }
        for other in [
            &[("origin", "https://evil.test")][..],
            &[("origin", "null")],
            &[("origin", "")],
            &[("origin", "http://api.example.evil.test")],
            &[("origin", "http://api.example:8080")],
            &[("origin", "capacitor://api.example")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[
                ("origin", "http://api.example"),
                ("sec-fetch-site", "cross-site"),
            ],
        ] {
            check(other, CookieUse::Forged);
        }
    }

    #[test]
    fn over_tls_the_page_must_have_come_over_tls() {
        let check = |target: &str, pairs: &[(&str, &str)], expected| {
            assert_eq!(
                cookie_use(&Method::POST, target, pairs),
                expected,
                "{target} {pairs:?}"
            );
        };
        let (plain, secure) = (
            ("origin", "http://api.example"),
            ("origin", "https://api.example"),
        );
        check("https://api.example/", &[plain], CookieUse::Forged);
        check("https://api.example/", &[secure], CookieUse::Allowed);
        check("https://api.example:443/", &[secure], CookieUse::Allowed);
        for forwarded in ["https", "HTTPS", "https, http"] {
            let proxied = ("x-forwarded-proto", forwarded);
            check("http://api.example/", &[plain, proxied], CookieUse::Forged);
            check(
                "http://api.example/",
                &[secure, proxied],
                CookieUse::Allowed,
            );
        }
        let proxied = ("x-forwarded-proto", "http");
        check("http://api.example/", &[plain, proxied], CookieUse::Allowed);
        check("/who-we-are-is-not-known", &[plain], CookieUse::Forged);
    }
}
