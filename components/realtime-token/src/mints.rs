//! A user's mints, as the user's state knows them: a place is taken, and then filled or given back.

use talktime_http::Problem;
use talktime_spin::{HOST, KeyValue, Settings};
use talktime_store::{ApplyError, Environment, NoLedger, Users, WriteMark};
use talktime_usage::command::Minted;
use talktime_usage::{Command, Instant, MintLimits, Reply, SessionId, UserId, WriteId};

use crate::limits::{GIVE_BACK_MAX, MINT_TRIES_PER_MINUTE_MAX, MINTS_PER_MINUTE_MAX};
use crate::time_limit::within;

/// Those of one user.
pub struct Mints<'a> {
    user: &'a UserId,
    settings: &'static Settings,
    documents: KeyValue,
}

impl<'a> Mints<'a> {
    /// Opens the store.
    ///
    /// # Errors
    /// When it cannot be opened, or a setting cannot be used.
    pub async fn open(user: &'a UserId) -> Result<Self, Problem> {
        Ok(Self {
            user,
            settings: Settings::load().await?,
            documents: KeyValue::open()?,
        })
    }

    /// Takes a place for a token of the running session. It is no sign of life and costs nothing.
    ///
    /// # Errors
    /// Without a running session, or when the user has had too many.
    pub async fn reserve(
        &self,
        session: Option<SessionId>,
        mark: &WriteMark,
    ) -> Result<Minted, Problem> {
        let limits = MintLimits {
            per_minute_max: MINTS_PER_MINUTE_MAX,
            tries_per_minute_max: MINT_TRIES_PER_MINUTE_MAX,
        };
        minted(self.apply(&Command::Mint { session, limits }, mark).await?)
    }

    /// Records that the token is handed out, with which the user can talk until `token_until`: a sign of life.
    ///
    /// # Errors
    /// When the session has ended or was replaced since, or the state cannot be written. Then the token must not be given.
    pub async fn hand_out(
        &self,
        session: SessionId,
        token_until: Instant,
    ) -> Result<Minted, Problem> {
        let command = Command::HandOut {
            session,
            token_until,
        };
        minted(self.apply(&command, &mark_of_its_own()).await?)
    }

    /// Gives the place back: no token came of it. Where that fails, it counts as one for the rest of its minute.
    pub async fn give_back(&self, mint: Instant) {
        let given_back = async {
            self.apply(&Command::MintFailed { mint }, &mark_of_its_own())
                .await
                .map_err(Problem::from)
        };
        let failure = match within(GIVE_BACK_MAX, given_back).await {
            Some(Ok(_)) => return,
            Some(Err(problem)) => problem.log_line().unwrap_or_else(|| problem.to_string()),
            None => "the store took too long".to_owned(),
        };
        eprintln!("a mint that failed could not be given back: {failure}");
    }

    async fn apply(&self, command: &Command, mark: &WriteMark) -> Result<Reply, ApplyError> {
        let users = Users::new(&self.documents, &NoLedger, &self.settings.policy, &HOST);
        // Three of them are a part of one request's future.
        Ok(Box::pin(users.apply(self.user, command, mark)).await?.reply)
    }
}

fn mark_of_its_own() -> WriteMark {
    WriteMark::Once(WriteId::from_bits(HOST.random()))
}

fn minted(reply: Reply) -> Result<Minted, Problem> {
    match reply {
        Reply::Minted(minted) => Ok(minted),
        other => Err(Problem::internal(format!(
            "an answer of another command: {other:?}"
        ))),
    }
}
