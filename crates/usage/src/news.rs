//! News about what is granted: plan updates, overdue payments, and the billing provider's lists.

use serde_json::Map;

use crate::command::{Command, PlanOutcome};
use crate::cycle;
use crate::event_order::News;
use crate::grant::{Granted, Grants, Roster};
use crate::ids::WriteId;
use crate::ledger::LedgerWrite;
use crate::policy::Policy;
use crate::state::State;
use crate::time::Timestamp;

/// Takes in a command that tells of grants, on a state that was brought to `now`, and gives what became of it and the rows
/// that follow; `None` for any other command.
pub(crate) fn hear(
    state: &mut State,
    command: &Command,
    now: Timestamp,
    write: &WriteId,
    policy: &Policy,
) -> Option<(PlanOutcome, Vec<LedgerWrite>)> {
    let before = state.plan(policy);
    let outcome = match record(&mut state.grants, command, now, write)? {
        News::Newer => PlanOutcome::Applied,
        News::Same => PlanOutcome::Repeated,
        News::Older => PlanOutcome::Outdated,
    };
    let mut writes = Vec::new();
    if outcome == PlanOutcome::Applied {
        if matches!(command, Command::ChangePlan { reset_usage, .. } if *reset_usage) {
            writes.extend(cycle::reset(state, &before, now));
        }
        writes.extend(cycle::take_effect(state, &before, now, policy));
    }
    Some((outcome, writes))
}

fn record(grants: &mut Grants, command: &Command, now: Timestamp, write: &WriteId) -> Option<News> {
    Some(match command {
        Command::ChangePlan {
            source,
            plan,
            period,
            ends_at,
            customer,
            as_of,
            ..
        } => {
            let as_of = as_of.as_ref().map_or_else(
                || grants.after_all_known(source, now, write),
                |told| told.arriving(now),
            );
            let granted = Granted {
                plan: plan.clone(),
                period: *period,
                ends_at: *ends_at,
                customer: customer.clone(),
                as_of,
                extra: Map::new(),
            };
            grants.record(source, granted)
        }
        Command::PastDue {
            subscription,
            period,
            as_of,
        } => grants.record_past_due(subscription, *period, as_of.arriving(now)),
        Command::Reconcile(roster) => grants.record_roster(Roster {
            as_of: roster.as_of.arriving(now),
            ..roster.clone()
        }),
        _ => return None,
    })
}
