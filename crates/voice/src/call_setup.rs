//! A browser's call comes about. The browser gets the provider's answer last, so before the state knows of the call nobody
//! can talk.

use bytes::Bytes;
use talktime_store::{Documents, NoLedger, Users, WriteMark, pseudonym};
use talktime_usage::{Call, Minted, SessionId, UserId};

use crate::accounts::{Account, Accounts};
use crate::calls::{CallWish, Opened, offer, read_id, read_opened};
use crate::failure::Failure;
use crate::mint::MintError;
use crate::opening::{Opening, Unopened};
use crate::sdp::Offer;

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
        let opening = Opening {
            users,
            user: self.user,
            session: self.session,
            accounts: self.accounts,
            send: &send,
        };
        let exchange = async |offered| -> Result<SetUp, Unopened> {
            let safety_identifier = pseudonym(self.user);
            let wish = CallWish {
                model: self.model,
                voice: self.voice,
                offer: self.offer,
                safety_identifier: &safety_identifier,
            };
            let answer = opening.ask(offer(self.account, &wish)).await?;
            let provider = self.account.call_provider().ok_or(Failure::NotSetUp)?;
            let id = read_id(self.account, &answer).ok_or(Failure::Unreadable)?;
            let now = users.environment.now();
            let call = Call::new(provider.into(), id, self.session, now);
            let Some(opened) = read_opened(self.account, &answer) else {
                // It may be open although nobody can talk with it.
                opening.abandon(call, offered).await;
                return Err(Failure::Unreadable.into());
            };
            let left = opening.open(call, offered).await?;
            Ok(SetUp { opened, left })
        };
        opening.run(None, mark, exchange).await
    }
}
