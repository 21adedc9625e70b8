//! `POST /api/internal/update-plan`: what a relay of webhooks, the web app or an operator says of a user's plan.

use talktime_http::{Answer, InternalCall, Problem, write_id_from};
use talktime_spin::now;
use talktime_store::delivery::{Delivered, Effect, KnownBy, deliver};
use talktime_store::{WriteMark, plan_news, subscriptions};
use talktime_usage::{
    Catalogue, Claim, Command, EventOrder, EventOutcome, Ownership, Period, PlanName, PlanNews,
    Repeat, Source, Subscriber, SubscriptionId, Timestamp, status,
};
use talktime_wire::internal::{
    GrantAnswer, NotApplied, PlanAction, UpdatePlanAnswer, UpdatePlanBody,
};
use talktime_wire::session::StatusAnswer;

use crate::{SpinUsers, record};

/// Carries an update out and answers it.
pub async fn answer(
    users: &SpinUsers<'_>,
    call: &InternalCall<UpdatePlanBody>,
) -> Result<Answer, Problem> {
    let now = now();
    let (body, mark) = (&call.body, mark(call)?);
    let known = subscriptions::known(users.ledger, body.subscription_id.as_slice(), None, now);
    let update = Update::of(body, &users.policy.catalogue, &known.await?, now)?;
    let outcome = carry_out(users, body, &update, &mark, now).await?;
    let state = users.read(&body.user_id).await?;
    let granted_by = state
        .as_ref()
        .map(|state| state.grants.sources(users.policy, now))
        .unwrap_or_default();
    let status = status(&body.user_id, state.as_ref(), now, users.policy);
    let applied = outcome == EventOutcome::Applied;
    Answer::ok(&UpdatePlanAnswer {
        success: true,
        applied,
        reason: (!applied).then_some(NotApplied::Outdated),
        granted_by: granted_by
            .into_iter()
            .map(|(source, plan)| GrantAnswer::new(source, &plan))
            .collect(),
        status: StatusAnswer::new(&status, None),
    })
}

/// What became of the update, or of the first one that came with the same id or key.
async fn carry_out(
    users: &SpinUsers<'_>,
    body: &UpdatePlanBody,
    update: &Update,
    mark: &WriteMark,
    now: Timestamp,
) -> Result<EventOutcome, Problem> {
    // Without a time of its own only the record knows an update again, and without an id it is none that could come again.
    let known_by = if body.event_id.is_some() && !update.is_timed {
        KnownBy::Record
    } else {
        KnownBy::State
    };
    let carry_out = async || -> Result<_, Problem> {
        let (outcome, effect) = match &update.news {
            Some(news) => {
                let told = plan_news::tell(users, news, mark).await?;
                (told.outcome, told.effect)
            }
            None => (EventOutcome::Outdated, Effect::Nothing),
        };
        Ok((record::row(mark, body, update, outcome, now), effect))
    };
    let (Delivered::Now(outcome) | Delivered::Before(outcome)) =
        deliver(users.ledger, &record::id(mark), known_by, now, carry_out).await?;
    Ok(outcome)
}

/// An update as news.
pub struct Update {
    /// None for what is over: by now the subscription is another user's, or has ended.
    pub news: Option<PlanNews>,
    /// Whether it has a time of its own that can be believed, by which it counts once however often it comes.
    is_timed: bool,
    /// For whoever looks at the record.
    pub remarks: Vec<String>,
}

