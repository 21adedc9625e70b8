//! The tokens and offers of a user, as those know of them who asked.

use std::time::Duration;

use talktime_usage::{MintLimits, Timestamp};

use super::{Checked, ensure};

/// Few, so that they are met.
pub const LIMITS: MintLimits = MintLimits {
    per_minute_max: 3,
    tries_per_minute_max: 6,
};

const WINDOW: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub struct Mints {
    /// When each was asked for. It takes one place at most.
    asked: Vec<Timestamp>,
    /// When each call was about to be offered.
    offered: Vec<Timestamp>,
    /// The instants of those that were granted, and that nobody gave back.
    granted: Vec<Timestamp>,
}

impl Mints {
    pub fn ask(&mut self, now: Timestamp) {
        self.asked.push(now);
    }

    /// One was granted as of that instant.
    pub fn grant(&mut self, at: Timestamp) -> Checked {
        self.granted.push(at);
        let in_a_minute = |last: &&Timestamp| at >= **last && at.since(**last) < WINDOW;
        let count = self.granted.iter().filter(in_a_minute).count();
        let most = LIMITS.per_minute_max;
        ensure!(count <= most, "{count} mints in the minute before {at:?}");
        Ok(())
    }

    /// Somebody asks for its place to be given back, which may be done or not.
    pub fn give_back(&mut self, at: Timestamp) {
        if let Some(place) = self.granted.iter().position(|mint| *mint == at) {
            self.granted.remove(place);
        }
    }

    /// One was refused since there were too many. The last one asked for is this one, or was at once with it.
    pub fn refuse(&self, now: Timestamp) -> Checked {
        let count = |span: Duration| {
            let recent = self.asked.iter().filter(|at| now.since(**at) < span);
            recent.count()
        };
        // One is asked for a while before it is granted.
        let others = count(WINDOW * 2).saturating_sub(1);
        let least = LIMITS.per_minute_max.min(LIMITS.tries_per_minute_max);
        ensure!(others >= least, "refused after {others} mints");
        Ok(())
    }

    pub fn offer(&mut self, now: Timestamp) {
        self.offered.push(now);
    }

    /// An offer was refused since another was on its way. The last of them is this one, or was at once with it.
    pub fn refuse_offer(&self, now: Timestamp) -> Checked {
        let recent = self
            .offered
            .iter()
            .filter(|at| now.since(**at) < WINDOW * 2);
        ensure!(recent.count() > 1, "an offer was refused for no other");
        Ok(())
    }

    /// The time of the user's state was moved.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}
