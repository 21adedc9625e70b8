//! `/api/session/*`: may this user talk, for how long, and is the session still alive.

use spin_sdk::http::IntoResponse;
use talktime_http::Verb::{Get, Post};
use talktime_http::{Answer, Call, Problem, Request, Service};
use talktime_spin::{HOST, KeyValue, Ledger, Once, Settings, now, session_id, variable};
use talktime_store::Users;
use talktime_usage::SessionStart;
use talktime_wire::session::{
    EndAnswer, EndBody, HeartbeatAnswer, HeartbeatBody, StartAnswer, StartBody, StatusAnswer,
};

#[derive(Clone, Copy)]
enum Route {
    Status,
    Start,
    Heartbeat,
    End,
}

static SERVICE: Service<Route> = Service::new(&[
    (Get, "/api/session/status", Route::Status),
    (Post, "/api/session/start", Route::Start),
    (Post, "/api/session/heartbeat", Route::Heartbeat),
    (Post, "/api/session/end", Route::End),
])
.for_browsers();

static UPGRADE_URL: Once<Option<String>> = Once::new();

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    SERVICE.serve(request, answer).await
}

async fn answer(route: Route, request: Request) -> Result<Answer, Problem> {
    match route {
        Route::Status => status(request).await,
        Route::Start => start(request.call().await?).await,
        Route::Heartbeat => heartbeat(request.call().await?).await,
        Route::End => end(request.call().await?).await,
    }
}

async fn status(request: Request) -> Result<Answer, Problem> {
    let user = request.user().await?;
    let upgrade_url = UPGRADE_URL
        .get(async || variable("upgrade_url").await)
        .await?;
    let (settings, documents, ledger) = stores().await?;
    let users = Users::new(&documents, &ledger, &settings.policy, &HOST);
    let status = users.status(&user).await?;
    Answer::ok(&StatusAnswer::new(&status, upgrade_url.clone()))
}

async fn start(call: Call<StartBody>) -> Result<Answer, Problem> {
    let wanted = SessionStart {
        session: session_id(now()),
        topic: call.body.topic,
        difficulty: call.body.difficulty.map(Into::into),
        takeover: call.body.takeover,
    };
    let (settings, documents, ledger) = stores().await?;
    let users = Users::new(&documents, &ledger, &settings.policy, &HOST);
    let started = users.start(&call.user, wanted, &call.mark).await?;
    Answer::ok(&StartAnswer::new(&started, &settings.policy))
}

async fn heartbeat(call: Call<HeartbeatBody>) -> Result<Answer, Problem> {
    let (settings, documents, ledger) = stores().await?;
    let users = Users::new(&documents, &ledger, &settings.policy, &HOST);
    let session = call.body.session_id;
    let heard = users.heartbeat(&call.user, session, &call.mark).await?;
    Answer::ok(&HeartbeatAnswer::from(&heard))
}

async fn end(call: Call<EndBody>) -> Result<Answer, Problem> {
    let (settings, documents, ledger) = stores().await?;
    let users = Users::new(&documents, &ledger, &settings.policy, &HOST);
    let EndBody { session_id, reason } = call.body;
    let reason = reason.unwrap_or_default().into();
    let stopped = users
        .end(&call.user, session_id, reason, &call.mark)
        .await?;
    Answer::ok(&EndAnswer::from(&stopped))
}

async fn stores() -> Result<(&'static Settings, KeyValue, Ledger), Problem> {
    Ok((
        Settings::load().await?,
        KeyValue::open()?,
        talktime_spin::ledger(),
    ))
}
