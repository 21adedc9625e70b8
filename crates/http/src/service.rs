//! From the host's request to the component's function, and from its outcome to the host's response.

use std::fmt::Display;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use talktime_spin::{Misconfigured, Once, leave_in_one_write, variable};

use crate::answer::Answer;
use crate::cors::{self, Cors};
use crate::csrf::CookieUse;
use crate::log::Client;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::{Response, respond};
use crate::routes::{self, Line};

/// A component's routes and what goes for all of them. Lives in a `static`, so that what it reads of its configuration
/// is read once for each instance.
#[derive(Debug)]
pub struct Service<R: 'static> {
    routes: &'static [Line<R>],
    for_browsers: bool,
    cors: Once<Option<Cors>>,
}

impl<R: Copy + 'static> Service<R> {
    /// A service for servers.
    #[must_use]
    pub const fn new(routes: &'static [Line<R>]) -> Self {
        Self {
            routes,
            for_browsers: false,
            cors: Once::new(),
        }
    }

    /// Lets the pages of the origins in `cors_allowed_origins` call it too.
    #[must_use]
    pub const fn for_browsers(mut self) -> Self {
        self.for_browsers = true;
        self
    }

    /// Answers one request by `handler`.
    pub async fn serve<B, H>(&self, request: http::Request<B>, handler: H) -> Response
    where
        B: http_body::Body<Data = Bytes> + 'static,
        B::Error: Display,
        H: AsyncFnOnce(R, Request) -> Result<Answer, Problem>,
    {
        let request = Request::from_http(request);
        let cors = self.cors.get(async || self.read_cors().await).await;
        let response = match cors {
            Ok(cors) => answer(self.routes, cors.as_ref(), request, handler).await,
            Err(error) => respond(
                Err(error.into()),
                "",
                &Client::of(request.headers()),
                HeaderMap::new(),
            ),
        };
        leave_in_one_write().await;
        response
    }

    /// The allowed origins; `None` where no browser calls.
    async fn read_cors(&self) -> Result<Option<Cors>, Misconfigured> {
        if !self.for_browsers {
            return Ok(None);
        }
        let origins = variable(cors::VARIABLE).await?.unwrap_or_default();
        Cors::parse(&origins).map(Some)
    }
}

