//! A token with which the browser itself connects.

use talktime_http::{Answer, Call, Problem};
use talktime_spin::{HOST, KeyValue, Settings, outbound};
use talktime_store::{NoLedger, Users};
use talktime_voice::{Minting, provider};
use talktime_wire::token::{TokenAnswer, TokenBody};

use crate::{accounts, refusals};

// A retry with the same `Idempotency-Key` is a mint like any other: the token of the first try is kept nowhere. But one that
// asks for something else is refused.
pub async fn answer(call: Call<TokenBody>) -> Result<Answer, Problem> {
    let Call { user, mark, body } = call;
    let account = accounts()
        .await?
        .choose(body.provider)
        .map_err(refusals::not_set_up)?;
    let model = account
        .model(body.model.as_deref())
        .map_err(refusals::not_offered)?;

    let settings = Settings::load().await?;
    let documents = KeyValue::open()?;
    let users = Users::new(&documents, &NoLedger, &settings.policy, &HOST);
    let minting = Minting {
        user: &user,
        session: body.session_id,
        account,
        model,
        voice: body.voice.as_deref(),
    };
    let token = minting
        .run(&users, &mark, outbound::send)
        .await
        .map_err(|error| refusals::not_minted(error, account))?;
    Answer::ok(&TokenAnswer {
        token: token.value,
        provider: account.provider(),
        model: model.to_owned(),
        expires_at: token.connect_until.into(),
        minutes_remaining: token.left.minutes_remaining,
        seconds_remaining: token.left.seconds_remaining,
        connect: provider::connect(account),
    })
}
