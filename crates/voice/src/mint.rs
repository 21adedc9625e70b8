//! A token comes about.
//!
//! The order is the point. First a place among the user's mints is taken in the user's state, by the same compare-and-swap
//! that starts and ends sessions; only then is the provider asked, so the limit holds however many tabs ask at once. Once
//! the token is there, the state is asked again, and it is handed out only if the session still runs: who ended it or took
//! it over while the provider answered gets no token for it. Where no token comes of it, the place is given back, and the
//! user is as if nothing had been asked for. Nothing here ends or bills anything by itself:
//! no ledger is needed.

use bytes::Bytes;
use talktime_store::{ApplyError, Documents, NoLedger, Users, WriteMark};
use talktime_usage::{Minted, Refusal, Seconds, SessionId, Timestamp, UserId};

use crate::accounts::Account;
use crate::failure::Failure;
use crate::limits::EXCHANGE_MAX;
use crate::mints::Mints;
use crate::provider::{order, read_token};
use crate::terms::Wish;
use crate::time_limit::within;

/// A token that is asked for.
#[derive(Clone, Copy)]
pub struct Minting<'a> {
    pub user: &'a UserId,
    /// For which session; the running one otherwise.
    pub session: Option<SessionId>,
    pub account: &'a Account,
    /// For which model.
    pub model: &'a str,
    /// With which voice; the provider's own choice otherwise.
    pub voice: Option<&'a str>,
}

/// A token that may be given. It has no `Debug`, so that no log can show it by mistake.
pub struct Token {
    pub value: String,
    /// Until when a connection can be opened with it.
    pub connect_until: Timestamp,
    /// What is left of the user's time as it is handed out.
    pub left: Minted,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The rules refuse it, or the store failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The provider gives none.
    #[error(transparent)]
    Provider(#[from] Failure),
    /// A session runs, but no token of this provider is short-lived enough for what is left of it.
    #[error("the session ends in {} seconds", left.get())]
    TooLate {
        /// What is left of it.
        left: Seconds,
    },
    /// Minutes were taken away meanwhile, so that the token would outlive those that are left now. Another will not.
    #[error("the minutes changed while the provider answered")]
    MinutesChanged,
}

impl MintError {
    /// Whether it is for a session that is over, or out of minutes.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(
            self,
            Self::Apply(ApplyError::Refused(
                Refusal::NoActiveSession | Refusal::NoCredits
            ))
        )
    }
}

impl Minting<'_> {
    /// Mints it: `send` takes the request to the provider and gives a 2xx answer.
    ///
    /// # Errors
    /// When there is no token for this session, whatever the reason. The user is as if nothing had been asked for.
    pub async fn run<D: Documents>(
        &self,
        users: &Users<'_, D, NoLedger>,
        mark: &WriteMark,
        send: impl AsyncFnOnce(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) -> Result<Token, MintError> {
        let mints = Mints {
            users,
            user: self.user,
        };
        let reserved = mints.reserve(self.session, mark).await?;
        let handed_out = self.hand_out(&mints, &reserved, send).await;
        if handed_out.is_err() {
            mints.give_back(reserved.at).await;
        }
        handed_out
    }

    /// Gets a token from the provider and records that it is handed out.
    async fn hand_out<D: Documents>(
        &self,
        mints: &Mints<'_, D>,
        reserved: &Minted,
        send: impl AsyncFnOnce(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) -> Result<Token, MintError> {
        let environment = mints.users.environment;
        let until = reserved.until;
        let too_late = || MintError::TooLate {
            left: Seconds::rounded_up(until.since(environment.now())),
        };
        let wish = Wish {
            model: self.model,
            voice: self.voice,
            now: environment.now(),
            until,
        };
        let order = order(self.account, &wish).ok_or_else(too_late)?;
        let answer = within(EXCHANGE_MAX, environment, send(order.request))
            .await
            .unwrap_or(Err(Failure::TimedOut))?;
        let value = read_token(&self.account.api, answer.body()).ok_or(Failure::Unreadable)?;

        let terms = order.terms;
        // The provider took its time, and the token may live on when the user's time is up: nobody gets to see it.
        let answered_at = environment.now();
        let lives_until = terms.expiry.latest(answered_at);
        // Where it is up already, the state says what became of the session.
        if answered_at < until && lives_until > until {
            return Err(too_late());
        }
        let left = mints.hand_out(reserved.session, terms.talk_until).await?;
        if lives_until > left.until {
            return Err(MintError::MinutesChanged);
        }
        Ok(Token {
            value,
            connect_until: terms.connect_until,
            left,
        })
    }
}

#[cfg(test)]
mod tests;
