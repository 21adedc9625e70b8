//! A plain model of `docs/rules.md`, written from its sentences. It walks through time in ticks of half a second, keeps
//! a list of who talked from when to when, and adds up minutes only when it is asked.

use std::collections::BTreeMap;

use talktime_usage::EndReason;

/// All instants of a story are multiples of it, so that every limit and every end falls on a tick.
pub const TICK: i64 = 500;

#[derive(Clone, Debug)]
pub struct Rules {
    pub stale_after: i64,
    pub heartbeat_interval: i64,
    pub session_max: Option<i64>,
    /// The ends of the calendar months, ascending, from that of the story's first instant on.
    pub month_ends: Vec<i64>,
}

/// A session that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    pub session: u32,
    pub start: i64,
    pub end: i64,
    pub reason: EndReason,
    pub minutes: u32,
    /// The period in which it ended.
    ended_in: usize,
    free: bool,
    /// Whether it had a token and fell silent.
    silent_with_token: bool,
    /// Its minutes by the number of the period. They stay, whatever period is cut off later.
    shares: BTreeMap<usize, u32>,
}

#[derive(Clone, Debug)]
struct Running {
    session: u32,
    start: i64,
    last_heard: i64,
    heard: bool,
    token_until: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct Model {
    rules: Rules,
    pub now: i64,
    pub limit: u32,
    pub talks: Vec<Talk>,
    running: Option<Running>,
    /// Where periods ended so far: at the ends of months, and at resets.
    cuts: Vec<i64>,
}

/// What a start, a heartbeat or an end may be refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    Credits,
    SessionActive,
    SessionNotFound,
}

fn minutes(millis: i64) -> u32 {
    let millis = u32::try_from(millis.max(0)).expect("a session is short");
    millis.div_ceil(60_000)
}

impl Model {
    pub fn new(rules: Rules, now: i64, limit: u32) -> Self {
        Self {
            rules,
            now,
            limit,
            talks: Vec::new(),
            running: None,
            cuts: Vec::new(),
        }
    }

    pub fn period_end(&self) -> i64 {
        let after = self.cuts.last().copied().unwrap_or(i64::MIN).max(self.now);
        *self
            .rules
            .month_ends
            .iter()
            .find(|end| **end > after)
            .expect("the story ends before the months do")
    }

