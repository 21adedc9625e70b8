//! `/api/realtime-token` and `/api/realtime-call`: a browser's way to the voice provider, only while a session runs and
//! minutes are left; `/api/webhooks/openai`, a phone's way there; and `/api/internal/hang-ups`, for schedulers other than
//! Spin's cron trigger.
//!
//! How that is made sure is for `talktime-voice` to say; here is what it needs of the host. This component neither ends nor
//! bills anything: it is granted no ledger.

mod call;
mod hang_ups;
mod phone;
mod refusals;
mod sessions;
mod token;

use spin_sdk::http::IntoResponse;
use talktime_http::Verb::Post;
use talktime_http::{Answer, Problem, Request, Service};
use talktime_spin::{Misconfigured, Once, voice_accounts};
use talktime_voice::Accounts;

#[derive(Clone, Copy)]
enum Route {
    Token,
    Call,
}

static FOR_BROWSERS: Service<Route> = Service::new(&[
    (Post, "/api/realtime-token", Route::Token),
    (Post, "/api/realtime-call", Route::Call),
])
.for_browsers();

#[derive(Clone, Copy)]
enum ServerRoute {
    HangUps,
    Phone,
}

static FOR_SERVERS: Service<ServerRoute> = Service::new(&[
    (Post, "/api/internal/hang-ups", ServerRoute::HangUps),
    (Post, "/api/webhooks/openai", ServerRoute::Phone),
]);

static ACCOUNTS: Once<Accounts> = Once::new();

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    let path = request.uri().path();
    if path.starts_with("/api/internal/") || path.starts_with("/api/webhooks/") {
        return FOR_SERVERS.serve(request, answer_server).await;
    }
    FOR_BROWSERS.serve(request, answer).await
}

async fn answer(route: Route, request: Request) -> Result<Answer, Problem> {
    match route {
        Route::Token => token::answer(request.call().await?).await,
        Route::Call => call::answer(request.call().await?).await,
    }
}

async fn answer_server(route: ServerRoute, request: Request) -> Result<Answer, Problem> {
    match route {
        ServerRoute::HangUps => hang_ups::answer(request).await,
        ServerRoute::Phone => phone::answer(request).await,
    }
}

async fn accounts() -> Result<&'static Accounts, Misconfigured> {
    ACCOUNTS.get(voice_accounts).await
}
