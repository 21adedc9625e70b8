//! `/api/realtime-token`: a browser's token for the voice provider, only while a session runs and minutes are left.
//!
//! How that is made sure is for `talktime-voice` to say; here is what it needs of the host. This component neither ends nor
//! bills anything: it is granted no ledger.

mod outbound;
mod refusals;

use spin_sdk::http::IntoResponse;
use talktime_http::Verb::Post;
use talktime_http::{Answer, Call, Problem, Request, Service};
use talktime_spin::{HOST, KeyValue, Misconfigured, Once, Settings, variable};
use talktime_store::{NoLedger, Users};
use talktime_voice::{Account, Accounts, Minting, provider};
use talktime_voice::{GEMINI, OPENAI, OPENAI_LIVE, Variables};
use talktime_wire::token::{TokenAnswer, TokenBody};

#[derive(Clone, Copy)]
struct Mint;

static SERVICE: Service<Mint> = Service::new(&[(Post, "/api/realtime-token", Mint)]).for_browsers();

static ACCOUNTS: Once<Accounts> = Once::new();

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    SERVICE.serve(request, answer).await
}

async fn answer(_: Mint, request: Request) -> Result<Answer, Problem> {
    // A retry with the same `Idempotency-Key` is a mint like any other: the token of the first try is kept nowhere. But one
    // that asks for something else is refused.
    let Call { user, mark, body } = request.call::<TokenBody>().await?;
    let accounts = ACCOUNTS.get(read_accounts).await?;
    let account = accounts
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
