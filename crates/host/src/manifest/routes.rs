//! From a path to a component, by Spin's rules: an exact route wins over a wildcard, a longer one over a shorter one.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use routefinder::{Captures, Router as Finder};

use crate::{error::HostError, manifest::Manifest};

/// The routes of an application.
pub(crate) struct Router {
    finder: Finder<Route>,
}

#[derive(Clone, Debug)]
struct Route {
    component: String,
    /// As written, without a slash at its end, with one at its start.
    based: String,
    raw: String,
}

/// The route of a request.
pub(crate) struct Match<'a> {
    pub(crate) component: &'a str,
    based: &'a str,
    raw: &'a str,
    /// What the wildcard stands for, with its slash.
    rest: Cow<'static, str>,
}

impl Router {
    pub(crate) fn new(manifest: &Manifest) -> Result<Self, HostError> {
        let invalid = |message| HostError::ManifestInvalid {
            path: manifest.path.clone(),
            line: None,
            message,
        };
        let mut routes: Vec<Route> = Vec::new();
        for trigger in &manifest.http_triggers {
            let raw = &trigger.route;
            // Spin has names for segments, and headers for what they match; nothing here reads them.
            if raw.split('/').any(|part| part.starts_with([':', '*'])) {
                return Err(invalid(format!(
                    "route {raw:?}: this host knows no segments but literal ones, and /... at the end"
                )));
            }
            let based = if raw.starts_with('/') {
                raw.clone()
            } else {
                format!("/{raw}")
            };
            let based = based.strip_suffix('/').unwrap_or(&based).to_owned();
            // Of two triggers with the same route the later one counts.
            routes.retain(|route| route.raw != *raw);
            routes.push(Route {
                component: trigger.component.clone(),
                based,
                raw: raw.clone(),
            });
        }
        let mut finder = Finder::new();
        for route in routes {
            let pattern = match route.based.strip_suffix("/...") {
                Some(prefix) => format!("{prefix}/*"),
                None => route.based.clone(),
            };
            let raw = route.raw.clone();
            finder
                .add(pattern.as_str(), route)
                .map_err(|e| invalid(format!("route {raw:?} does not parse: {e}")))?;
        }
        Ok(Self { finder })
    }

    pub(crate) fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        let found = self.finder.best_match(path)?;
        let rest = trailing(&found.captures(), path);
        let route: &'a Route = found.handler();
        Some(Match {
            component: &route.component,
            based: &route.based,
            raw: &route.raw,
            rest,
        })
    }

    /// The routes as written, with their components, for the banner.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        self.finder
            .iter()
            .map(|(_, route)| (route.raw.clone(), route.component.clone()))
            .collect()
    }
}

/// Spin has always given the slashes to the guest, and routefinder does not.
fn trailing(captures: &Captures<'_, '_>, path: &str) -> Cow<'static, str> {
    match captures.wildcard() {
        None => Cow::Borrowed(""),
        Some(rest) => match (rest.is_empty(), path.ends_with('/')) {
            (true, false) => Cow::Borrowed(""),
            (true, true) => Cow::Borrowed("/"),
            (false, false) => Cow::Owned(format!("/{rest}")),
            (false, true) => Cow::Owned(format!("/{rest}/")),
        },
    }
}

impl<'a> Match<'a> {
    /// Adds the `spin-*` headers. Values that a header cannot hold are left out.
    pub(crate) fn add_headers(
        &self,
        headers: &mut HeaderMap,
        uri: &Uri,
        client: std::net::SocketAddr,
    ) {
        let host = headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or("localhost");
        let scheme = uri.scheme_str().unwrap_or("http");
        let path_and_query = uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let full_url = format!("{scheme}://{host}{path_and_query}");
        let client = client.to_string();
        let without_wildcard = |route: &'a str| route.strip_suffix("/...").unwrap_or(route);
        let mut add = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                headers.append(name, value);
            }
        };
        add("spin-path-info", &self.rest);
        add("spin-full-url", &full_url);
        add("spin-matched-route", self.based);
        add("spin-base-path", "/");
        add("spin-raw-component-route", self.raw);
        add("spin-component-route", without_wildcard(self.raw));
        add("spin-client-addr", &client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parse(routes: &[(&str, &str)]) -> Result<Router, HostError> {
        let mut text = "spin_manifest_version = 2\n[application]\nname = \"x\"\n".to_owned();
        for (route, component) in routes {
            text += &[
                "[[trigger.http]]\nroute = ",
                route,
                "\ncomponent = \"",
                component,
                "\"\n",
            ]
            .concat();
        }
        for component in ["a", "b", "c"] {
            text += &["[component.", component, "]\nsource = \"x.wasm\"\n"].concat();
        }
        Router::new(&Manifest::parse(&text, Path::new("/app/spin.toml")).unwrap())
    }

    fn router(routes: &[(&str, &str)]) -> Router {
        parse(routes).unwrap_or_else(|error| panic!("{error}"))
    }

    fn check(routes: &[(&str, &str)], path: &str, expected: Option<(&str, &str)>) {
        let built = router(routes);
        let found = built.find(path);
        let found = found.as_ref().map(|found| (found.component, &*found.rest));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn routes_as_spin() {
        let routes = [
            ("\"/...\"", "a"),
            ("\"/api/...\"", "b"),
            ("\"/api/exact\"", "c"),
        ];
        check(&routes, "/", Some(("a", "/")));
        check(&routes, "/x/y", Some(("a", "/x/y")));
        check(&routes, "/api", Some(("b", "")));
        check(&routes, "/api/", Some(("b", "/")));
        check(&routes, "/api/x/", Some(("b", "/x/")));
        check(&routes, "/apix", Some(("a", "/apix")));
        check(&routes, "/api/exact", Some(("c", "")));
        check(&routes, "/api/exact/x", Some(("b", "/exact/x")));
        check(&[("\"/api/\"", "a")], "/api", Some(("a", "")));
        check(&[("\"/x\"", "a"), ("\"/x\"", "b")], "/x", Some(("b", "")));
        check(&[("\"/x\"", "a")], "/y", None);
    }

    #[test]
    fn names_and_other_wildcards_are_refused() {
        for route in ["\"/users/:user_id/...\"", "\"/api/*\""] {
            let error = parse(&[(route, "a")]).err().unwrap().to_string();
            assert!(error.contains("no segments but literal ones"), "{error}");
        }
    }

    #[test]
    fn gives_spins_headers() {
        let router = router(&[("\"/users/...\"", "a")]);
        let uri: Uri = "http://h.example/users/42/x?q=1".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("h.example"));
        router.find("/users/42/x").unwrap().add_headers(
            &mut headers,
            &uri,
            "1.2.3.4:5".parse().unwrap(),
        );
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
            .collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "host: h.example",
                "spin-base-path: /",
                "spin-client-addr: 1.2.3.4:5",
                "spin-component-route: /users",
                "spin-full-url: http://h.example/users/42/x?q=1",
                "spin-matched-route: /users/...",
                "spin-path-info: /42/x",
                "spin-raw-component-route: /users/...",
            ]
        );
    }
}
