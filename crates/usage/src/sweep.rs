//! What a sweep does with one state: which rows the ledger is to have first, what becomes of the state then, and when the
//! next sweep is wanted.

use crate::alarm::{Alarm, next_alarm_with};
use crate::ledger::LedgerWrite;
use crate::policy::Policy;
use crate::settle::settle;
use crate::state::State;
use crate::time::Timestamp;

/// The most rows that wait in the outbox of a running session: its own, its period's, and some of sessions before it.
const OUTBOX_WHILE_RUNNING: usize = 8;

/// The rows that a sweep at `now` writes before it touches the state: those of the outbox, and while a session runs, how it
/// and its period stand at this moment. A period that only this look opens has no row yet: another change may be stored
/// first and move the end that was crossed.
pub fn rows_to_write(state: &State, now: Timestamp, policy: &Policy) -> Vec<LedgerWrite> {
    let mut settled = state.clone();
    settle(&mut settled, state.time(now), policy);
    let mut present = Vec::new();
    if let Some(session) = &settled.session {
        present.push(LedgerWrite::Session(session.row(settled.instant)));
        if settled.period.id == state.period.id {
            let row = settled.period_row(settled.instant, policy, false);
            present.push(LedgerWrite::Period(row));
        }
    }
    let outgoing = state.outbox.iter().map(|outgoing| &outgoing.write);
    outgoing
        .filter(|old| !present.iter().any(|new| new.supersedes(old)))
        .cloned()
        .chain(present.iter().cloned())
        .collect()
}

/// A sweep of a state that was brought to `now`, which brought about `writes`, once the ledger has the rows up to
/// `written_through`. Tells whether that changed the state.
///
/// Rows that are written are dropped. While a session runs they wait: the next interval writes newer ones anyway, and a
/// sweep that changes nothing needs no swap.
pub(crate) fn sweep(
    state: &mut State,
    writes: &mut Vec<LedgerWrite>,
    written_through: u64,
    now: Timestamp,
    policy: &Policy,
) -> bool {
    // What a period's end has made new could not be written ahead: how the session stands in it goes with this write.
    if !writes.is_empty()
        && let Some(session) = &state.session
    {
        writes.push(LedgerWrite::Session(session.row(now)));
        writes.push(state.record_period(now, policy));
    }
    let outbox = &mut state.outbox;
    let before = outbox.len();
    if state.session.is_none() || before > OUTBOX_WHILE_RUNNING {
        outbox.retain(|outgoing| outgoing.revision > written_through);
    }
    outbox.len() < before
}

/// When the next sweep of a state is wanted that one has just brought to `now`.
///
/// The rows that this sweep has written, and those that follow from it, wait for nothing, though some stay in the outbox
/// until the next change. Rows that another writer has put there meanwhile do: its own way to the ledger may have broken
/// off.
pub(crate) fn alarm_after(
    state: &State,
    written_through: u64,
    now: Timestamp,
    policy: &Policy,
) -> Option<Alarm> {
    let rows_wait = state
        .outbox
        .iter()
        .any(|outgoing| outgoing.revision > written_through);
    next_alarm_with(state, rows_wait, now, policy)
}
