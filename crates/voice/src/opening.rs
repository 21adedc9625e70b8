//! What a browser's call and one that comes in have in common: how they are opened.
//!
//! As with a token the order is the point. First the user's state is told of the offer, so that no second one is made
//! meanwhile, and the watch over calls expects its outcome, so that it is looked after even if all that follows dies. Calls
//! of the user's that are still open are hung up, and only then is the provider asked: no two are ever open. Once it has
//! answered, the state is asked again; if the session ended or was replaced meanwhile, the call is hung up at once.

use std::time::Duration;

use bytes::Bytes;
use talktime_store::{ApplyError, Documents, NoLedger, Users, WriteMark, pseudonym};
use talktime_usage::{Call, Minted, RingingCall, SessionId, Timestamp, UserId};

use crate::accounts::Accounts;
use crate::failure::Failure;
use crate::hang_ups::hang_up;
use crate::limits::EXCHANGE_MAX;
use crate::mint::MintError;
use crate::mints::{MINT_LIMITS, Mints};
use crate::time_limit::within;

/// When somebody looks what became of an offer: later than any exchange is waited for.
const LOOK_AFTER: Duration = Duration::from_secs(20);

/// A call that is about to be opened for a user.
pub(crate) struct Opening<'a, D, S> {
    pub(crate) users: &'a Users<'a, D, NoLedger>,
    pub(crate) user: &'a UserId,
    pub(crate) session: SessionId,
    /// Those of the user's earlier calls.
    pub(crate) accounts: &'a Accounts,
    /// Takes requests to a provider and gives a 2xx answer.
    pub(crate) send: &'a S,
}

/// Why there is no call that the session goes on with.
pub(crate) enum Unopened {
    /// None is open, or it is kept until it is hung up.
    Surely(MintError),
    /// The provider may yet open the one that it was told to take. The line stays taken until nobody believes in it any more.
    Perhaps(Failure),
}

impl<E: Into<MintError>> From<E> for Unopened {
    fn from(error: E) -> Self {
        Self::Surely(error.into())
    }
}

impl<D, S> Opening<'_, D, S>
where
    D: Documents,
    S: AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
{
    /// Takes the user's line, lets `exchange` ask the provider, and gives the line back if nothing comes of it. `exchange`
    /// is given the instant of the offer.
    pub(crate) async fn run<T>(
        &self,
        ringing: Option<RingingCall>,
        mark: &WriteMark,
        exchange: impl AsyncFnOnce(Timestamp) -> Result<T, Unopened>,
    ) -> Result<T, MintError> {
        let (users, user) = (self.users, self.user);
        let look_at = users.environment.now().plus(LOOK_AFTER);
        let (offered, open) = users
            .offer_call(user, self.session, ringing, MINT_LIMITS, look_at, mark)
            .await?;
        let outcome = match self.free_line(open).await {
            Ok(()) => exchange(offered.at).await,
            Err(error) => Err(Unopened::Surely(error)),
        };
        match outcome {
            Ok(opened) => Ok(opened),
            Err(Unopened::Surely(error)) => {
                Mints { users, user }.give_back(offered.at).await;
                Err(error)
            }
            Err(Unopened::Perhaps(failure)) => Err(failure.into()),
        }
    }

    /// Hangs up the calls that are open.
    async fn free_line(&self, open: Vec<Call>) -> Result<(), MintError> {
        for call in open {
            hang_up(self.accounts, &call, self.users.environment, self.send).await?;
            self.users.close_call(self.user, call.id).await?;
        }
        Ok(())
    }

    /// Asks the provider, for a bounded time.
    pub(crate) async fn ask(
        &self,
        request: Option<http::Request<Bytes>>,
    ) -> Result<http::Response<Bytes>, Failure> {
        let request = request.ok_or(Failure::NotSetUp)?;
        let answer = within(EXCHANGE_MAX, self.users.environment, (self.send)(request)).await;
        answer.unwrap_or(Err(Failure::TimedOut))
    }

    /// The provider has opened the call: the session goes on with it, or it is hung up.
    pub(crate) async fn open(&self, call: Call, offered: Timestamp) -> Result<Minted, MintError> {
        match self.users.open_call(self.user, call.clone(), offered).await {
            Ok(left) => Ok(left),
            Err(refused) => {
                self.abandon(call, offered).await;
                Err(refused.into())
            }
        }
    }

    /// Hangs up a call that nobody is to talk with. Where that fails, the state keeps it until somebody could.
    pub(crate) async fn abandon(&self, call: Call, offered: Timestamp) {
        let call = call.given_up();
        let hung_up = hang_up(self.accounts, &call, self.users.environment, self.send).await;
        let id = call.id.clone();
        let kept = match hung_up {
            Ok(()) => self.users.close_call(self.user, call.id).await.map(drop),
            // Refused, since it is given up, and kept.
            Err(_) => match self.users.open_call(self.user, call, offered).await {
                Ok(_) | Err(ApplyError::Refused(_)) => Ok(()),
                Err(error) => Err(error),
            },
        };
        if let (Err(failure), Err(error)) = (hung_up, kept) {
            eprintln!(
                "call {id} of {} may be open and nobody hangs it up: {failure}, and it could not be kept for later: {error}",
                pseudonym(self.user)
            );
        }
    }
}
