//! `/api/internal/*`: plan updates, look-ups and sweeps, for whoever holds the internal secret.

mod answers;
mod look_up;
mod plan_update;
mod record;

use spin_sdk::http::IntoResponse;
use talktime_http::Verb::{Get, Post};
use talktime_http::{Answer, Problem, Request, Service};
use talktime_spin::{HOST, KeyValue, Ledger, Serves, Settings};
use talktime_store::{Phones, Users, sweep};
use talktime_wire::internal::{PhoneBody, SweepBody};

#[derive(Clone, Copy)]
enum Route {
    UpdatePlan,
    Alarm,
    User,
    Overview,
    Phones,
}

static SERVICE: Service<Route> = Service::new(&[
    (Post, "/api/internal/update-plan", Route::UpdatePlan),
    (Post, "/api/internal/alarm", Route::Alarm),
    (Get, "/api/internal/users/{id}", Route::User),
    (Get, "/api/internal/overview", Route::Overview),
    (Post, "/api/internal/phones", Route::Phones),
]);

type SpinUsers<'a> = Users<'a, KeyValue, Ledger>;

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    SERVICE.serve(request, answer).await
}

async fn answer(route: Route, request: Request) -> Result<Answer, Problem> {
    let request = request.internal().await?;
    let settings = Settings::load().await?;
    let documents = KeyValue::open()?;
    let ledger = talktime_spin::ledger();
    let users = Users::new(&documents, &ledger, &settings.policy, &HOST);
    match route {
        Route::UpdatePlan => plan_update::answer(&users, &request.call().await?).await,
        Route::Alarm => {
            let SweepBody { force } = request.call().await?.body;
            let changed_max = documents.swaps_for_sweep(Serves::Requests);
            let order = settings.sweep_order(changed_max, force);
            Answer::ok(&answers::sweep(sweep(&users, order).await?))
        }
        Route::User => look_up::user(&users, request.path_id()).await,
        Route::Overview => look_up::overview(&users).await,
        Route::Phones => {
            let body: PhoneBody = request.call().await?.body;
            let phones = Phones {
                documents: &documents,
                environment: &HOST,
            };
            phones
                .assign(&body.phone_number, body.user_id.as_ref())
                .await?;
            Answer::ok(&body)
        }
    }
}
