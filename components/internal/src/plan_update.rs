//! A plan update's body as a command of the domain.

use talktime_api::internal::{PlanAction, UpdatePlanBody};
use talktime_http::{Problem, Request, write_id_from};
use talktime_store::WriteMark;
use talktime_usage::{Catalogue, Command, EventOrder, Period, PlanName, Repeat, Source};

/// The command that the body asks for.
pub fn command(body: &UpdatePlanBody, catalogue: &Catalogue) -> Result<Command, Problem> {
    if body
        .event_id
        .as_ref()
        .is_some_and(|id| id.is_empty() || id.chars().count() > 128)
    {
        return Err(Problem::invalid_field(
            "eventId",
            "must have 1 to 128 characters",
        ));
    }
    Ok(Command::ChangePlan {
        source: body
            .subscription_id
            .clone()
            .map_or(Source::Manual, Source::Subscription),
        plan: plan(body, catalogue)?,
        period: period(body)?,
        ends_at: body.ends_at.map(|at| at.0),
        customer: None,
        reset_usage: body.reset_usage,
        as_of: body
            .occurred_at
            .map(|at| EventOrder::at(at.0, body.event_id.as_deref().unwrap_or_default())),
    })
}

/// The mark of the write. An event id makes it the same for every delivery of the event.
pub fn mark(body: &UpdatePlanBody, request: &Request) -> Result<WriteMark, Problem> {
    Ok(match &body.event_id {
        Some(event) => WriteMark::Repeatable(Repeat {
            id: write_id_from(&["update-plan", body.user_id.as_str(), event]),
            fingerprint: None,
        }),
        None => request.write_mark(&body.user_id)?,
    })
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