impl Update {
    fn of(
        body: &UpdatePlanBody,
        catalogue: &Catalogue,
        known: &[Ownership],
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let event = body.event_id.as_deref().unwrap_or_default();
        let told = body.occurred_at.map(|at| EventOrder::at(at.0, event));
        let is_far_ahead = told.as_ref().is_some_and(|told| told.is_far_ahead(now));
        let as_of = told.map(|told| told.arriving(now));
        let plan = plan(body, catalogue)?;
        let news = PlanNews {
            user: body.user_id.clone(),
            command: Command::ChangePlan {
                source: body
                    .subscription_id
                    .clone()
                    .map_or(Source::Manual, Source::Subscription),
                period: period(body)?,
                ends_at: body.ends_at.map(|at| at.0).filter(|_| plan.is_some()),
                customer: None,
                reset_usage: body.reset_usage,
                as_of: as_of.clone(),
                plan: plan.clone(),
            },
            as_of,
            told: Vec::new(),
            taken: Vec::new(),
        };
        let mut update = Self {
            news: Some(news),
            is_timed: body.occurred_at.is_some() && !is_far_ahead,
            remarks: Vec::new(),
        };
        if is_far_ahead {
            update.remark("occurredAt is more than five minutes ahead: taken as of then");
        }
        if let Some(subscription) = &body.subscription_id {
            update.claim(subscription, known, plan.is_none(), now);
        }
        Ok(update)
    }

    fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    /// Whether the subscription is the user's, as far as the update can say.
    fn claim(&mut self, id: &SubscriptionId, known: &[Ownership], ends: bool, now: Timestamp) {
        let Some(news) = &mut self.news else { return };
        let last = known.iter().map(Ownership::last_word).max();
        let micros = news.as_of.as_ref().map_or_else(
            || EventOrder::untold(now, "", last.as_ref()).unix_micros,
            |as_of| as_of.unix_micros,
        );
        let subscriber = Subscriber {
            user: news.user.clone(),
            customer: None,
            is_named: true,
        };
        match subscriber.claim(id, known, micros, ends) {
            Claim::Has { told, from } => {
                news.told.push(told);
                if let Some(from) = from {
                    news.taken.push((id.clone(), from));
                    self.remark("the subscription was another user's until now");
                }
            }
            Claim::Passed => {
                self.news = None;
                self.remark("the subscription is another user's by now");
            }
            Claim::Ended => {
                self.news = None;
                self.remark("the subscription has ended since");
            }
        }
    }
}

/// The mark of the write. An event id makes it the same for every delivery of the event.
fn mark(call: &InternalCall<UpdatePlanBody>) -> Result<WriteMark, Problem> {
    let user = &call.body.user_id;
    let Some(event) = &call.body.event_id else {
        return call.mark(user);
    };
    if event.is_empty() || event.chars().count() > 128 {
        return Err(Problem::invalid_field(
            "eventId",
            "must have 1 to 128 characters",
        ));
    }
    Ok(WriteMark::Repeatable(Repeat {
        id: write_id_from(&["update-plan", user.as_str(), event]),
        fingerprint: None,
    }))
}

fn plan(body: &UpdatePlanBody, catalogue: &Catalogue) -> Result<Option<PlanName>, Problem> {
    let named = body.plan.as_deref().map(|name| {
        catalogue.find(name).cloned().ok_or_else(|| {
            let known: Vec<_> = catalogue.names().map(PlanName::as_str).collect();
            Problem::invalid_field("plan", format!("must be one of {}", known.join(", ")))
        })
    });
    match (body.action, named) {
        (PlanAction::Cancel, _) => Ok(None),
        (_, Some(named)) => named.map(Some),
        (_, None) => Err(Problem::invalid_field("plan", "is missing")),
    }
}

fn period(body: &UpdatePlanBody) -> Result<Option<Period>, Problem> {
    match (body.period_start, body.period_end) {
        (None, None) => Ok(None),
        (Some(start), Some(end)) => Period::paid(start.0, end.0)
            .map(Some)
            .map_err(|error| Problem::invalid_field("periodEnd", error.to_string())),
        (Some(_), None) => Err(Problem::invalid_field(
            "periodEnd",
            "is missing beside periodStart",
        )),
        (None, Some(_)) => Err(Problem::invalid_field(
            "periodStart",
            "is missing beside periodEnd",
        )),
    }
}
