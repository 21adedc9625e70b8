//! What components ask of a user's state, each call with the answer that it has.

use talktime_usage::{
    Command, EndReason, Heard, MintLimits, Minted, SessionId, SessionStart, Started, Stopped,
    Timestamp, UserId,
};

use crate::documents::Documents;
use crate::ledger::Ledger;
use crate::users::{ApplyError, Users, WriteMark};

/// Every call fails when the rules refuse it, or a store fails or stays contended for all tries.
impl<D: Documents, L: Ledger> Users<'_, D, L> {
    /// Starts a session.
    pub async fn start(
        &self,
        user: &UserId,
        wanted: SessionStart,
        mark: &WriteMark,
    ) -> Result<Started, ApplyError> {
        let command = Command::Start(wanted);
        Ok(self.apply(user, &command, mark).await?.reply.try_into()?)
    }

    /// Hears of a session that it is alive.
    pub async fn heartbeat(
        &self,
        user: &UserId,
        session: SessionId,
        mark: &WriteMark,
    ) -> Result<Heard, ApplyError> {
        let command = Command::Heartbeat { session };
        Ok(self.apply(user, &command, mark).await?.reply.try_into()?)
    }

    /// Ends a session.
    pub async fn end(
        &self,
        user: &UserId,
        session: SessionId,
        reason: EndReason,
        mark: &WriteMark,
    ) -> Result<Stopped, ApplyError> {
        let command = Command::End { session, reason };
        Ok(self.apply(user, &command, mark).await?.reply.try_into()?)
    }

    /// Takes a place among the user's mints, for a token of the running session. It is no sign of life and costs nothing.
    pub async fn mint(
        &self,
        user: &UserId,
        session: Option<SessionId>,
        limits: MintLimits,
        mark: &WriteMark,
    ) -> Result<Minted, ApplyError> {
        let command = Command::Mint { session, limits };
        Ok(self.apply(user, &command, mark).await?.reply.try_into()?)
    }

    /// Records that a token is handed out, with which the user can talk until `token_until`: a sign of life. Refused when
    /// the session has ended or was replaced since; then the token must not be given.
    pub async fn hand_out(
        &self,
        user: &UserId,
        session: SessionId,
        token_until: Timestamp,
    ) -> Result<Minted, ApplyError> {
        let command = Command::HandOut {
            session,
            token_until,
        };
        let mark = self.fresh_mark();
        Ok(self.apply(user, &command, &mark).await?.reply.try_into()?)
    }

    /// Gives the place of a mint back that no token came of: the one of that instant, [`Minted::at`].
    pub async fn give_back(&self, user: &UserId, mint: Timestamp) -> Result<(), ApplyError> {
        let command = Command::MintFailed { mint };
        let mark = self.fresh_mark();
        self.apply(user, &command, &mark).await.map(drop)
    }
}
