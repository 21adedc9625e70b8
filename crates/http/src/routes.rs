//! A component's table of routes.

use http::header::ALLOW;
use http::{HeaderValue, Method};
use percent_encoding::percent_decode_str;
use talktime_wire::problem::Code;

use crate::problem::Problem;

/// What a route does: reads, or changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `GET`, and `HEAD` with it.
    Get,
    /// `POST`.
    Post,
}

/// One line of a table: the verb, the path, in which one segment may be `{id}`, and the component's name for it.
pub type Line<R> = (Verb, &'static str, R);

/// A route that fits a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<R> {
    /// The component's name for it.
    pub route: R,
    /// The path as the table has it.
    pub pattern: &'static str,
    /// What stands in the place of `{id}`, decoded; empty where there is none.
    pub id: String,
}

impl Verb {
    fn serves(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET || method == Method::HEAD,
            Self::Post => method == Method::POST,
        }
    }

    const fn methods(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
        }
    }
}

/// The first line of `table` that fits.
///
/// # Errors
/// 404 when no line has this path, 405 with `Allow` when those that have it serve other methods.
pub fn find<R: Copy>(
    table: &'static [Line<R>],
    method: &Method,
    path: &str,
) -> Result<Found<R>, Problem> {
    let mut allowed: Vec<&'static str> = Vec::new();
    for (verb, pattern, route) in table {
        let Some(id) = id_in(pattern, path) else {
            continue;
        };
        if verb.serves(method) {
            let id = percent_decode_str(id)
                .decode_utf8()
                .map_err(|_| Problem::bad_request("The path is not UTF-8"))?
                .into_owned();
            return Ok(Found {
                route: *route,
                pattern,
                id,
            });
        }
        if !allowed.contains(&verb.methods()) {
            allowed.push(verb.methods());
        }
    }
    if allowed.is_empty() {
        return Err(Problem::not_found());
    }
    let allowed = allowed.join(", ");
    let problem = Problem::new(
        Code::MethodNotAllowed,
        format!("This path has other methods: {allowed}"),
    );
    Err(match HeaderValue::from_str(&allowed) {
        Ok(value) => problem.header(ALLOW, value),
        // Names of methods are always a header's value.
        Err(_) => problem,
    })
}

/// Whether `path` fits `pattern`, and what stands in the place of `{id}` then.
fn id_in<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut id = "";
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(id),
            (Some("{id}"), Some(segment)) if !segment.is_empty() => id = segment,
            (Some(want), Some(segment)) if want == segment => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: &[Line<char>] = &[
        (Verb::Get, "/api/session/status", 's'),
        (Verb::Post, "/api/session/start", 'b'),
        (Verb::Get, "/api/internal/users/{id}", 'u'),
        (Verb::Post, "/api/internal/users/{id}", 'p'),
    ];

    #[test]
    fn a_request_finds_its_route() {
        let check =
            |method: Method, path: &str, expected: Result<(char, &str), (u16, Option<&str>)>| {
                let outcome = find(TABLE, &method, path);
                let outcome = match &outcome {
                    Ok(found) => Ok((found.route, found.id.as_str())),
                    Err(problem) => Err((
                        problem.status().as_u16(),
                        problem
                            .headers()
                            .iter()
                            .find(|(name, _)| name == ALLOW)
                            .and_then(|(_, value)| value.to_str().ok()),
                    )),
                };
                assert_eq!(outcome, expected, "{method} {path}");
            };
        check(Method::GET, "/api/session/status", Ok(('s', "")));
        check(Method::HEAD, "/api/session/status", Ok(('s', "")));
        check(Method::POST, "/api/session/start", Ok(('b', "")));
        check(
            Method::POST,
            "/api/session/status",
            Err((405, Some("GET, HEAD"))),
        );
        check(Method::HEAD, "/api/session/start", Err((405, Some("POST"))));
        check(
            Method::OPTIONS,
            "/api/session/start",
            Err((405, Some("POST"))),
        );
        check(
            Method::DELETE,
            "/api/internal/users/a",
            Err((405, Some("GET, HEAD, POST"))),
        );
        check(
            Method::GET,
            "/api/internal/users/a%7Cb%40c",
            Ok(('u', "a|b@c")),
        );
        check(Method::POST, "/api/internal/users/a%2Fb", Ok(('p', "a/b")));
        check(Method::GET, "/api/internal/users/%ff", Err((400, None)));
        check(Method::GET, "/api/internal/users/", Err((404, None)));
        check(Method::GET, "/api/internal/users/a/b", Err((404, None)));
        check(Method::GET, "/api/session/status/", Err((404, None)));
        check(Method::GET, "/API/session/status", Err((404, None)));
        check(Method::GET, "/", Err((404, None)));
        check(Method::GET, "", Err((404, None)));
    }
}
