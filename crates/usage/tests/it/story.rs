//! Random stories: what happens, when, and under which settings.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use talktime_usage::{
    Catalogue, Command, EndReason, MintLimits, Period, SessionId, SessionStart, Timestamp,
};

use crate::model::TICK;
use crate::scene::{Scene, day, period, session_id};

pub const PLANS: [(&str, u32); 4] = [("free", 3), ("lite", 4), ("basic", 8), ("pro", 20)];

#[derive(Clone, Debug)]
pub enum Act {
    Start {
        takeover: bool,
    },
    /// One of the sessions so far, mostly the last.
    Heartbeat(Index),
    End(Index, EndReason),
    Mint,
    /// A token that lives for so long is handed out.
    HandOut {
        index: Index,
        lives: i64,
    },
    Plan {
        plan: usize,
        reset: bool,
    },
    Sweep,
    /// A subscription tells its plan and period.
    Subscription {
        by: &'static str,
        plan: Option<usize>,
        told: Option<Period>,
        /// After so long it ends by itself.
        ends_in: Option<i64>,
    },
}

/// When the next thing happens.
#[derive(Clone, Copy, Debug)]
pub enum Pause {
    Millis(i64),
    /// As long before or after the next end of a month.
    MonthEnd(i64),
    /// The clock is behind for this one.
    Back(i64),
}

fn ticks(from: i64, to: i64) -> impl Strategy<Value = i64> {
    (from * 1_000 / TICK..=to * 1_000 / TICK).prop_map(|ticks| ticks * TICK)
}

fn pause() -> impl Strategy<Value = Pause> {
    prop_oneof![
        2 => ticks(0, 2).prop_map(Pause::Millis),
        4 => ticks(0, 240).prop_map(Pause::Millis),
        2 => (0..9_i64).prop_map(|minutes| Pause::Millis(minutes * 60_000)),
        1 => ticks(0, 2_000).prop_map(Pause::Millis),
        1 => ticks(-200, 200).prop_map(Pause::MonthEnd),
        1 => (1..70_i64).prop_map(|days| Pause::Millis(days * 86_400_000)),
        1 => ticks(0, 60).prop_map(Pause::Back),
    ]
}

pub fn act() -> impl Strategy<Value = Act> {
    let reason = select(vec![
        EndReason::UserEnded,
        EndReason::Error,
        EndReason::Error,
    ]);
    let reset = proptest::bool::weighted(0.25);
    prop_oneof![
        5 => proptest::bool::weighted(0.3).prop_map(|takeover| Act::Start { takeover }),
        7 => any::<Index>().prop_map(Act::Heartbeat),
        3 => (any::<Index>(), reason).prop_map(|(session, reason)| Act::End(session, reason)),
        1 => Just(Act::Mint),
        3 => (any::<Index>(), ticks(10, 900)).prop_map(|(index, lives)| Act::HandOut { index, lives }),
        2 => (0..PLANS.len(), reset).prop_map(|(plan, reset)| Act::Plan { plan, reset }),
        1 => Just(Act::Sweep),
    ]
}

pub fn subscription_act() -> impl Strategy<Value = Act> {
    let told = select(vec![
        period("2026-10-25", "2026-11-25"),
        period("2026-11-30T23:57:00", "2026-12-30T23:57:00"),
        period("2026-12-01", "2027-01-01"),
        period("2026-11-29T23:55:00", "2026-11-30T23:55:00"),
        period("2026-11-26T00:05:00", "2026-11-28T00:05:00"),
        period("2026-12-31", "2027-01-31"),
    ]);
    let plan = proptest::option::of(0..PLANS.len());
    let by = select(vec!["a", "b"]);
    let ends_in = proptest::option::weighted(0.4, ticks(0, 900));
    (by, plan, proptest::option::of(told), ends_in).prop_map(|(by, plan, told, ends_in)| {
        Act::Subscription {
            by,
            plan,
            told,
            ends_in,
        }
    })
}

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub stale_after: i64,
    pub session_max: Option<i64>,
}

