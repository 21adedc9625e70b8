//! A call comes about.
//!
//! As with a token the order is the point. First the user's state is told of the offer, so that no second one is made
//! meanwhile, and the watch over calls expects its outcome, so that it is looked after even if all that follows dies. Calls
//! of the user's that are still open are hung up, and only then is the provider asked: no two are ever open. Once it has
//! answered, the state is asked again; if the session ended or was replaced meanwhile, the call is hung up at once. The
//! browser gets the provider's answer last, so before the state knows of the call nobody can talk.

use std::time::Duration;

use bytes::Bytes;
use talktime_store::{ApplyError, Documents, NoLedger, Users, WriteMark, pseudonym};
use talktime_usage::{Call, Minted, SessionId, Timestamp, UserId};

use crate::accounts::{Account, Accounts};
use crate::calls::{CallWish, Opened, offer, read_id, read_opened};
use crate::failure::Failure;
use crate::hang_ups::hang_up;
use crate::limits::EXCHANGE_MAX;
use crate::mint::MintError;
use crate::mints::{MINT_LIMITS, Mints};
use crate::sdp::Offer;
use crate::time_limit::within;

/// When somebody looks what became of an offer: later than any exchange is waited for.
const LOOK_AFTER: Duration = Duration::from_secs(20);

/// A call that is asked for.
#[derive(Clone, Copy)]
pub struct CallSetup<'a> {
    pub user: &'a UserId,
    pub session: SessionId,
    /// Whose call it is to be, one of `accounts`.
    pub account: &'a Account,
    /// Those of the user's earlier calls.
    pub accounts: &'a Accounts,
    /// With which model.
    pub model: &'a str,
    /// With which voice; the provider's own choice otherwise.
    pub voice: Option<&'a str>,
    /// What the browser offers.
    pub offer: &'a Offer,
}

/// A call that is open.
pub struct SetUp {
    pub opened: Opened,
    /// What is left of the user's time.
    pub left: Minted,
}

impl CallSetup<'_> {
    /// Sets it up: `send` takes requests to the provider and gives a 2xx answer.
    ///
    /// # Errors
    /// When there is no call for this session, whatever the reason. None is open then, or it is kept until it is hung up.
    pub async fn run<D: Documents>(
        &self,
        users: &Users<'_, D, NoLedger>,
        mark: &WriteMark,
        send: impl AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) -> Result<SetUp, MintError> {
        let user = self.user;
        let look_at = users.environment.now().plus(LOOK_AFTER);
        let (offered, open) = users
            .offer_call(user, self.session, None, MINT_LIMITS, look_at, mark)
            .await?;
        let set_up = self.replace(users, open, offered.at, &send).await;
        if set_up.is_err() {
            Mints { users, user }.give_back(offered.at).await;
        }
        set_up
    }

    /// Hangs up the calls that are open, and opens this one.
    async fn replace<D: Documents>(
        &self,
        users: &Users<'_, D, NoLedger>,
        open: Vec<Call>,
        offered: Timestamp,
        send: &impl AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) -> Result<SetUp, MintError> {
        for call in open {
            hang_up(self.accounts, &call, users.environment, send).await?;
            users.close_call(self.user, call.id).await?;
        }
        let safety_identifier = pseudonym(self.user);
        let wish = CallWish {
            model: self.model,
            voice: self.voice,
            offer: self.offer,
            safety_identifier: &safety_identifier,
        };
        let request = offer(self.account, &wish).ok_or(Failure::NotSetUp)?;
        let answer = within(EXCHANGE_MAX, users.environment, send(request)).await;
        let answer = answer.unwrap_or(Err(Failure::TimedOut))?;

        let provider = self.account.call_provider().ok_or(Failure::NotSetUp)?;
        let id = read_id(self.account, &answer).ok_or(Failure::Unreadable)?;
        let call = Call::new(provider.into(), id, self.session, users.environment.now());
        let Some(opened) = read_opened(self.account, &answer) else {
            // It may be open although nobody can talk with it.
            self.abandon(users, call.given_up(), offered, send).await;
            return Err(Failure::Unreadable.into());
        };
        match users.open_call(self.user, call.clone(), offered).await {
            Ok(left) => Ok(SetUp { opened, left }),
            Err(refused) => {
                self.abandon(users, call.given_up(), offered, send).await;
                Err(refused.into())
            }
        }
    }

    /// Hangs up a call that nobody is to talk with. Where that fails, the state keeps it until somebody could.
    async fn abandon<D: Documents>(
        &self,
        users: &Users<'_, D, NoLedger>,
        call: Call,
        offered: Timestamp,
        send: &impl AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) {
        let hung_up = hang_up(self.accounts, &call, users.environment, send).await;
        let id = call.id.clone();
        let kept = match hung_up {
            Ok(()) => users.close_call(self.user, call.id).await.map(drop),
            // Refused, since it is given up, and kept.
            Err(_) => match users.open_call(self.user, call, offered).await {
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
