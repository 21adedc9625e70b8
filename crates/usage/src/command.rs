//! What can be asked of a state, and what comes back.

use serde::{Deserialize, Serialize};

use crate::alarm::Alarm;
use crate::call::{Call, RingingCall};
use crate::event_order::EventOrder;
use crate::grant::{Roster, Source};
use crate::ids::{CallId, CustomerId, SessionId, SubscriptionId};
use crate::mints::MintLimits;
use crate::period::Period;
use crate::plan::PlanName;
use crate::session::{Difficulty, EndReason, EndedSession, Topic};
use crate::time::{Minutes, Seconds, Timestamp};

/// A change that somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Start a session.
    Start(SessionStart),
    /// The session is alive.
    Heartbeat { session: SessionId },
    /// The session is over.
    End {
        session: SessionId,
        reason: EndReason,
    },
    /// A realtime token is about to be asked for, for the running session: this takes a place among the user's mints.
    Mint {
        /// The session that the caller believes in, if it says so.
        session: Option<SessionId>,
        /// The bounds on mints.
        limits: MintLimits,
    },
    /// The token is there and is about to be handed out. It is a sign of life.
    HandOut {
        /// The session that it was minted for.
        session: SessionId,
        /// How long it can be talked with.
        token_until: Timestamp,
    },
    /// The token did not come: its place among the mints is given back.
    MintFailed {
        /// The instant of the mint, [`Minted::at`].
        mint: Timestamp,
    },
    /// A call is about to be offered to its provider: this takes a place among the user's mints, and keeps others from
    /// offering one meanwhile. What it comes to is told by `OpenCall` or, by this one's instant, `MintFailed`.
    OfferCall {
        /// The session that it is for.
        session: SessionId,
        /// The call that has come in and is to be taken; a browser's has no id yet.
        ringing: Option<RingingCall>,
        /// The bounds on mints.
        limits: MintLimits,
    },
    /// The provider has answered the offer of a call.
    OpenCall {
        call: Call,
        /// The instant of the offer, [`Minted::at`].
        offered: Timestamp,
    },
    /// The provider has said that a call is over.
    CloseCall(CallId),
    /// A source grants a plan, or no longer does.
    ChangePlan {
        source: Source,
        /// What it grants from now on.
        plan: Option<PlanName>,
        /// The paid period, where it is told: see [`Period::paid`]. A grant with one has to be renewed.
        period: Option<Period>,
        /// When the grant ends by itself, where it is told.
        ends_at: Option<Timestamp>,
        /// The provider's customer whom the subscription belongs to, where it is told.
        customer: Option<CustomerId>,
        /// Whether usage starts afresh.
        reset_usage: bool,
        /// When it happened; `None` where it is not told: see [`EventOrder`].
        as_of: Option<EventOrder>,
    },
    /// A subscription is behind with a payment.
    PastDue {
        subscription: SubscriptionId,
        /// The period that is not paid, where it is told.
        period: Option<Period>,
        /// When it happened.
        as_of: EventOrder,
    },
    /// The billing provider lists the active subscriptions.
    Reconcile(Roster),
    /// The user's alarm fired.
    Sweep {
        /// The ledger has all rows of the outbox up to this revision.
        written_through: u64,
    },
}

/// A session that somebody wants to start.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionStart {
    /// The id that it is to have.
    pub session: SessionId,
    /// What it is about.
    pub topic: Option<Topic>,
    pub difficulty: Option<Difficulty>,
    /// Whether a session that runs already is ended for it.
    pub takeover: bool,
    /// Whether its user talks by a call that is yet to be opened: then nothing is billed before the provider's answer.
    pub awaits_call: bool,
}

/// The answer to a command that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `Start`.
    Started(Started),
    /// To `Heartbeat`.
    Heard(Heard),
    /// To `End`.
    Stopped(Stopped),
    /// To `Mint`, `HandOut` and `OfferCall`.
    Minted(Minted),
    /// To `MintFailed`.
    GivenBack,
    /// To `OpenCall`; where the session does not go on with the call, it is to be hung up.
    #[serde(skip)]
    Opened(Result<Minted, Refusal>),
    /// To `CloseCall`.
    Closed,
    /// To `ChangePlan`, `PastDue` and `Reconcile`.
    Plan(PlanOutcome),
    /// To `Sweep`: when the next one is wanted, provided that the ledger is told the rows that go with this answer.
    #[serde(skip)]
    Swept(Option<Alarm>),
    /// To facts of the ledger's, which nobody asked for: see [`take_up`](crate::take_up()).
    #[serde(skip)]
    TakenUp,
}