pub fn settings() -> impl Strategy<Value = Settings> {
    let stale_after = select(vec![60_000, 180_000, 200_500, 600_000]);
    let session_max = select(vec![None, Some(240_000), Some(300_500), Some(3_600_000)]);
    (stale_after, session_max).prop_map(|(stale_after, session_max)| Settings {
        stale_after,
        session_max,
    })
}

pub const ORIGIN: &str = "2026-11-30T23:50:00";

pub fn scene(settings: Settings) -> Scene {
    let millis = |millis: i64| Duration::from_millis(millis.unsigned_abs());
    Scene::at(ORIGIN).policy(|policy| {
        let plans: BTreeMap<_, _> = PLANS
            .iter()
            .map(|(name, minutes)| (name, BTreeMap::from([("minutes", minutes)])))
            .collect();
        let json = serde_json::to_string(&plans).expect("JSON");
        policy.catalogue = Catalogue::parse(&json).expect("valid");
        policy.stale_after = millis(settings.stale_after);
        policy.session_max = settings.session_max.map(millis);
    })
}

pub fn month_ends() -> Vec<i64> {
    let month = |n: u32| day(&format!("{}-{:02}-01", 2026 + n / 12, n % 12 + 1)).unix_millis();
    (11..2_000).map(month).collect()
}

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

/// A story's clock.
pub struct Clock {
    pub wall: i64,
    pub month_ends: Vec<i64>,
}

impl Clock {
    pub fn new() -> Self {
        Self {
            wall: day(ORIGIN).unix_millis(),
            month_ends: month_ends(),
        }
    }

    pub fn after(&mut self, pause: Pause) -> i64 {
        match pause {
            Pause::Millis(millis) => self.wall += millis,
            Pause::Back(millis) => return self.wall - millis,
            Pause::MonthEnd(millis) => {
                let next = self.month_ends.iter().find(|end| **end > self.wall);
                self.wall = self.wall.max(next.expect("months enough") + millis);
            }
        }
        self.wall
    }
}

/// The command of an act at `now`, given the sessions started so far.
pub fn command(
    act: &Act,
    now: Timestamp,
    scene: &mut Scene,
    sessions: &mut Vec<SessionId>,
) -> Command {
    // The last session as often as all others.
    let pick = |index: &Index, sessions: &[SessionId]| {
        let at = index.index(2 * sessions.len() + 1);
        sessions
            .get(at)
            .or(sessions.last())
            .copied()
            .unwrap_or(session_id(999))
    };
    match act {
        Act::Start { takeover } => {
            let session = scene.draw();
            sessions.push(session);
            Command::Start(SessionStart {
                session,
                topic: None,
                difficulty: None,
                takeover: *takeover,
            })
        }
        Act::Heartbeat(index) => Command::Heartbeat {
            session: pick(index, sessions),
        },
        Act::End(index, reason) => Command::End {
            session: pick(index, sessions),
            reason: *reason,
        },
        Act::Mint => Command::Mint {
            session: None,
            limits: MintLimits {
                per_minute_max: 1_000,
                tries_per_minute_max: 1_000,
            },
        },
        Act::HandOut { index, lives } => Command::HandOut {
            session: pick(index, sessions),
            token_until: now.plus(Duration::from_millis(lives.unsigned_abs())),
        },
        Act::Plan { plan, reset } => {
            scene.change("manual", Some(PLANS[*plan].0), None, *reset, None)
        }
        Act::Subscription {
            by,
            plan,
            told,
            ends_in,
        } => {
            let plan = plan.map(|plan| PLANS[plan].0);
            let mut change = scene.change(by, plan, *told, false, None);
            if let Command::ChangePlan { ends_at, .. } = &mut change {
                *ends_at = ends_in.map(|span| now.plus(Duration::from_millis(span.unsigned_abs())));
            }
            change
        }
        Act::Sweep => Command::Sweep {
            written_through: scene.state.as_ref().map_or(0, |state| state.revision),
        },
    }
}

pub fn story(act: impl Strategy<Value = Act>) -> impl Strategy<Value = Vec<(Pause, Act)>> {
    proptest::collection::vec((pause(), act), 1..25)
}
