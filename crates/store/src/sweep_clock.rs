//! Whether the clock of a sweep can be believed. One look by a clock that is far ahead would end every period and every
//! session at once, for all users; so a jump is noticed, and believed only when it lasts or an operator says so.

use std::time::Duration;

use talktime_usage::Timestamp;

/// How far ahead of the newest instant that the ledger knows a clock may be. A machine that was off for a night is beyond
/// it, and waits for [`BELIEVED_AFTER`].
pub const AHEAD_MAX: Duration = Duration::from_hours(1);

/// How long a clock that jumped must have gone on steadily to be believed.
pub const BELIEVED_AFTER: Duration = Duration::from_mins(10);

/// How far the newest instant may lag before a sweep writes it anew.
const REFRESHED_AFTER: Duration = Duration::from_mins(1);

/// What sweeps know of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepClock {
    /// The newest instant of a sweep that was believed.
    pub newest: Timestamp,
    /// Since when sweeps by a clock that jumped were refused, and the last time of one.
    pub suspect: Option<Suspect>,
}

/// A clock that jumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The time of the first sweep by it.
    pub since: Timestamp,
    /// The time of the last one.
    pub last: Timestamp,
}

/// What to make of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on; and keep this, where something is to be kept.
    Believed(Option<SweepClock>),
    /// Do nothing but keep this.
    Refused(SweepClock),
}

/// Judges a sweep at `now` by what is known. `force` is the operator's word that the clock is right.
pub fn judge(known: Option<SweepClock>, now: Timestamp, force: bool) -> Verdict {
    let right = SweepClock {
        newest: now,
        suspect: None,
    };
    let Some(known) = known.filter(|_| !force) else {
        return Verdict::Believed(Some(right));
    };
    let ahead = now.since(known.newest) > AHEAD_MAX;
    let behind = known.newest.since(now) > AHEAD_MAX;
    if !ahead && !behind {
        let lags = known.suspect.is_some() || now.since(known.newest) >= REFRESHED_AFTER;
        return Verdict::Believed(lags.then_some(SweepClock {
            newest: known.newest.max(now),
            suspect: None,
        }));
    }
    // It goes on steadily if it is not before the last time, nor has jumped again since.
    let steady = known
        .suspect
        .filter(|suspect| suspect.last <= now && now.since(suspect.last) <= AHEAD_MAX);
    let since = steady.map_or(now, |suspect| suspect.since);
    if now.since(since) >= BELIEVED_AFTER {
        return Verdict::Believed(Some(right));
    }
    let next = SweepClock {
        newest: known.newest,
        suspect: Some(Suspect { since, last: now }),
    };
    // A clock that is behind does no harm; it is only not yet taken for the right one.
    if ahead {
        Verdict::Refused(next)
    } else {
        Verdict::Believed(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000;

    /// Sweeps at those seconds after the start, one after another; whether each was believed.
    fn sweeps(seconds: &[i64], force: bool) -> Vec<bool> {
        let mut known = None;
        seconds
            .iter()
            .map(|second| {
                let now = Timestamp::from_unix_seconds(START + second);
                match judge(known, now, force) {
                    Verdict::Believed(next) => {
                        known = next.or(known);
                        true
                    }
                    Verdict::Refused(next) => {
                        known = Some(next);
                        false
                    }
                }
            })
            .collect()
    }

    #[test]
    fn a_jump_is_refused_until_it_has_lasted_for_ten_minutes() {
        let day = 86_400;
        assert_eq!(
            sweeps(&[day], false),
            [true],
            "an empty ledger knows nothing"
        );
        assert_eq!(sweeps(&[0, 5, 60, 3_600, 7_200], false), [true; 5]);
        assert_eq!(
            sweeps(
                &[0, day, day + 5, day + 300, day + 599, day + 600, day + 605],
                false
            ),
            [true, false, false, false, false, true, true]
        );
        assert_eq!(sweeps(&[0, day, 2 * day], true), [true; 3]);
    }

    #[test]
    fn a_clock_that_jumps_again_or_that_others_contradict_is_not_believed() {
        let day = 86_400;
        // It jumps on, an hour and more at a time.
        let jumps: Vec<i64> = (0..20).map(|turn| turn * 2 * 3_600).collect();
        assert_eq!(sweeps(&jumps, false)[1..], [false; 19]);
        // It goes back and forth.
        assert_eq!(
            sweeps(&[0, day, day - 400, day + 100, day + 200], false),
            [true, false, false, false, true],
            "since the step back it went on steadily"
        );
        // Another machine's clock stays right.
        assert_eq!(
            sweeps(
                &[0, day, 300, day + 300, 600, day + 600, 900, day + 900],
                false
            ),
            [true, false, true, false, true, false, true, false]
        );
    }

    #[test]
    fn a_clock_that_was_ahead_and_believed_is_forgotten_in_ten_minutes() {
        let day = 86_400;
        let steps = [
            0,
            day,
            day + 600,
            1_300,
            1_600,
            1_900,
            4_900,
            24 * 3_600 + 1_900,
        ];
        assert_eq!(
            sweeps(&steps, false),
            [true, false, true, true, true, true, true, false],
            "what was believed is taken back, so that the next jump is seen"
        );
    }
}