/// All that [`Service::serve`] does, apart from the host: preflight, route, handler, response.
async fn answer<R, H>(
    routes: &'static [Line<R>],
    cors: Option<&Cors>,
    request: Request,
    handler: H,
) -> Response
where
    R: Copy,
    H: AsyncFnOnce(R, Request) -> Result<Answer, Problem>,
{
    let cors_headers = cors.map_or_else(HeaderMap::new, |cors| cors.headers(request.headers()));
    let client = Client::of(request.headers());
    if let Some(cors) = cors
        && Cors::is_preflight(request.method(), request.headers())
    {
        let mut preflight = Answer::empty(StatusCode::NO_CONTENT);
        preflight
            .headers
            .extend(cors.preflight_headers(request.headers()));
        return respond(Ok(preflight), "", &client, cors_headers);
    }
    let found = match routes::find(routes, request.method(), request.path()) {
        Ok(found) => found,
        Err(problem) => return respond(Err(problem), "", &client, cors_headers),
    };
    let cookies = CookieUse::of(cors, request.method(), request.target(), request.headers());
    let request = request.at(found.pattern, found.id, cookies);
    let outcome = handler(found.route, request).await;
    respond(outcome, found.pattern, &client, cors_headers)
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use http::Method;
    use http_body_util::{BodyExt, Full};
    use serde::Deserialize;
    use serde_json::json;
    use talktime_usage::Timestamp;

    use super::*;
    use crate::auth::{AuthSettings, Authenticator};
    use crate::routes::Verb;

    const SECRET: &str = "s3cret-of-the-tests-0123456789ab";

    #[derive(Clone, Copy)]
    enum Route {
        Read,
        Write,
        Fail,
        Who,
    }

    static ROUTES: &[Line<Route>] = &[
        (Verb::Get, "/users/{id}", Route::Read),
        (Verb::Post, "/write", Route::Write),
        (Verb::Post, "/fail", Route::Fail),
        (Verb::Post, "/who", Route::Who),
        (Verb::Get, "/who", Route::Who),
    ];

    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        minutes: u32,
    }

    async fn handler(route: Route, request: Request) -> Result<Answer, Problem> {
        match route {
            Route::Read => Answer::ok(&json!({"id": request.path_id(), "route": request.pattern})),
            Route::Write => {
                let (body, _) = request.json::<Body>().await?;
                Answer::json(StatusCode::CREATED, &json!({ "minutes": body.minutes }))
            }
            Route::Fail => Err(Problem::internal("the secret is hunter2")),
            Route::Who => {
                let settings = AuthSettings {
                    internal_api_secret: Some(SECRET.to_owned()),
                    auth_jwt_secret: Some(SECRET.to_owned()),
                    auth_cookie: Some("t".to_owned()),
                    ..AuthSettings::default()
                };
                let authenticator = Authenticator::from_settings(&settings)?;
                let user = request.user_by(&authenticator, Timestamp::from_unix_seconds(0))?;
                Answer::ok(&json!({ "user": user.as_str() }))
            }
        }
    }

    /// Sends `method path`, headers in lines, an empty line and a body; gives the whole answer as text, headers sorted,
    /// a `content-length` that fits the body as `(right)`, without the headers that every answer must have.
    fn exchange(cors: Option<&str>, text: &str) -> String {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, path) = lines
            .next()
            .and_then(|line| line.split_once(' '))
            .expect("method and path");
        let mut request = http::Request::builder()
            .method(method.parse::<Method>().expect("a method"))
            .uri(path);
        for line in lines {
            let (name, value) = line.split_once(": ").expect("a header");
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from(body.to_owned()));
        let request = Request::from_http(request.body(body).expect("a request"));
        let cors = cors.map(|origins| Cors::parse(origins).expect("origins"));
        let response = block_on(answer(ROUTES, cors.as_ref(), request, handler));

        let (head, body) = response.into_parts();
        let body = block_on(body.collect()).expect("a body").to_bytes();
        let mut lines: Vec<String> = head
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("ASCII")))
            .map(|line| {
                line.replace(
                    &format!("content-length: {}", body.len()),
                    "content-length: (right)",
                )
            })
            .collect();
        for always in [
            "cache-control: no-store",
            "content-security-policy: default-src 'none'; frame-ancestors 'none'",
            "cross-origin-resource-policy: same-origin",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
        ] {
            let place = lines.iter().position(|line| line == always);
            lines.swap_remove(place.expect(always));
        }
        lines.sort();
        lines.insert(0, head.status.as_u16().to_string());
        format!("{}\n\n{}", lines.join("\n"), String::from_utf8_lossy(&body))
    }

    fn check(cors: Option<&str>, request: &str, expected: &str) {
        assert_eq!(exchange(cors, request), expected, "{request}");
    }

    #[test]
    fn an_answer_has_a_length_a_type_and_no_cache() {
        check(
            None,
            "GET /users/a%7Cb?x=1",
            "200\ncontent-length: (right)\ncontent-type: application/json\n\n\
             {\"id\":\"a|b\",\"route\":\"/users/{id}\"}",
        );
        check(
            None,
            "POST /write\ncontent-type: text/plain\n\n{\"minutes\":3}",
            "201\ncontent-length: (right)\ncontent-type: application/json\n\n\
             {\"minutes\":3}",
        );
    }

    #[test]
    fn a_refusal_is_a_problem_and_tells_nothing_internal() {
        check(
            None,
            "POST /fail",
            "500\ncontent-length: (right)\ncontent-type: application/problem+json\n\n\
             {\"type\":\"urn:talktime:problem:internal\",\"title\":\"Internal error\",\"status\":500,\
             \"code\":\"internal\",\"error\":\"Something went wrong on our side; try again\"}",
        );
        check(
            None,
            "DELETE /write",
            "405\nallow: POST\ncontent-length: (right)\n\
             content-type: application/problem+json\n\n\
             {\"type\":\"urn:talktime:problem:method_not_allowed\",\"title\":\"Method not allowed\",\
             \"status\":405,\"code\":\"method_not_allowed\",\"error\":\"This path has other methods: POST\"}",
        );
        check(
            None,
            "POST /write\n\n{\"minutes\":\"3\"}",
            "400\ncontent-length: (right)\ncontent-type: application/problem+json\n\n\
             {\"type\":\"urn:talktime:problem:invalid_field\",\"title\":\"Invalid field\",\"status\":400,\
             \"code\":\"invalid_field\",\"error\":\"minutes: invalid type: string \\\"3\\\", expected u32\",\
             \"field\":\"minutes\"}",
        );
    }

    #[test]
    fn refusals_carry_cors_headers_too() {
        check(
            Some("https://a.example"),
            "GET /nowhere\norigin: https://a.example",
            "404\naccess-control-allow-credentials: true\naccess-control-allow-origin: https://a.example\n\
             access-control-expose-headers: Retry-After\ncontent-length: (right)\n\
             content-type: application/problem+json\nvary: Origin\n\n\
             {\"type\":\"urn:talktime:problem:not_found\",\"title\":\"Not found\",\"status\":404,\
             \"code\":\"not_found\",\"error\":\"There is nothing here\"}",
        );
    }

    #[test]
    fn a_preflight_is_answered_before_everything_else() {
        let preflight = |origin: &str| {
            format!("OPTIONS /write\norigin: {origin}\naccess-control-request-method: POST")
        };
        check(
            Some("https://a.example"),
            &preflight("https://a.example"),
            "204\naccess-control-allow-credentials: true\n\
             access-control-allow-headers: authorization, content-type, idempotency-key\n\
             access-control-allow-methods: GET, POST\naccess-control-allow-origin: https://a.example\n\
             access-control-expose-headers: Retry-After\naccess-control-max-age: 600\n\
             vary: Origin\n\n",
        );
        check(
            Some("https://a.example"),
            &preflight("https://b.example"),
            "204\nvary: Origin\n\n",
        );
        assert!(exchange(None, &preflight("https://a.example")).starts_with("405\n"));
        assert!(exchange(Some("https://a.example"), "OPTIONS /write").starts_with("405\n"));
    }

    #[test]
    fn a_page_of_another_site_cannot_use_the_cookie_for_a_change() {
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
        let claims = json!({"sub": "ada", "exp": 600});
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key);
        let token = token.expect("a token");
        let check = |line: &str, headers: &str, expected: &str| {
            let request = format!("{line}\ncookie: x=1; t={token}\n{headers}");
            let answer = exchange(Some("https://a.example"), request.trim_end());
            assert!(answer.starts_with(expected), "{request}\n{answer}");
        };
        check("POST /who", "origin: https://a.example", "200\n");
        check("POST /who", "", "200\n");
        check("POST /who", "origin: https://evil.test", "403\n");
        check("GET /who", "origin: https://evil.test", "200\n");
        // What the browser adds by itself for a gate in front of us changes nothing.
        for gate in ["Basic Z2F0ZTpnYXRl", "Negotiate YII="] {
            let evil = format!("origin: https://evil.test\nauthorization: {gate}");
            check("POST /who", &evil, "403\n");
            let evil = format!("sec-fetch-site: cross-site\nauthorization: {gate}");
            check("POST /who", &evil, "403\n");
            let ours = format!("origin: https://a.example\nauthorization: {gate}");
            check("POST /who", &ours, "200\n");
        }
        // A token that only a script of an allowed page can send, and a server that only passes headers on.
        let bearer = format!("origin: https://evil.test\nauthorization: Bearer {token}");
        check("POST /who", &bearer, "200\n");
        let server = format!("origin: https://evil.test\nx-internal-secret: {SECRET}");
        check("POST /who", &server, "200\n");
    }

    #[test]
    fn head_is_served_where_get_is() {
        let (get, head) = (
            exchange(None, "GET /users/a"),
            exchange(None, "HEAD /users/a"),
        );
        assert_eq!(get, head, "the host's server drops the body");
    }

    #[test]
    fn a_large_body_is_refused() {
        let request = format!("POST /write\n\n{}", " ".repeat(65_537));
        assert!(exchange(None, &request).starts_with("413\n"));
    }
}
