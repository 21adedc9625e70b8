//! The provider's books beside the bill.

use std::time::Duration;

use talktime_usage::{Call, CallId, State, Timestamp};

use super::pages::TICK;
use super::provider::{HANG_UP_MAX, ProviderCall};
use super::world::{End, Kind, Person, World};
use super::{Checked, STORES_MAX, ensure};

/// The longest wait after a provider that did not hang up.
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// How long a phone call that nobody knows to be taken is believed to be on its way, which is not billed.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// From when on a call is billed that is talked in from `delivered`: with a phone call, once its session knows that it was
/// taken. What is said before, or in one whose taker dies, is not billed.
fn billed_from(call: &ProviderCall, end: &End) -> Option<Timestamp> {
    match call.phone {
        Some(phone) => phone.heard_at.filter(|_| end.minutes.get() > 0),
        None => call.delivered_at,
    }
}

/// From when on a call is to be hung up whose session ended so.
fn due(call: &ProviderCall, end: &End) -> Timestamp {
    match (call.phone, billed_from(call, end)) {
        (Some(_), Some(heard_at)) => heard_at.max(end.at),
        (Some(phone), None) => phone.told_at.plus(TAKEN_WITHIN),
        (None, _) => end.at,
    }
}

/// When a call is over at the latest that is to be hung up from then on.
fn late(from: Timestamp) -> Timestamp {
    from.plus(TICK).plus(HANG_UP_MAX).plus(STORES_MAX)
}

impl World {
    /// The calls of that user that somebody could talk in, in the order in which they were opened.
    fn talks(&self, person: &Person) -> Vec<ProviderCall> {
        let mut talks = self.answered(person);
        talks.retain(|call| call.delivered_at.is_some());
        talks
    }

    /// The calls of that user whose ids came to whoever offered them.
    fn answered(&self, person: &Person) -> Vec<ProviderCall> {
        let calls = self.provider.calls.borrow();
        let mine = calls.iter().filter(|call| {
            call.safety_identifier == person.safety_identifier && call.answered_at.is_some()
        });
        let mut mine: Vec<_> = mine.cloned().collect();
        mine.sort_by_key(|call| call.opened_at);
        mine
    }

    /// One call at a time, and none that nobody knows of.
    pub fn check_calls(&self) -> Checked {
        let now = self.now();
        for (number, person) in self.people.iter().enumerate() {
            let talks = self.talks(person);
            for call in &talks {
                self.check_overshoot(number, call, person)?;
            }
            // Where nobody dies, not even any whose answer came too late.
            let known = if self.kind == Kind::Steady {
                self.answered(person)
            } else {
                talks.clone()
            };
            for pair in known.windows(2) {
                let is_over = pair[0]
                    .closed_at()
                    .is_some_and(|at| at <= pair[1].opened_at);
                ensure!(is_over, "two calls of {} are open: {pair:?}", person.id);
            }
            let Some(open) = talks.iter().find(|call| call.is_open_at(now)) else {
                continue;
            };
            let state = self.state(person);
            let is_kept = state
                .is_some_and(|state| state.calls.iter().any(|call| call.id.as_str() == open.id));
            ensure!(is_kept, "nobody knows of {open:?}");
            let watched = self.watched(person);
            ensure!(
                watched.is_some() || self.next_alarm(Some(person)).is_some(),
                "nobody looks at {open:?}"
            );
            let is_over = person.ended.contains_key(&open.session);
            let soon = now.plus(RETRY_LONGEST);
            ensure!(
                self.kind == Kind::Rough || watched.is_some_and(|at| !is_over || at <= soon),
                "nobody looks at {open:?} soon, but at {watched:?}"
            );
        }
        Ok(())
    }

    /// A call that its offer's sender knows of, and nobody is to talk in, is hung up by the sender before it answers.
    pub fn check_abandoned(&self, id: &CallId) -> Checked {
        let calls = self.provider.calls.borrow();
        let mut mine = calls.iter().filter(|call| call.id == id.as_str());
        let left = mine.find(|call| call.hung_up_at.is_none());
        ensure!(left.is_none(), "{left:?} is left to others");
        Ok(())
    }

    /// The calls of each user that are kept although their session does not go on with them.
    pub fn unwanted(&self) -> Vec<Vec<CallId>> {
        let unwanted = |person: &Person| {
            // One that is being taken may yet be wanted.
            let settled = |state: State| {
                let is_settled = |call: &&Call| state.offered != Some(call.opened_at);
                state.calls.iter().filter(is_settled).cloned().collect()
            };
            let calls: Vec<_> = self.state(person).map_or_else(Vec::new, settled);
            let is_unwanted = |call: &Call| {
                let last = calls
                    .iter()
                    .rfind(|other: &&Call| other.session == call.session);
                let is_given_up = serde_json::json!(call)["unwanted"] == true;
                is_given_up || last.is_some_and(|last| last.id != call.id)
            };
            calls
                .iter()
                .filter(|call| is_unwanted(call))
                .map(|call| call.id.clone())
                .collect()
        };
        self.people.iter().map(unwanted).collect()
    }

