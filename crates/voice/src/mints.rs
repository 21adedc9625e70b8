//! A user's mints, as the user's state knows them: a place is taken, and then filled or given back.

use talktime_store::{ApplyError, Documents, NoLedger, Users, WriteMark};
use talktime_usage::Minted;
use talktime_usage::{MintLimits, SessionId, Timestamp, UserId};

use crate::limits::{GIVE_BACK_MAX, MINT_TRIES_PER_MINUTE_MAX, MINTS_PER_MINUTE_MAX};
use crate::time_limit::within;

/// The bounds on one user's mints, calls included.
pub const MINT_LIMITS: MintLimits = MintLimits {
    per_minute_max: MINTS_PER_MINUTE_MAX,
    tries_per_minute_max: MINT_TRIES_PER_MINUTE_MAX,
};

/// Those of one user.
pub struct Mints<'a, D> {
    pub users: &'a Users<'a, D, NoLedger>,
    pub user: &'a UserId,
}

impl<D: Documents> Mints<'_, D> {
    /// Takes a place for a token of the running session. It is no sign of life and costs nothing.
    ///
    /// # Errors
    /// Without a running session, or when the user has had too many.
    pub async fn reserve(
        &self,
        session: Option<SessionId>,
        mark: &WriteMark,
    ) -> Result<Minted, ApplyError> {
        self.users.mint(self.user, session, MINT_LIMITS, mark).await
    }

    /// Records that the token is handed out, with which the user can talk until `token_until`: a sign of life.
    ///
    /// # Errors
    /// When the session has ended or was replaced since, or the state cannot be written. Then the token must not be given.
    pub async fn hand_out(
        &self,
        session: SessionId,
        token_until: Timestamp,
    ) -> Result<Minted, ApplyError> {
        self.users.hand_out(self.user, session, token_until).await
    }

    /// Gives the place back: no token came of it. Where that fails, it counts as one for the rest of its minute.
    pub async fn give_back(&self, mint: Timestamp) {
        let given_back = self.users.give_back(self.user, mint);
        let failure = match within(GIVE_BACK_MAX, self.users.environment, given_back).await {
            Some(Ok(())) => return,
            Some(Err(error)) => error.to_string(),
            None => "the store took too long".to_owned(),
        };
        eprintln!("a mint that failed could not be given back: {failure}");
    }
}
