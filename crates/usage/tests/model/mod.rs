//! A plain model of section 2, written from the design's sentences. It walks through time in ticks of half a second, keeps
//! a list of who talked from when to when, and adds up minutes only when it is asked.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a model of a test may panic"
)]

use std::collections::BTreeMap;

use talktime_usage::EndReason;

/// All instants of a story are multiples of it, so that every limit and every end falls on a tick.
pub const TICK: i64 = 500;

#[derive(Clone, Debug)]
pub struct Rules {
    pub stale_after: i64,
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
    /// Its minutes by the number of the period. They stay, whatever period is cut off later.
    shares: BTreeMap<usize, u32>,
}

#[derive(Clone, Debug)]
struct Running {
    session: u32,
    start: i64,
    last_heard: i64,
    heard: bool,
    minted: bool,
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
        if self.used_up(running, billed) {
            self.finish(now, EndReason::LimitReached);
        } else if self
            .rules
            .session_max
            .is_some_and(|max| now >= running.start + max)
        {
            self.finish(now, EndReason::Timeout);
        } else if now >= running.last_heard + self.rules.stale_after {
            let last_heard = running.last_heard;
            self.finish(last_heard, EndReason::Stale);
        } else {
            return false;
        }
        true
    }

    /// Whether a millisecond more would be over the limit.
    fn used_up(&self, running: &Running, billed: u32) -> bool {
        let next =
            minutes(self.now + 1 - running.start).saturating_sub(self.carried(running.start));
        billed + next > self.limit
    }

    fn finish(&mut self, end: i64, reason: EndReason) {
        let running = self.running.take().expect("a session runs");
        let free = reason == EndReason::Error && !running.heard && !running.minted;
        let whole = minutes(end - running.start).max(1);
        let shares = self.shares(running.start, end, whole);
        self.talks.push(Talk {
            session: running.session,
            start: running.start,
            end,
            reason,
            minutes: if free { 0 } else { whole },
            shares: if free { BTreeMap::new() } else { shares },
        });
    }

    pub fn start(&mut self, session: u32, takeover: bool) -> Result<(), No> {
        if self.running.is_some() {
            if !takeover {
                return Err(No::SessionActive);
            }
            self.finish(self.now, EndReason::UserEnded);
        }
        if self.remaining() == 0 {
            return Err(No::Credits);
        }
        self.running = Some(Running {
            session,
            start: self.now,
            last_heard: self.now,
            heard: false,
            minted: false,
        });
        Ok(())
    }

    fn known(&self, session: u32) -> Result<(), No> {
        let mut last = self.talks.iter().rev().take(4);
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
            self.finish(self.now, reason);
            return Ok(());
        }
        self.known(session)
    }

    pub fn mint(&mut self) {
        if let Some(running) = &mut self.running {
            running.minted = true;
        }
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
            self.finish(self.now, EndReason::LimitReached);
        }
    }
}