/// The answer to another command. It cannot come of the command itself, only of an answer that was kept for a repeated
/// request.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the answer kept for this request is to another command: {0:?}")]
pub struct OtherReply(pub Box<Reply>);

macro_rules! replies {
    ($($variant:ident($answer:ty)),* $(,)?) => {$(
        impl TryFrom<Reply> for $answer {
            type Error = OtherReply;

            fn try_from(reply: Reply) -> Result<Self, OtherReply> {
                match reply {
                    Reply::$variant(answer) => Ok(answer),
                    other => Err(OtherReply(Box::new(other))),
                }
            }
        }
    )*};
}

replies! {
    Started(Started),
    Heard(Heard),
    Stopped(Stopped),
    Minted(Minted),
    Plan(PlanOutcome),
    Swept(Option<Alarm>),
    Opened(Result<Minted, Refusal>),
}

/// A session has started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub session: SessionId,
    pub at: Timestamp,
    pub minutes_remaining: Minutes,
    /// How long it may last.
    pub seconds_remaining: Seconds,
}

/// A heartbeat was heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// What the session has cost so far.
    pub session_minutes: Minutes,
    /// The period's usage.
    pub total_minutes_used: Minutes,
    pub minutes_remaining: Minutes,
    /// How much longer it may last; zero when it is over.
    pub seconds_remaining: Seconds,
    /// How it ended, if it is over.
    pub ended: Option<Stopped>,
}

/// A session is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// What it cost.
    pub session_minutes: Minutes,
    /// The period's usage right after it.
    pub total_minutes_used: Minutes,
    /// The minutes left right after it.
    pub minutes_remaining: Minutes,
    pub reason: EndReason,
    pub at: Timestamp,
}

impl From<&EndedSession> for Stopped {
    fn from(ended: &EndedSession) -> Self {
        Self {
            session_minutes: ended.minutes,
            total_minutes_used: ended.total_minutes_used,
            minutes_remaining: ended.minutes_remaining,
            reason: ended.reason,
            at: ended.ended_at,
        }
    }
}

/// A token may be minted, or handed out; or a call is the session's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Minted {
    /// The session that it is for.
    pub session: SessionId,
    /// The instant of this, by which the mint can be given back.
    pub at: Timestamp,
    pub minutes_remaining: Minutes,
    /// How much longer the user may talk.
    pub seconds_remaining: Seconds,
    /// The instant at which the session will be stopped, which the token must not outlive.
    pub until: Timestamp,
}

/// What became of news about a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanOutcome {
    /// It is taken in.
    Applied,
    /// This very event is known already: nothing changed.
    Repeated,
    /// Something that happened later is known already: nothing changed.
    Outdated,
}

/// Why a command was not carried out. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The plan's minutes are used up.
    #[error("no minutes left in this period")]
    NoCredits,
    /// One session runs already.
    #[error("session {0} is running: end it, or start with \"takeover\": true")]
    SessionActive(SessionId),
    /// That session is neither running nor among the last ones.
    #[error("no such session")]
    SessionNotFound,
    /// A token was asked for and no session runs, or another than the caller believes.
    #[error("no session is running: start one first")]
    NoActiveSession,
    /// Too many tokens in the last minute.
    #[error("too many tokens: try again in {} s", .retry_after.get())]
    TooManyMints {
        /// When the next one may be asked for.
        retry_after: Seconds,
    },
    /// Another call of the user's is being offered to its provider.
    #[error("another call is being set up: try again in {} s", .retry_after.get())]
    CallPending {
        /// When it is done or given up.
        retry_after: Seconds,
    },
    /// A request with that key was answered before, and asked for something else.
    #[error("this Idempotency-Key came with another request before: use a new one")]
    KeyReused,
}
