//! `/api/realtime-token`: a browser's token for the voice provider, only while a session runs and minutes are left.
//!
//! The order is the point. First the mint is recorded in the user's state, by the same compare-and-swap that starts and
//! ends sessions; only then is the provider asked. So a session that ended or was replaced gets no token, and the limit
//! holds however many tabs ask at once. This component neither ends nor bills anything: it is granted no ledger.

mod accounts;
mod base_url;
mod failure;
mod gemini;
mod limits;
mod models;
mod openai;
mod outbound;
mod provider;
mod terms;

use spin_sdk::http::IntoResponse;
use talktime_api::token::{TokenAnswer, TokenBody};
use talktime_http::Verb::Post;
use talktime_http::{Answer, Once, Problem, Request, Service, now, random_write_id};
use talktime_store::{NoLedger, Settings, SpinKeyValue, Users, WriteMark};
use talktime_usage::command::Minted;
use talktime_usage::{Command, Instant, MintLimits, Reply, Seconds, SessionId, UserId};

use crate::accounts::Accounts;
use crate::failure::Failure;
use crate::terms::Wish;

#[derive(Clone, Copy)]
struct Mint;

static SERVICE: Service<Mint> = Service::new(&[(Post, "/api/realtime-token", Mint)]).for_browsers();

static ACCOUNTS: Once<Accounts> = Once::new();

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    SERVICE.serve(request, answer).await
}

async fn answer(_: Mint, mut request: Request) -> Result<Answer, Problem> {
    let user = request.user(now()).await?;
    let body: TokenBody = request.json().await?;
    let accounts = ACCOUNTS.get(Accounts::read).await?;
    let account = accounts.choose(body.provider)?;
    let model = account.model(body.model.as_deref())?;

    let minted = record(&user, body.session_id).await?;

    let wish = Wish {
        model,
        voice: body.voice.as_deref(),
        now: now(),
        until: minted.until,
    };
    let order = provider::order(account, &wish).ok_or_else(|| too_late(minted.until))?;
    let answered = outbound::send(order.request).await;
    let token = answered
        .and_then(|body| provider::read_token(&account.api, &body).ok_or(Failure::Unreadable))
        .map_err(|failure| failure.problem(account))?;

    // The provider took its time, and the token may live on when the user's time is up: nobody gets to see it.
    let answered_at = now();
    if order.terms.expiry.latest(answered_at) > minted.until || answered_at >= minted.until {
        return Err(too_late(minted.until));
    }
    Answer::ok(&TokenAnswer {
        token,
        provider: account.provider(),
        model: model.to_owned(),
        expires_at: order.terms.connect_until.into(),
        minutes_remaining: minted.minutes_remaining,
        seconds_remaining: Seconds::rounded_up(minted.until.since(answered_at)),
        connect: provider::connect(account),
    })
}

/// Records in the user's state that a token is about to be minted, or is refused.
async fn record(user: &UserId, session: Option<SessionId>) -> Result<Minted, Problem> {
    let settings = Settings::load().await?;
    let documents = SpinKeyValue::open()?;
    let users = Users::new(&documents, &NoLedger, &settings.policy);
    let command = Command::Mint {
        session,
        limits: MintLimits {
            per_minute_max: limits::MINTS_PER_MINUTE_MAX,
            tries_per_minute_max: limits::MINTS_PER_MINUTE_MAX,
        },
    };
    // An `Idempotency-Key` is not looked at: the token of the first try is not kept anywhere, so a retry is a mint like
    // any other. Were its first answer given again, a session that has ended since would get a token.
    let mark = WriteMark::Once(random_write_id()?);
    match users.apply(user, &command, &mark).await?.reply {
        Reply::Minted(minted) => Ok(minted),
        other => Err(Problem::internal(format!(
            "an answer of another command: {other:?}"
        ))),
    }
}

/// A session runs, but no token of this provider is short-lived enough for what is left of it.
fn too_late(until: Instant) -> Problem {
    Problem::session_ending(Seconds::rounded_up(until.since(now())))
}
