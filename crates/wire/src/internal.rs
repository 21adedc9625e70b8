//! `/api/internal/*`: plan updates, look-ups and sweeps, for trusted servers and operators.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use talktime_usage::{Minutes, PhoneNumber, PlanName, Source, SubscriptionId, UserId};
use utoipa::ToSchema;

use crate::rfc3339::Rfc3339;
use crate::schema;
use crate::session::StatusAnswer;
use crate::webhook::WebhookOutcome;

/// What a plan update does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanAction {
    /// Grants the plan that it names.
    Upgrade,
    /// Grants the plan that it names, in place of a larger one.
    Downgrade,
    /// Grants nothing any more: free, unless another source grants a plan.
    Cancel,
}

/// The body of `POST /api/internal/update-plan`.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdatePlanBody {
    /// Whose plan.
    #[serde(deserialize_with = "user_id")]
    #[schema(value_type = String, max_length = 128)]
    pub user_id: UserId,
    /// The plan, or one of its aliases. Not needed to cancel.
    #[serde(default)]
    pub plan: Option<String>,
    /// What to do.
    pub action: PlanAction,
    /// Whether usage starts afresh: what was used is closed in a period of its own.
    #[serde(default)]
    pub reset_usage: bool,
    /// The first instant of the paid period; together with `periodEnd`. A grant with a paid period lapses a few days after
    /// its end, unless it is renewed; one without holds until it is changed.
    #[serde(default)]
    pub period_start: Option<Rfc3339>,
    /// The first instant after it, at least a day later; together with `periodStart`.
    #[serde(default)]
    pub period_end: Option<Rfc3339>,
    /// When the grant ends by itself, such as at the end of the period of a subscription that is cancelled for then.
    #[serde(default)]
    pub ends_at: Option<Rfc3339>,
    /// When it happened, so that a late update does not undo a newer one. Without it the update comes after all that is
    /// known, and before what is yet to come of the last minute's events.
    #[serde(default)]
    pub occurred_at: Option<Rfc3339>,
    /// The id of the event behind the update: the same id again changes nothing and gets the first answer.
    #[serde(default)]
    #[schema(max_length = 128)]
    pub event_id: Option<String>,
    /// The subscription that grants the plan; without it the update is a manual grant of its own.
    #[serde(default, deserialize_with = "subscription_id")]
    #[schema(value_type = Option<String>, max_length = 128)]
    pub subscription_id: Option<SubscriptionId>,
}

/// `POST /api/internal/update-plan`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdatePlanAnswer {
    /// Always true: a refusal has another form.
    pub success: bool,
    /// Whether the plan takes it into account; of an event that comes again, whether it did the first time.
    pub applied: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<NotApplied>,
    /// All that grants a plan now. The largest is in force; without any it is free.
    pub granted_by: Vec<GrantAnswer>,
    /// The status after it.
    pub status: StatusAnswer,
}

/// The body of `POST /api/internal/phones`, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhoneBody {
    /// The number with its country's code, such as `+14155550123`.
    #[schema(value_type = String, max_length = 32)]
    pub phone_number: PhoneNumber,
    /// Whose it is from now on: their calls are taken and metered. Nobody's without it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    pub user_id: Option<UserId>,
}

/// The body of `POST /api/internal/alarm`; nothing need be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
pub struct SweepBody {
    /// Whether to sweep although the clock is far ahead of the last sweep: an operator's word that it is right.
    #[serde(default)]
    pub force: bool,
}

/// Why an update changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotApplied {
    /// Something that happened later is known.
    Outdated,
}

/// Somebody who grants a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantAnswer {
    /// The plan.
    pub plan: String,
    /// The subscription that grants it; none for the updates that name no subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
}

impl GrantAnswer {
    /// That of a source.
    #[must_use]
    pub fn new(source: Source, plan: &PlanName) -> Self {
        Self {
            plan: plan.to_string(),
            subscription_id: match source {
                Source::Manual => None,
                Source::Subscription(id) => Some(id.into()),
            },
        }
    }
}

/// `POST /api/internal/hang-ups`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HangUpAnswer {
    /// Calls that were hung up.
    pub hung_up: usize,
    /// Users who have calls after it, or are about to.
    pub open: usize,
    /// Users some of whose calls could not be hung up; they are tried again.
    pub failed: usize,
}

/// `POST /api/internal/alarm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct SweepAnswer {
    /// Users whose alarm was due when the sweep began.
    pub due: u64,
    /// Users handled.
    pub swept: u64,
    /// Sessions that it ended.
    pub ended: u64,
    /// Periods that it archived.
    pub archived: u64,
    /// Users whose handling failed; they are tried again later.
    pub failed: u64,
    /// Rows that it deleted because they are older than is kept.
    pub pruned: u64,
    /// Users whose alarm is still due.
    pub remaining: u64,
}