    pub fn running(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.session)
    }

    /// What a talk from `start` to `end` costs in each period that it touches, by the number of the period.
    fn shares(&self, start: i64, end: i64, total: u32) -> BTreeMap<usize, u32> {
        let mut shares = BTreeMap::new();
        let mut paid = 0;
        let mut number = self.cuts.iter().filter(|cut| **cut <= start).count();
        for cut in self.cuts.iter().filter(|cut| **cut > start && **cut < end) {
            let part = minutes(cut - start);
            shares.insert(number, part - paid);
            paid = part;
            number += 1;
        }
        shares.insert(number, total - paid);
        shares
    }

    /// The minutes of each period, by its end, where there are any.
    pub fn minutes_of_periods(&self) -> BTreeMap<i64, u32> {
        let mut sums = BTreeMap::new();
        for talk in &self.talks {
            for (number, share) in &talk.shares {
                let end = self
                    .cuts
                    .get(*number)
                    .copied()
                    .unwrap_or_else(|| self.period_end());
                *sums.entry(end).or_default() += share;
            }
        }
        sums.retain(|_, minutes| *minutes > 0);
        sums
    }

    fn billed(&self) -> u32 {
        let current = self.cuts.len();
        let of = |talk: &Talk| talk.shares.get(&current).copied().unwrap_or(0);
        self.talks.iter().map(of).sum()
    }

    fn carried(&self, start: i64) -> u32 {
        self.cuts.last().map_or(0, |cut| minutes(cut - start))
    }

    pub fn used(&self) -> u32 {
        let running = self.running.as_ref().map_or(0, |running| {
            minutes(self.now - running.start).saturating_sub(self.carried(running.start))
        });
        self.billed() + running
    }

    pub fn remaining(&self) -> u32 {
        self.limit.saturating_sub(self.used())
    }

    /// How long the user may talk from now on, heartbeats coming: try it.
    pub fn millis_remaining(&self) -> i64 {
        let mut ahead = self.clone();
        ahead.rules.stale_after = i64::MAX / 4;
        ahead.rules.heartbeat_interval = i64::MAX / 16;
        if ahead.running.is_none() && ahead.start(u32::MAX, false).is_err() {
            return 0;
        }
        while ahead.running.is_some() {
            ahead.advance(ahead.now + TICK);
        }
        ahead.now - self.now
    }

    /// Walks to `to`.
    pub fn advance(&mut self, to: i64) {
        let mut billed = self.billed();
        while self.now < to {
            let month_end = self.period_end();
            self.now = if self.running.is_some() {
                self.now + TICK
            } else {
                to.min(month_end)
            };
            if self.now >= month_end {
                self.cuts.push(month_end);
                billed = self.billed();
            }
            if self.end_by_itself(billed) {
                billed = self.billed();
            }
        }
    }

    fn end_by_itself(&mut self, billed: u32) -> bool {
        let Some(running) = &self.running else {
            return false;
        };
        let now = self.now;
        let too_long = |max: i64| now >= running.start + max;
        if self.used_up(running, billed) {
            self.finish(EndReason::LimitReached, false);
        } else if self.rules.session_max.is_some_and(too_long) {
            self.finish(EndReason::Timeout, false);
        } else if now >= running.last_heard + self.rules.stale_after {
            self.finish(EndReason::Stale, false);
        } else {
            return false;
        }
        true
    }

    /// The last instant that can be billed: where the minutes, or the longest time, are used up.
    fn stop(&self) -> i64 {
        let mut ahead = self.clone();
        // Within this period: what the next one brings is not billed for a silence in this one.
        ahead.rules.month_ends = vec![i64::MAX];
        ahead.rules.stale_after = i64::MAX / 4;
        ahead.rules.heartbeat_interval = i64::MAX / 16;
        let billed = ahead.billed();
        loop {
            let running = ahead.running.as_ref().expect("a session runs");
            let too_long = |max: i64| ahead.now >= running.start + max;
            if ahead.used_up(running, billed) || ahead.rules.session_max.is_some_and(too_long) {
                return ahead.now;
            }
            ahead.now += TICK;
        }
    }

    /// Whether a millisecond more would be over the limit.
    fn used_up(&self, running: &Running, billed: u32) -> bool {
        let next =
            minutes(self.now + 1 - running.start).saturating_sub(self.carried(running.start));
        billed + next > self.limit
    }

    /// The session is over now: by itself, by a command, or for another session (`failed`).
    fn finish(&mut self, reason: EndReason, failed: bool) {
        let running = self.running.clone().expect("a session runs");
        let (mut end, mut reason, mut until) = (self.now, reason, self.now);
        let is_silent = self.now - running.last_heard > 3 * self.rules.heartbeat_interval;
        if is_silent || reason == EndReason::Stale {
            reason = EndReason::Stale;
            until = self
                .now
                .min(running.last_heard + self.rules.heartbeat_interval);
            let silences = self.of_this_period(|talk| talk.silent_with_token);
            if let Some(token_until) = running.token_until
                && silences >= 2
            {
                until = until.max(token_until.min(self.stop()));
            }
            end = until.min(self.now);
        }
        self.running = None;
        let free = (reason == EndReason::Error || (failed && reason != EndReason::Stale))
            && !running.heard
            && end - running.start <= 60_000
            && self.of_this_period(|talk| talk.free) < 3;
        let whole = minutes(until - running.start).max(1);
        let shares = self.shares(running.start, until, whole);
        self.talks.push(Talk {
            session: running.session,
            start: running.start,
            end,
            reason,
            minutes: if free { 0 } else { whole },
            ended_in: self.cuts.len(),
            free,
            silent_with_token: reason == EndReason::Stale && running.token_until.is_some(),
            shares: if free { BTreeMap::new() } else { shares },
        });
    }

    fn of_this_period(&self, is: impl Fn(&Talk) -> bool) -> usize {
        let current = self.cuts.len();
        let ended_here = self.talks.iter().filter(|talk| talk.ended_in == current);
        ended_here.filter(|talk| is(talk)).count()
    }

    pub fn start(&mut self, session: u32, takeover: bool) -> Result<(), No> {
        if self.running.is_some() {
            if !takeover {
                return Err(No::SessionActive);
            }
            self.finish(EndReason::UserEnded, true);
        }
        if self.remaining() == 0 {
            return Err(No::Credits);
        }
        self.running = Some(Running {
            session,
            start: self.now,
            last_heard: self.now,
            heard: false,
            token_until: None,
        });
        Ok(())
    }

    fn known(&self, session: u32) -> Result<(), No> {
        let mut last = self.talks.iter().rev().take(8);
        if last.any(|talk| talk.session == session) {
            Ok(())
        } else {
            Err(No::SessionNotFound)
        }
    }

    pub fn heartbeat(&mut self, session: u32) -> Result<(), No> {
        match &mut self.running {
            Some(running) if running.session == session => {
                running.last_heard = self.now;
                running.heard = true;
                Ok(())
            }
            _ => self.known(session),
        }
    }

    pub fn end(&mut self, session: u32, reason: EndReason) -> Result<(), No> {
        if self.running() == Some(session) {
            self.finish(reason, false);
            return Ok(());
        }
        self.known(session)
    }

    /// A token is handed out. False where that session does not run.
    pub fn hand_out(&mut self, session: u32, until: i64) -> bool {
        let now = self.now;
        let Some(running) = &mut self.running else {
            return false;
        };
        if running.session != session {
            return false;
        }
        running.last_heard = now;
        running.heard = true;
        running.token_until = running.token_until.max(Some(until));
        true
    }

    /// Whether a reset now would cut at a second of its own. The model leaves the others to the examples.
    pub fn can_reset(&self) -> bool {
        let second = self.now.div_euclid(1_000) * 1_000;
        self.cuts.last().is_none_or(|cut| *cut + 1_000 <= second)
    }

    pub fn change_plan(&mut self, limit: u32, reset: bool) {
        if reset {
            self.cuts.push(self.now.div_euclid(1_000) * 1_000);
        }
        self.limit = limit;
        let billed = self.billed();
        if self
            .running
            .as_ref()
            .is_some_and(|running| self.used_up(running, billed))
        {
            self.finish(EndReason::LimitReached, false);
        }
    }
}
