//! `/api/session/*`: may this user talk, for how long, and is the session still alive.

use spin_sdk::http::IntoResponse;
use talktime_api::session::{
    EndAnswer, EndBody, HeartbeatAnswer, HeartbeatBody, StartAnswer, StartBody, StatusAnswer,
};
use talktime_http::Verb::{Get, Post};
use talktime_http::{Answer, Call, Problem, Request, Service};
use talktime_spin::{HOST, KeyValue, Once, Settings, now, session_id, variable};
use talktime_store::Users;
use talktime_usage::{Command, Reply, UserId};

#[derive(Clone, Copy)]
enum Route {
    Status,
    Start,
    Heartbeat,
    End,
    OpenApi,
}

static SERVICE: Service<Route> = Service::new(&[
    (Get, "/api/session/status", Route::Status),
    (Post, "/api/session/start", Route::Start),
    (Post, "/api/session/heartbeat", Route::Heartbeat),
    (Post, "/api/session/end", Route::End),
    (Get, "/api/openapi.json", Route::OpenApi),
])
.for_browsers();

static UPGRADE_URL: Once<Option<String>> = Once::new();

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    SERVICE.serve(request, answer).await
}

async fn answer(route: Route, request: Request) -> Result<Answer, Problem> {
    let (user, mark, command) = match route {
        Route::OpenApi => {
            return Ok(Answer::bytes(
                "application/json",
                talktime_api::openapi::DOCUMENT,
            ));
        }
        Route::Status => return status(&request.user().await?).await,
        Route::Start => {
            let Call { user, mark, body } = request.call::<StartBody>().await?;
            let start = Command::Start {
                session: session_id(now()),
                topic: body.topic,
                difficulty: body.difficulty,
                takeover: body.takeover,
            };
            (user, mark, start)
        }
        Route::Heartbeat => {
            let Call { user, mark, body } = request.call::<HeartbeatBody>().await?;
            let session = body.session_id;
            (user, mark, Command::Heartbeat { session })
        }
        Route::End => {
            let Call { user, mark, body } = request.call::<EndBody>().await?;
            let end = Command::End {
                session: body.session_id,
                reason: body.reason.unwrap_or_default().into(),
            };
            (user, mark, end)
        }
    };
    let settings = Settings::load().await?;
    let documents = KeyValue::open()?;
    let ledger = talktime_spin::ledger();
    let users = Users::new(&documents, &ledger, &settings.policy, &HOST);
    match users.apply(&user, &command, &mark).await?.reply {
        Reply::Started(started) => Answer::ok(&StartAnswer::new(&started, &settings.policy)),
        Reply::Heard(heard) => Answer::ok(&HeartbeatAnswer::from(&heard)),
        Reply::Stopped(stopped) => Answer::ok(&EndAnswer::from(&stopped)),
        other => Err(Problem::internal(format!(
            "an answer of another route: {other:?}"
        ))),
    }
}

async fn status(user: &UserId) -> Result<Answer, Problem> {
    let settings = Settings::load().await?;
    let documents = KeyValue::open()?;
    let ledger = talktime_spin::ledger();
    let upgrade_url = UPGRADE_URL
        .get(async || variable("upgrade_url").await)
        .await?;
    let users = Users::new(&documents, &ledger, &settings.policy, &HOST);
    let status = users.status(user).await?;
    Answer::ok(&StatusAnswer::new(&status, upgrade_url.clone()))
}
