//! `/api/internal/*`: plan updates, look-ups and sweeps, for whoever holds the internal secret.

mod look_up;
mod plan_update;
mod relayed;

use spin_sdk::http::IntoResponse;
use talktime_api::internal::{SweepAnswer, SweepBody, UpdatePlanAnswer, UpdatePlanBody};
use talktime_api::session::StatusAnswer;
use talktime_http::Verb::{Get, Post};
use talktime_http::{Answer, Problem, Request, Service};
use talktime_store::sweep::RESERVE_SHARED;
use talktime_store::{Settings, SpinKeyValue, SpinSqlite, Users, sweep};
use talktime_usage::{PlanOutcome, Reply};

#[derive(Clone, Copy)]
enum Route {
    UpdatePlan,
    Alarm,
    User,
    Overview,
}

static SERVICE: Service<Route> = Service::new(&[
    (Post, "/api/internal/update-plan", Route::UpdatePlan),
    (Post, "/api/internal/alarm", Route::Alarm),
    (Get, "/api/internal/users/{id}", Route::User),
    (Get, "/api/internal/overview", Route::Overview),
]);

type SpinUsers<'a> = Users<'a, SpinKeyValue, SpinSqlite>;

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    SERVICE.serve(request, answer).await
}

async fn answer(route: Route, mut request: Request) -> Result<Answer, Problem> {
    request.require_internal_secret().await?;
    let settings = Settings::load().await?;
    let documents = SpinKeyValue::open()?;
    let ledger = SpinSqlite::default();
    let users = Users::new(&documents, &ledger, &settings.policy);
    match route {
        Route::UpdatePlan => {
            let body: UpdatePlanBody = request.json().await?;
            update_plan(&users, &body, &request).await
        }
        Route::Alarm => {
            let body: SweepBody = request.json().await?;
            let order = settings.sweep_order(RESERVE_SHARED, body.force);
            Answer::ok(&SweepAnswer::from(sweep(&users, order).await?))
        }
        Route::User => look_up::user(&users, request.path_id()).await,
        Route::Overview => look_up::overview(&ledger).await,
    }
}

async fn update_plan(
    users: &SpinUsers<'_>,
    body: &UpdatePlanBody,
    request: &Request,
) -> Result<Answer, Problem> {
    let command = plan_update::command(body, &users.policy.catalogue)?;
    let mark = plan_update::mark(body, request)?;
    let known = match body.event_id {
        Some(_) => relayed::outcome(users.ledger, &mark).await?,
        None => None,
    };
    let outcome = match known {
        Some(outcome) => outcome,
        None => match users.apply(&body.user_id, &command, &mark).await?.reply {
            Reply::Plan(outcome) => outcome,
            _ => return Err(Problem::internal("no reply to a plan update")),
        },
    };
    if let (None, Some(event)) = (known, &body.event_id) {
        relayed::record(users.ledger, &mark, &body.user_id, event, outcome).await?;
    }
    let status = users.status(&body.user_id).await?;
    Answer::ok(&UpdatePlanAnswer {
        success: true,
        applied: outcome != PlanOutcome::Outdated,
        status: StatusAnswer::new(&status, None),
    })
}
