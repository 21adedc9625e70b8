//! The usage elements, the client modules, the practice page and the operator's page: files, and nothing else. This
//! component has no store, no secret and no network.

mod assets;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, LOCATION,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use spin_sdk::http::{FullBody, IntoResponse, Request};
use spin_sdk::variables;

/// The providers' origins are those that the browser itself speaks to, with a token that lasts a minute.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self' https://api.openai.com wss://generativelanguage.googleapis.com; img-src 'self' data:; \
    media-src blob: mediastream:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// On every answer, refusals included.
const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    (
        "permissions-policy",
        "microphone=(self), camera=(), geolocation=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
];

const DEFAULT_UPGRADE_URL: &str = "/pricing";

type Answer = Response<FullBody<Bytes>>;

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: Request) -> impl IntoResponse {
    let mut answer = route(request.method(), request.uri().path(), request.headers()).await;
    for (name, value) in SECURITY_HEADERS {
        answer.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    talktime_http::leave_in_one_write().await;
    answer
}

async fn route(method: &Method, path: &str, headers: &HeaderMap) -> Answer {
    // This component is also what answers every path that no other component has, whatever the method.
    let asset = assets::find(path);
    if asset.is_none() && !matches!(path, "/" | "/config.json") {
        return problem(StatusCode::NOT_FOUND, "not_found", "Nothing is here");
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut answer = problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Only GET and HEAD are allowed here",
        );
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match asset {
        Some(asset) => file(asset, headers),
        None if path == "/" => to_practice(),
        None => config().await,
    }
}

/// A HEAD is answered with the body, too: the host's server leaves it out, and the length stays true.
fn file(asset: assets::Asset, headers: &HeaderMap) -> Answer {
    let held = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let current = held
        .into_iter()
        .any(|held| assets::is_current(held, &asset.etag));
    let mut answer = if current {
        let mut answer = Response::new(FullBody::default());
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer
    } else {
        let body = match asset.body {
            std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
        };
        with_body(StatusCode::OK, asset.content_type, body)
    };
    let headers = answer.headers_mut();
    // A hexadecimal string in quotes is always a header value.
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        headers.insert(ETAG, etag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(asset.cache_control));
    if asset.shared {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            "cross-origin-resource-policy",
            HeaderValue::from_static("cross-origin"),
        );
    }
    answer
}

fn to_practice() -> Answer {
    let mut answer = with_body(
        StatusCode::TEMPORARY_REDIRECT,
        "text/plain; charset=utf-8",
        Bytes::from_static(b"/practice\n"),
    );
    answer
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static("/practice"));
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

/// What the pages need to know of the configuration.
async fn config() -> Answer {
    let configured = variables::get("upgrade_url")
        .await
        .ok()
        .filter(|url| !url.is_empty());
    let upgrade_url = configured.as_deref().unwrap_or(DEFAULT_UPGRADE_URL);
    let body = serde_json::json!({ "upgradeUrl": upgrade_url }).to_string();
    let mut answer = with_body(StatusCode::OK, "application/json", Bytes::from(body));
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

/// RFC 9457, with the two members that every refusal of the API has.
fn problem(status: StatusCode, code: &str, error: &str) -> Answer {
    let title = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "error": error });
    let mut answer = with_body(
        status,
        "application/problem+json",
        Bytes::from(body.to_string()),
    );
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn with_body(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let length = HeaderValue::from(body.len());
    let mut answer = Response::new(FullBody::new(body));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CONTENT_LENGTH, length);
    answer
}
