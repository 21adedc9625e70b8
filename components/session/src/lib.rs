//! `/api/session/*`: may this user talk, for how long, and is the session still alive.

use spin_sdk::http::IntoResponse;
use talktime_http::Verb::{Get, Post};
use talktime_http::{Answer, Problem, Request, Service};
use talktime_spin::{HOST, KeyValue, Once, Settings, now, session_id, variable};
use talktime_store::Users;
use talktime_usage::{Command, Reply};
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
    let command = match route {
        Route::Status => {
            let upgrade_url = UPGRADE_URL
                .get(async || variable("upgrade_url").await)
                .await?;
            let status = users.status(&user).await?;
            return Answer::ok(&StatusAnswer::new(&status, upgrade_url.clone()));
        }
        Route::Start => {
            let body: StartBody = request.json().await?;
            Command::Start {
                session: session_id(now),
                topic: body.topic,
                difficulty: body.difficulty.map(Into::into),
                takeover: body.takeover,
            }
        }
        Route::Heartbeat => {
            let body: HeartbeatBody = request.json().await?;
            Command::Heartbeat {
                session: body.session_id,
            }
        }
        Route::End => {
            let body: EndBody = request.json().await?;
            Command::End {
                session: body.session_id,
                reason: body.reason.unwrap_or_default().into(),
            }
        }
    };
    let reply = users
        .apply(&user, &command, &request.write_mark(&user)?)
        .await?
        .reply;
    match reply {
        Reply::Started(started) => Answer::ok(&StartAnswer::new(&started, &settings.policy)),
        Reply::Heard(heard) => Answer::ok(&HeartbeatAnswer::from(&heard)),
        Reply::Stopped(stopped) => Answer::ok(&EndAnswer::from(&stopped)),
        other => Err(Problem::internal(format!(
            "an answer of another route: {other:?}"
        ))),
    }
}
