//! What components ask of a user's state, each call with the answer that it has.

use talktime_usage::{
    Call, CallId, Command, EndReason, Heard, MintLimits, Minted, Refusal, RingingCall, SessionId,
    SessionStart, Started, State, Stopped, Timestamp, UserId,
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

    /// Takes a place among the user's mints for a call of that session, `ringing` if it has come in, and keeps others from
    /// offering one meanwhile. Gives the other calls that are open too: they are to be hung up before. Somebody will look
    /// what became of the offer at `look_at`, even if whoever sends it dies.
    pub async fn offer_call(
        &self,
        user: &UserId,
        session: SessionId,
        ringing: Option<RingingCall>,
        limits: MintLimits,
        look_at: Timestamp,
        mark: &WriteMark,
    ) -> Result<(Minted, Vec<Call>), ApplyError> {
        let is_other = |call: &Call| ringing.as_ref().is_none_or(|ringing| ringing.id != call.id);
        let command = Command::OfferCall {
            session,
            ringing: ringing.clone(),
            limits,
        };
        let applied = self.apply(user, &command, mark).await?;
        self.call_watch().request_look(user, look_at).await?;
        let open = applied.state.map_or_else(Vec::new, |state| {
            let others = state.calls.iter().filter(|call| is_other(call));
            others.cloned().collect()
        });
        Ok((applied.reply.try_into()?, open))
    }

    /// Records that the provider has answered the offer of that instant. Where the session does not go on with the call,
    /// the call is kept as one to be hung up, and the refusal says why.
    pub async fn open_call(
        &self,
        user: &UserId,
        call: Call,
        offered: Timestamp,
    ) -> Result<Minted, ApplyError> {
        let command = Command::OpenCall { call, offered };
        let applied = self.apply(user, &command, &self.fresh_mark()).await?;
        let opened: Result<Minted, Refusal> = applied.reply.try_into()?;
        Ok(opened?)
    }

    /// Records that the provider has said that a call is over, and gives the state after that.
    pub async fn close_call(
        &self,
        user: &UserId,
        call: CallId,
    ) -> Result<Option<State>, ApplyError> {
        let command = Command::CloseCall(call);
        let applied = self.apply(user, &command, &self.fresh_mark()).await?;
        Ok(applied.state)
    }

    /// Gives the place of a mint back that no token came of: the one of that instant, [`Minted::at`].
    pub async fn give_back(&self, user: &UserId, mint: Timestamp) -> Result<(), ApplyError> {
        let command = Command::MintFailed { mint };
        let mark = self.fresh_mark();
        self.apply(user, &command, &mark).await.map(drop)
    }
}
