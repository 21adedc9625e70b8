//! The usage elements, the client modules, the practice page, the operator's page and the `OpenAPI` document: files, and
//! nothing but them. This component has no store, no secret and no network.

mod assets;
mod policy;

use std::borrow::Cow;

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG,
    IF_NONE_MATCH, LOCATION,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use spin_sdk::http::{IntoResponse, Request};
use talktime_http::Verb::Get;
use talktime_http::log::Client;
use talktime_http::{Answer, Code, Problem, Response, Service, respond};
use talktime_spin::leave_in_one_write;
use talktime_wire::openapi;

/// On every answer, refusals included, beside what answers of all components have.
const SECURITY_HEADERS: [(&str, &str); 2] = [
    (
        "permissions-policy",
        "microphone=(self), camera=(), geolocation=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
];

/// What lies below `/api` is answered as the API is: by its rules for browsers, and without the headers of pages.
static API: Service<()> = Service::new(&[(Get, "/api/openapi.json", ())]).for_browsers();

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: Request) -> impl IntoResponse {
    if request.uri().path().starts_with("/api/") {
        let document = Answer::bytes("application/json", openapi::DOCUMENT);
        return API.serve(request, async |(), _| Ok(document)).await;
    }
    page(&request).await
}

async fn page(request: &Request) -> Response {
    let outcome = route(request.method(), request.uri().path(), request.headers());
    let mut response = respond(
        outcome,
        "/...",
        &Client::of(request.headers()),
        HeaderMap::new(),
    );
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    // Where it cannot be read, the stricter one of all answers stays.
    if let Ok(policy) = policy::policy().await
        && let Ok(policy) = HeaderValue::from_str(policy)
    {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    leave_in_one_write().await;
    response
}

fn route(method: &Method, path: &str, headers: &HeaderMap) -> Result<Answer, Problem> {
    // This component is also what answers every path that no other component has, whatever the method.
    let asset = assets::find(path);
    if asset.is_none() && path != "/" {
        return Err(Problem::not_found());
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let allowed = HeaderValue::from_static("GET, HEAD");
        return Err(Problem::new(
            Code::MethodNotAllowed,
            "This path has other methods: GET, HEAD",
        )
        .header(ALLOW, allowed));
    }
    Ok(asset.map_or_else(to_practice, |asset| file(asset, headers)))
}

fn file(asset: assets::Asset, headers: &HeaderMap) -> Answer {
    let is_current = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|held| assets::is_current(held, &asset.etag));
    let mut answer = if is_current {
        Answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        match asset.body {
            Cow::Borrowed(bytes) => Answer::bytes(asset.content_type, bytes),
            Cow::Owned(bytes) => Answer::bytes(asset.content_type, bytes),
        }
    };
    // A hexadecimal string in quotes is always a header value.
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        answer = answer.header(ETAG, etag);
    }
    answer = answer.header(CACHE_CONTROL, HeaderValue::from_static(asset.cache_control));
    if asset.shared {
        answer
            .header(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
            .header(
                HeaderName::from_static("cross-origin-resource-policy"),
                HeaderValue::from_static("cross-origin"),
            )
    } else {
        answer
    }
}

fn to_practice() -> Answer {
    Answer::empty(StatusCode::TEMPORARY_REDIRECT)
        .header(LOCATION, HeaderValue::from_static("/practice"))
        .header(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
}
