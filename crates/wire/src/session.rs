//! `/api/session/*`: what the web app asks before, during and after a session.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use talktime_usage::{
    EndedSession, Heard, Minutes, Policy, Seconds, SessionId, Started, Status, Stopped, Topic,
};
use utoipa::ToSchema;

use crate::rfc3339::Rfc3339;
use crate::schema;

mod names;

pub use names::{ClientReason, Difficulty, EndReason};

/// `GET /api/session/status`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusAnswer {
    /// The plan in force.
    pub plan: String,
    /// Minutes used in the period, the running session included.
    #[schema(value_type = schema::Minutes)]
    pub minutes_used: Minutes,
    /// Minutes left, never below zero.
    #[schema(value_type = schema::Minutes)]
    pub minutes_remaining: Minutes,
    /// The plan's minutes.
    #[schema(value_type = schema::Minutes)]
    pub minutes_limit: Minutes,
    /// The used part of the limit, a whole number from 0 to 100.
    #[schema(maximum = 100)]
    pub percent_used: u8,
    /// Seconds for which the user may talk from now on.
    #[schema(value_type = schema::Seconds)]
    pub seconds_remaining: Seconds,
    /// The first instant of the period.
    pub period_start: Rfc3339,
    /// The first instant after it.
    pub period_end: Rfc3339,
    /// Whether a session runs.
    pub has_active_session: bool,
    /// What the running session has cost so far; 0 without one.
    #[schema(value_type = schema::Minutes)]
    pub active_session_minutes: Minutes,
    /// The running session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_session: Option<ActiveSession>,
    /// The last ended session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_session: Option<LastSession>,
    /// A sentence for people, at five minutes or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Where to get more minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_url: Option<String>,
    /// The instant that all this is true at.
    pub server_time: Rfc3339,
}

/// The running session.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveSession {
    /// Its id.
    #[schema(value_type = schema::SessionId)]
    pub session_id: SessionId,
    /// When it started.
    pub started_at: Rfc3339,
    /// When it was last heard of.
    pub last_heartbeat_at: Rfc3339,
    /// What it has cost so far.
    #[schema(value_type = schema::Minutes)]
    pub minutes_used: Minutes,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Topic>)]
    pub topic: Option<Topic>,
    /// How hard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<Difficulty>,
}

/// The last ended session.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastSession {
    /// Its id.
    #[schema(value_type = schema::SessionId)]
    pub session_id: SessionId,
    /// When it started.
    pub started_at: Rfc3339,
    /// When it ended.
    pub ended_at: Rfc3339,
    /// Why.
    pub end_reason: EndReason,
    /// What it cost.
    #[schema(value_type = schema::Minutes)]
    pub session_minutes: Minutes,
}

impl StatusAnswer {
    /// A status as the API tells it.
    #[must_use]
    pub fn new(status: &Status, upgrade_url: Option<String>) -> Self {
        let active_session = status
            .active
            .as_ref()
            .map(|(session, minutes)| ActiveSession {
                session_id: session.id,
                started_at: session.started_at.into(),
                last_heartbeat_at: session.last_sign.into(),
                minutes_used: *minutes,
                topic: session.topic.clone(),
                difficulty: session.difficulty.map(Difficulty::from),
            });
        Self {
            plan: status.plan.to_string(),
            minutes_used: status.minutes_used,
            minutes_remaining: status.minutes_remaining,
            minutes_limit: status.minutes_limit,
            percent_used: status.percent_used,
            seconds_remaining: status.seconds_remaining,
            period_start: status.period.start().into(),
            period_end: status.period.end().into(),
            has_active_session: active_session.is_some(),
            active_session_minutes: active_session
                .as_ref()
                .map_or(Minutes::ZERO, |session| session.minutes_used),
            active_session,
            last_session: status.last.as_ref().map(LastSession::from),
            warning: status.warning(),
            upgrade_url,
            server_time: status.at.into(),
        }
    }
}

impl From<&EndedSession> for LastSession {
    fn from(ended: &EndedSession) -> Self {
        Self {
            session_id: ended.id,
            started_at: ended.started_at.into(),
            ended_at: ended.ended_at.into(),
            end_reason: ended.reason.into(),
            session_minutes: ended.minutes,
        }
    }
}

/// The body of `POST /api/session/start`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
pub struct StartBody {
    /// What it is about: up to 200 characters.
    #[serde(default, deserialize_with = "topic")]
    #[schema(value_type = Option<schema::Topic>, max_length = 200)]
    pub topic: Option<Topic>,
    /// How hard.
    #[serde(default)]
    pub difficulty: Option<Difficulty>,
    /// Whether a session that runs already is ended for this one.
    #[serde(default)]
    pub takeover: bool,
}

