//! A call that comes in is taken, for a session that was started for it.
//!
//! Its id is known beforehand, so the state keeps it before the provider is told to take it: whoever dies in between
//! leaves a call that is hung up.

use bytes::Bytes;
use http::StatusCode;
use talktime_store::{Documents, NoLedger, StoreError, Users, WriteMark, pseudonym};
use talktime_usage::{Call, CallId, RingingCall, SessionId, UserId, WriteId};

use crate::accounts::{Account, Accounts};
use crate::calls::{accept, reject};
use crate::failure::Failure;
use crate::hang_ups::hang_up;
use crate::incoming::SipStatus;
use crate::limits::HANG_UP_MAX;
use crate::mint::MintError;
use crate::opening::{Opening, Unopened};
use crate::time_limit::within;

/// A call that has come in.
#[derive(Clone, Copy)]
pub struct PhoneCall<'a> {
    pub id: &'a CallId,
    /// Whose call it is, one of `accounts`.
    pub account: &'a Account,
    /// Those of the user's earlier calls.
    pub accounts: &'a Accounts,
}

/// How a call is taken.
#[derive(Clone, Copy)]
pub struct Taking<'a> {
    /// Whose call it is to be.
    pub user: &'a UserId,
    pub session: SessionId,
    /// With which model.
    pub model: &'a str,
    /// What the model is told to be; the provider's own choice otherwise.
    pub instructions: Option<&'a str>,
}

impl PhoneCall<'_> {
    /// The session for which it was taken, if it was.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn taken_before<D: Documents>(
        &self,
        user: &UserId,
        users: &Users<'_, D, NoLedger>,
    ) -> Result<Option<SessionId>, StoreError> {
        let state = users.read(user).await?;
        Ok(state.and_then(|state| Some(state.open_call(self.id)?.session)))
    }

    /// Takes it: `send` takes requests to the provider and gives a 2xx answer.
    ///
    /// # Errors
    /// When there is no call for this session, whatever the reason. It is hung up then, or kept until it is.
    pub async fn take<D: Documents>(
        &self,
        taking: Taking<'_>,
        users: &Users<'_, D, NoLedger>,
        send: impl AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) -> Result<(), MintError> {
        let Taking { user, session, .. } = taking;
        let mark = WriteMark::Once(WriteId::from_bits(users.environment.random()));
        let provider = self.account.call_provider().ok_or(Failure::NotSetUp)?;
        let ringing = RingingCall {
            provider: provider.into(),
            id: self.id.clone(),
        };
        let opening = Opening {
            users,
            user,
            session,
            accounts: self.accounts,
            send: &send,
        };
        let exchange = async |offered| {
            let request = accept(
                self.account,
                self.id,
                taking.model,
                taking.instructions,
                &pseudonym(user),
            );
            let taken = opening.ask(request).await;
            let now = users.environment.now();
            let call = Call::new(provider.into(), self.id.clone(), session, now);
            match taken {
                Ok(_) => Ok(opening.open(call, offered).await.map(drop)?),
                Err(failure) if failure.is_without_answer() => {
                    // It may be taken by now, or when the request arrives at last: the provider's word that it is over means
                    // nothing yet. It is hung up once more when the line is free again.
                    let over = hang_up(self.accounts, &call, users.environment, &send).await;
                    over.unwrap_or_else(|failure| eprintln!("call {}: {failure}", call.id));
                    Err(Unopened::Perhaps(failure))
                }
                Err(failure) => {
                    opening.abandon(call, offered).await;
                    Err(failure.into())
                }
            }
        };
        opening.run(Some(ringing), &mark, exchange).await
    }

    /// Turns it away. One that is over already need not be, or was taken or turned away before.
    ///
    /// # Errors
    /// When the provider has not said that it is done.
    pub async fn turn_away<D: Documents>(
        &self,
        why: SipStatus,
        users: &Users<'_, D, NoLedger>,
        send: impl AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) -> Result<(), Failure> {
        let request = reject(self.account, self.id, why).ok_or(Failure::NotSetUp)?;
        let outcome = within(HANG_UP_MAX, users.environment, send(request)).await;
        let outcome = outcome.unwrap_or(Err(Failure::TimedOut));
        match outcome {
            // The request is as it must be, and the key would be 401 or 403: it can no longer be turned away.
            Err(Failure::Status(status))
                if status.is_client_error()
                    && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) =>
            {
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }
}
