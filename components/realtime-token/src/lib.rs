//! `/api/realtime-token`: a browser's token for the voice provider, only while a session runs and minutes are left.
//!
//! The order is the point. First a place among the user's mints is taken in the user's state, by the same compare-and-swap
//! that starts and ends sessions; only then is the provider asked, so the limit holds however many tabs ask at once. Once
//! the token is there, the state is asked again, and it is handed out only if the session still runs: who ended it or took
//! it over while the provider answered gets no token for it. Where no token comes of it, the place is given back, and the
//! user is as if nothing had been asked for. This component neither ends nor bills anything: it is granted no ledger.

mod accounts;
mod base_url;
mod failure;
mod gemini;
mod limits;
mod mints;
mod models;
mod openai;
mod outbound;
mod provider;
mod terms;
mod time_limit;

use spin_sdk::http::IntoResponse;
use talktime_api::token::{TokenAnswer, TokenBody};
use talktime_http::Verb::Post;
use talktime_http::{Answer, Call, Problem, Request, Service};
use talktime_spin::{Once, now};
use talktime_usage::command::Minted;
use talktime_usage::{Instant, Seconds};

use crate::accounts::{Account, Accounts};
use crate::failure::Failure;
use crate::mints::Mints;
use crate::terms::{Terms, Wish};

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
    let accounts = ACCOUNTS.get(Accounts::read).await?;
    let account = accounts.choose(body.provider)?;
    let model = account.model(body.model.as_deref())?;

    let mints = Mints::open(&user).await?;
    let reserved = mints.reserve(body.session_id, &mark).await?;
    let wish = Wish {
        model,
        voice: body.voice.as_deref(),
        now: now(),
        until: reserved.until,
    };
    let handed_out = mint(account, &wish, &mints, &reserved).await;
    if handed_out.is_err() {
        mints.give_back(reserved.at).await;
    }
    let Token { value, terms, left } = handed_out?;
    Answer::ok(&TokenAnswer {
        token: value,
        provider: account.provider(),
        model: model.to_owned(),
        expires_at: terms.connect_until.into(),
        minutes_remaining: left.minutes_remaining,
        seconds_remaining: left.seconds_remaining,
        connect: provider::connect(account),
    })
}

/// A token that may be given.
struct Token {
    value: String,
    terms: Terms,
    /// What is left of the user's time as it is handed out.
    left: Minted,
}

/// Gets a token from the provider and records that it is handed out.
async fn mint(
    account: &Account,
    wish: &Wish<'_>,
    mints: &Mints<'_>,
    reserved: &Minted,
) -> Result<Token, Problem> {
    let order = provider::order(account, wish).ok_or_else(|| too_late(wish.until))?;
    let answered = outbound::send(order.request).await;
    let value = answered
        .and_then(|body| provider::read_token(&account.api, &body).ok_or(Failure::Unreadable))
        .map_err(|failure| failure.problem(account))?;

    let terms = order.terms;
    // The provider took its time, and the token may live on when the user's time is up: nobody gets to see it.
    let answered_at = now();
    let lives_until = terms.expiry.latest(answered_at);
    // Where it is up already, the state says what became of the session.
    if answered_at < wish.until && lives_until > wish.until {
        return Err(too_late(wish.until));
    }
    let left = mints.hand_out(reserved.session, terms.talk_until).await?;
    // Minutes were taken away meanwhile, so that the token would outlive those that are left now. Another will not.
    if lives_until > left.until {
        return Err(Problem::busy(1).detail("The minutes changed while the provider answered"));
    }
    Ok(Token { value, terms, left })
}

/// A session runs, but no token of this provider is short-lived enough for what is left of it.
fn too_late(until: Instant) -> Problem {
    Problem::session_ending(Seconds::rounded_up(until.since(now())))
}