/// `GET /api/internal/users/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UserAnswer {
    /// The status, as the user sees it.
    pub status: StatusAnswer,
    /// The latest sessions in the ledger, newest first.
    pub sessions: Vec<SessionAnswer>,
    /// The latest periods in the ledger, newest first.
    pub periods: Vec<PeriodAnswer>,
}

/// A session in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionAnswer {
    /// Whose.
    pub user_id: String,
    /// Its id.
    pub session_id: String,
    /// When it started.
    pub started_at: Rfc3339,
    /// When it ended.
    pub ended_at: Option<Rfc3339>,
    /// What it cost, or has cost by the last sweep.
    #[schema(value_type = schema::Minutes)]
    pub minutes_used: Minutes,
    /// What it is about.
    pub topic: Option<String>,
    /// How hard.
    pub difficulty: Option<String>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

/// A period in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeriodAnswer {
    /// Its first instant.
    pub period_start: Rfc3339,
    /// The first instant after it.
    pub period_end: Rfc3339,
    /// The plan in force.
    pub plan: String,
    /// Minutes used.
    #[schema(value_type = schema::Minutes)]
    pub minutes_used: Minutes,
    /// The plan's minutes.
    #[schema(value_type = schema::Minutes)]
    pub minutes_limit: Minutes,
    /// When the ledger last heard of it.
    pub synced_at: Rfc3339,
    /// Whether its sum is final.
    pub archived: bool,
}

/// `GET /api/internal/overview`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverviewAnswer {
    /// When all this was true.
    pub server_time: Rfc3339,
    /// How many sessions the ledger believes to run.
    pub active_sessions_total: u64,
    /// Sessions that the ledger believes to run, newest first, 50 at most.
    pub active_sessions: Vec<SessionAnswer>,
    /// Users and minutes of the current periods.
    pub minutes_by_plan: Vec<PlanTally>,
    /// Sessions that ended in the last 30 days.
    pub ended_by_reason: Vec<ReasonTally>,
    /// Minutes of each of the last 30 days.
    pub daily_minutes: Vec<DayTally>,
    /// How many webhook events there are that no user or product is known for.
    pub unmapped_webhooks_total: u64,
    /// Webhook events that no user or product is known for, newest first, 50 at most.
    pub unmapped_webhooks: Vec<WebhookEventAnswer>,
    /// The alarms.
    pub alarms: AlarmsAnswer,
    /// Calls at the voice providers.
    pub calls: CallsAnswer,
}

/// Calls at the voice providers.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallsAnswer {
    /// Users who have a call, or are about to.
    pub watched: u64,
    /// Those of them whose calls should have been looked at more than ten seconds ago: is anything hanging up?
    pub overdue: u64,
    /// Those of them whose calls could not be hung up at the last try, the most tries first, 50 at most. They go on at the
    /// provider, and cost money.
    pub failing: Vec<FailingHangUp>,
}

/// A user whose calls could not be hung up.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailingHangUp {
    pub user_id: String,
    /// How many times it was tried.
    pub tries: u32,
    /// When it is tried again.
    pub next_try_at: Rfc3339,
}

/// What the users of a plan used.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanTally {
    /// The plan.
    pub plan: String,
    /// Users in a current period on it.
    pub users: u64,
    /// Their minutes.
    pub minutes_used: u64,
}

/// How sessions ended.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ReasonTally {
    /// The end reason.
    pub reason: String,
    /// Sessions.
    pub sessions: u64,
    /// Their minutes.
    pub minutes: u64,
}

/// What was used on a day.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DayTally {
    /// The day in UTC, such as `2026-11-25`.
    pub day: String,
    /// Minutes of the sessions that started on it.
    pub minutes: u64,
}

/// A webhook event that could not be used.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEventAnswer {
    /// Its id at the provider.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it came.
    pub received_at: Rfc3339,
    /// What became of it.
    pub outcome: WebhookOutcome,
    /// The ids in it, as JSON.
    pub detail: Option<String>,
}

/// How the alarms stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlarmsAnswer {
    /// Due and not yet handled.
    pub due: u64,
    /// Failed at least once since they last worked.
    pub failing: u64,
    /// How late the most overdue one is.
    pub oldest_due_seconds: u64,
}

fn user_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UserId, D::Error> {
    let text = String::deserialize(deserializer)?;
    UserId::parse(&text).map_err(D::Error::custom)
}

fn subscription_id<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SubscriptionId>, D::Error> {
    Option::<String>::deserialize(deserializer)?
        .map(|text| SubscriptionId::parse(&text))
        .transpose()
        .map_err(D::Error::custom)
}