/// `POST /api/session/start`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartAnswer {
    /// The new session's id.
    #[schema(value_type = schema::SessionId)]
    pub session_id: SessionId,
    /// When it started.
    pub started_at: Rfc3339,
    /// Minutes left.
    #[schema(value_type = schema::Minutes)]
    pub minutes_remaining: Minutes,
    /// Seconds until it will be stopped.
    #[schema(value_type = schema::Seconds)]
    pub seconds_remaining: Seconds,
    /// How often to send a heartbeat.
    pub heartbeat_interval_seconds: u64,
}

impl StartAnswer {
    /// A start as the API tells it.
    #[must_use]
    pub fn new(started: &Started, policy: &Policy) -> Self {
        Self {
            session_id: started.session,
            started_at: started.at.into(),
            minutes_remaining: started.minutes_remaining,
            seconds_remaining: started.seconds_remaining,
            heartbeat_interval_seconds: policy.heartbeat_interval.as_secs(),
        }
    }
}

/// The body of `POST /api/session/heartbeat`.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatBody {
    /// The session that is alive.
    #[serde(deserialize_with = "session_id")]
    #[schema(value_type = schema::SessionId)]
    pub session_id: SessionId,
}

/// `POST /api/session/heartbeat`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatAnswer {
    /// What this session has cost so far.
    #[schema(value_type = schema::Minutes)]
    pub minutes_used: Minutes,
    /// Minutes used in the period.
    #[schema(value_type = schema::Minutes)]
    pub total_minutes_used: Minutes,
    /// Minutes left.
    #[schema(value_type = schema::Minutes)]
    pub minutes_remaining: Minutes,
    /// Seconds until the session will be stopped; 0 once it is over.
    #[schema(value_type = schema::Seconds)]
    pub seconds_remaining: Seconds,
    /// A sentence for people, at five minutes or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// How the session ended, if it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedAnswer>,
}

/// How a session ended that a heartbeat came too late for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndedAnswer {
    /// Why.
    pub end_reason: EndReason,
    /// When.
    pub ended_at: Rfc3339,
    /// What it cost.
    #[schema(value_type = schema::Minutes)]
    pub session_minutes: Minutes,
}

impl From<&Heard> for HeartbeatAnswer {
    fn from(heard: &Heard) -> Self {
        Self {
            minutes_used: heard.session_minutes,
            total_minutes_used: heard.total_minutes_used,
            minutes_remaining: heard.minutes_remaining,
            seconds_remaining: heard.seconds_remaining,
            warning: talktime_usage::warning(heard.minutes_remaining),
            ended: heard.ended.as_ref().map(|ended| EndedAnswer {
                end_reason: ended.reason.into(),
                ended_at: ended.at.into(),
                session_minutes: ended.session_minutes,
            }),
        }
    }
}

/// The body of `POST /api/session/end`.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndBody {
    /// The session that is over.
    #[serde(deserialize_with = "session_id")]
    #[schema(value_type = schema::SessionId)]
    pub session_id: SessionId,
    /// Why; `user_ended` if not told.
    #[serde(default)]
    pub reason: Option<ClientReason>,
}

/// `POST /api/session/end`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndAnswer {
    /// What it cost.
    #[schema(value_type = schema::Minutes)]
    pub session_minutes: Minutes,
    /// The period's usage right after it.
    #[schema(value_type = schema::Minutes)]
    pub total_minutes_used: Minutes,
    /// The minutes left right after it.
    #[schema(value_type = schema::Minutes)]
    pub minutes_remaining: Minutes,
    /// Why it ended: the first reason, where it was over already.
    pub end_reason: EndReason,
    /// When it ended.
    pub ended_at: Rfc3339,
}

impl From<&Stopped> for EndAnswer {
    fn from(stopped: &Stopped) -> Self {
        Self {
            session_minutes: stopped.session_minutes,
            total_minutes_used: stopped.total_minutes_used,
            minutes_remaining: stopped.minutes_remaining,
            end_reason: stopped.reason.into(),
            ended_at: stopped.at.into(),
        }
    }
}

/// Reads a session id, saying in words what is wrong with another text.
pub(crate) fn session_id<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SessionId, D::Error> {
    let text = String::deserialize(deserializer)?;
    SessionId::parse(&text).map_err(D::Error::custom)
}

fn topic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Topic>, D::Error> {
    Option::<String>::deserialize(deserializer)?
        .map(|text| Topic::parse(&text))
        .transpose()
        .map_err(D::Error::custom)
}