    /// Those that were unwanted when the last span began are gone, if it was calm and somebody came by.
    pub fn check_unwanted(&self, before: &[Vec<CallId>]) -> Checked {
        let now = self.unwanted();
        let Some(span) = self.spans.last().filter(|span| span.is_calm) else {
            return Ok(());
        };
        for (number, before) in before.iter().enumerate() {
            let look = span.looks[number];
            let is_seen = look.is_some_and(|look| late(look.max(span.start)) <= span.end);
            let left = before.iter().find(|call| now[number].contains(call));
            ensure!(
                !is_seen || left.is_none(),
                "{left:?} is unwanted, and not hung up"
            );
        }
        Ok(())
    }

    /// Once all is quiet.
    pub fn check_books(&self) -> Checked {
        let users = self.users_without_ledger();
        for (number, person) in self.people.iter().enumerate() {
            let kept = self.state(person).map_or(0, |state| state.calls.len());
            ensure!(kept == 0, "{kept} calls of {} are kept", person.id);
            self.check_bill(number, person)?;
            self.check_free(person)?;
        }
        let watched = self.aside(users.call_watch().all());
        let watched = watched.map_err(|error| error.to_string())?;
        ensure!(watched.is_empty(), "{watched:?} are watched");
        Ok(())
    }

    /// What was given is billed, but for the overshoot.
    fn check_bill(&self, number: usize, person: &Person) -> Checked {
        let mut given = Duration::ZERO;
        let mut overshoot = Duration::ZERO;
        for call in self.talks(person) {
            let closed = call
                .closed_at()
                .ok_or_else(|| format!("{call:?} is never over"))?;
            let end = person.ended.get(&call.session);
            let end = end.ok_or_else(|| format!("the session of {call:?} is never over"))?;
            self.check_overshoot(number, &call, person)?;
            let due = due(&call, end);
            let billed_from = billed_from(&call, end).unwrap_or(due).min(closed);
            let talked = closed.since(billed_from);
            let beyond = closed.since(due);
            let billed = end.minutes.duration();
            ensure!(
                talked.saturating_sub(beyond) <= billed,
                "{talked:?} of {call:?} for {end:?}"
            );
            given += talked;
            overshoot += beyond;
        }
        let billed = self.rows(&format!(
            "SELECT COALESCE(SUM(minutes_used), 0) FROM usage_sessions WHERE user_id = '{}'",
            person.id
        ));
        let minutes = billed.first().and_then(|text| text.parse::<u64>().ok());
        let billed = Duration::from_mins(minutes.unwrap_or(0));
        ensure!(
            given <= billed + overshoot,
            "{} was given {given:?} for {billed:?} and an overshoot of {overshoot:?}",
            person.id
        );
        Ok(())
    }

    /// A call is over soon after its session: within the bound, as soon as things are well.
    fn check_overshoot(&self, number: usize, call: &ProviderCall, person: &Person) -> Checked {
        let Some(end) = person.ended.get(&call.session) else {
            return Ok(());
        };
        let closed = call.closed_at().unwrap_or(self.now());
        if self.kind == Kind::Steady {
            ensure!(
                closed <= late(due(call, end)),
                "{call:?} is over at {}, {:?} after {end:?}",
                closed.to_rfc3339(),
                closed.since(end.at)
            );
            return Ok(());
        }
        let well = self
            .spans
            .iter()
            .filter(|span| span.is_calm && span.end > end.at);
        for span in well {
            // Of a call that began in it the watch knows all.
            let is_new = call.delivered_at.is_some_and(|at| at >= span.start);
            let look = span.looks[number].filter(|_| !is_new);
            let look = look.or_else(|| is_new.then_some(span.start));
            let Some(look) = look else { continue };
            let latest = late(due(call, end).max(span.start).max(look));
            ensure!(
                closed <= latest || latest > span.end,
                "{call:?} is over at {}, and {end:?} was to be looked at by {}",
                closed.to_rfc3339(),
                look.to_rfc3339()
            );
        }
        Ok(())
    }

    /// A session whose call was never opened costs nothing.
    fn check_free(&self, person: &Person) -> Checked {
        let calls = self.provider.calls.borrow();
        for session in person.awaiting.borrow().iter() {
            let was_opened = calls.iter().any(|call| call.session == *session);
            let Some(end) = person.ended.get(session).filter(|_| !was_opened) else {
                continue;
            };
            ensure!(end.minutes.get() == 0, "{session} had no call: {end:?}");
        }
        Ok(())
    }
}
