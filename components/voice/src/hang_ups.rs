//! Hanging up for schedulers that speak HTTP.

use std::time::Duration;

use talktime_http::{Answer, Problem, Request};
use talktime_spin::{HOST, KeyValue, Settings, outbound};
use talktime_store::{NoLedger, Users};
use talktime_voice::HangUps;
use talktime_wire::internal::HangUpAnswer;

use crate::accounts;

/// What is due by now: whoever calls each second waits for nothing.
const HORIZON: Duration = Duration::ZERO;

pub async fn answer(request: Request) -> Result<Answer, Problem> {
    request.internal().await?;
    let settings = Settings::load().await?;
    let documents = KeyValue::open()?;
    let users = Users::new(&documents, &NoLedger, &settings.policy, &HOST);
    let hang_ups = HangUps {
        users: &users,
        accounts: accounts().await?,
    };
    let report = hang_ups.run(HORIZON, outbound::send).await?;
    Answer::ok(&HangUpAnswer {
        hung_up: report.hung_up,
        open: report.open,
        failed: report.failed,
    })
}
