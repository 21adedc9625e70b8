//! `/api/realtime-token` and `/api/realtime-call`: a browser's way to the voice provider, only while a session runs and
//! minutes are left; and `/api/internal/hang-ups`, for schedulers other than Spin's cron trigger.
//!
//! How that is made sure is for `talktime-voice` to say; here is what it needs of the host. This component neither ends nor
//! bills anything: it is granted no ledger.

mod call;
mod hang_ups;
mod refusals;
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

static FOR_SERVERS: Service<()> = Service::new(&[(Post, "/api/internal/hang-ups", ())]);

static ACCOUNTS: Once<Accounts> = Once::new();

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    if request.uri().path().starts_with("/api/internal/") {
        return FOR_SERVERS.serve(request, hang_ups::answer).await;
    }
    FOR_BROWSERS.serve(request, answer).await
}

async fn answer(route: Route, request: Request) -> Result<Answer, Problem> {
    match route {
        Route::Token => token::answer(request.call().await?).await,
        Route::Call => call::answer(request.call().await?).await,
    }
}

async fn accounts() -> Result<&'static Accounts, Misconfigured> {
    ACCOUNTS.get(voice_accounts).await
}
