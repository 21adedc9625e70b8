//! A call that is opened in the browser's name.

use talktime_http::{Answer, Call, Problem};
use talktime_spin::{HOST, KeyValue, Settings, outbound};
use talktime_store::{NoLedger, Users};
use talktime_voice::{CallSetup, sdp::Offer};
use talktime_wire::call::{CallAnswer, CallBody, CallProvider};

use crate::{accounts, refusals};

// A retry with the same `Idempotency-Key` opens another call, since the answer of the first try is kept nowhere, and the
// first call is hung up. But one that asks for something else is refused.
pub async fn answer(call: Call<CallBody>) -> Result<Answer, Problem> {
    let Call { user, mark, body } = call;
    let offer = Offer::parse(&body.sdp).map_err(|error| Problem::invalid_field("sdp", error))?;
    let accounts = accounts().await?;
    let account = accounts
        .for_call(body.provider)
        .map_err(refusals::not_set_up)?;
    let model = account
        .model(body.model.as_deref())
        .map_err(refusals::not_offered)?;

    let settings = Settings::load().await?;
    let documents = KeyValue::open()?;
    let users = Users::new(&documents, &NoLedger, &settings.policy, &HOST);
    let setup = CallSetup {
        user: &user,
        session: body.session_id,
        account,
        accounts,
        model,
        voice: body.voice.as_deref(),
        offer: &offer,
    };
    let set_up = setup
        .run(&users, &mark, outbound::send)
        .await
        .map_err(|error| refusals::not_minted(error, account))?;
    Answer::ok(&CallAnswer {
        sdp: set_up.opened.sdp,
        call_id: set_up.opened.id,
        provider: body.provider.unwrap_or(CallProvider::OpenAi),
        model: model.to_owned(),
        minutes_remaining: set_up.left.minutes_remaining,
        seconds_remaining: set_up.left.seconds_remaining,
        heartbeat_interval_seconds: settings.policy.heartbeat_interval.as_secs(),
    })
}
