//! `/api/session/*`: may this user talk, for how long, and is the session still alive.

use spin_sdk::http::IntoResponse;
use talktime_http::Verb::{Get, Post};
use talktime_http::{Answer, Problem, Request, Service};
use talktime_spin::{HOST, KeyValue, Once, Settings, now, session_id, variable};
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

async fn answer(route: Route, mut request: Request) -> Result<Answer, Problem> {
    let now = now();
    let user = request.user(now).await?;
    let settings = Settings::load().await?;
    let documents = KeyValue::open()?;
    let ledger = talktime_spin::ledger();
    let users = Users::new(&documents, &ledger, &settings.policy, &HOST);
    match route {
        Route::Status => {
            let upgrade_url = UPGRADE_URL
                .get(async || variable("upgrade_url").await)
                .await?;
            let status = users.status(&user).await?;
            Answer::ok(&StatusAnswer::new(&status, upgrade_url.clone()))
        }
        Route::Start => {
            let body: StartBody = request.json().await?;
            let wanted = SessionStart {
                session: session_id(now),
                topic: body.topic,
                difficulty: body.difficulty.map(Into::into),
                takeover: body.takeover,
            };
            let mark = request.write_mark(&user)?;
            let started = users.start(&user, wanted, &mark).await?;
            Answer::ok(&StartAnswer::new(&started, &settings.policy))
        }
        Route::Heartbeat => {
            let body: HeartbeatBody = request.json().await?;
            let mark = request.write_mark(&user)?;
            let heard = users.heartbeat(&user, body.session_id, &mark).await?;
            Answer::ok(&HeartbeatAnswer::from(&heard))
        }
        Route::End => {
            let body: EndBody = request.json().await?;
            let reason = body.reason.unwrap_or_default().into();
            let mark = request.write_mark(&user)?;
            let stopped = users.end(&user, body.session_id, reason, &mark).await?;
            Answer::ok(&EndAnswer::from(&stopped))
        }
    }
}
