//! A small stage for tests: one user, the rules' settings, a clock that the test sets, and a ledger that obeys the rules
//! of a real one. After each command it checks what must always hold.

mod commands;
pub mod ledger;
pub mod play;

use std::time::Duration;

use talktime_usage::{
    Command, Context, EventOrder, LedgerWrite, MintLimits, Period, Policy, Refusal, Reply,
    SessionId, Source, State, Status, Step, SubscriptionId, Timestamp, UserId, WriteId,
    clock_ahead, status, step,
};
use uuid::Uuid;

use ledger::Ledger;

/// One user's story.
#[derive(Clone)]
pub struct Scene {
    /// The instant that times such as `5:00` count from.
    pub origin: Timestamp,
    pub user: UserId,
    pub policy: Policy,
    /// As the key-value store would hold it.
    pub state: Option<State>,
    /// As SQL would hold it.
    pub ledger: Ledger,
    /// All that the ledger was ever told.
    pub log: Vec<LedgerWrite>,
    /// What each verb of a played story was refused with.
    pub refused: Vec<Refusal>,
    /// The session started last.
    pub session: SessionId,
    drawn: u32,
    writes: u32,
}

/// A date and time.
pub fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect(text)
}

/// A date, or a date and time without the zone.
pub fn day(text: &str) -> Timestamp {
    if text.contains('T') {
        at(&format!("{text}Z"))
    } else {
        at(&format!("{text}T00:00:00Z"))
    }
}

pub fn period(start: &str, end: &str) -> Period {
    Period::new(day(start), day(end)).expect("a period")
}

pub fn subscription(name: &str) -> SubscriptionId {
    SubscriptionId::parse(name).expect("an id")
}

pub fn source(name: &str) -> Source {
    if name == "manual" {
        Source::Manual
    } else {
        Source::Subscription(subscription(name))
    }
}

pub fn order(unix_micros: i64) -> EventOrder {
    EventOrder {
        unix_micros,
        event: format!("event{unix_micros}"),
    }
}

pub fn session_id(number: u32) -> SessionId {
    SessionId::new(Uuid::from_u128(u128::from(number)))
}

/// Few, so that a test gets to the bound soon.
pub const MINT_LIMITS: MintLimits = MintLimits {
    per_minute_max: 3,
    tries_per_minute_max: 8,
};

impl Scene {
    /// A user never seen before, with the default settings. Times such as `5:00` count from `origin`.
    pub fn at(origin: &str) -> Self {
        Self {
            origin: day(origin),
            user: UserId::parse("ann").expect("an id"),
            policy: Policy::default(),
            state: None,
            ledger: Ledger::default(),
            log: Vec::new(),
            refused: Vec::new(),
            session: session_id(0),
            drawn: 0,
            writes: 0,
        }
    }

    /// A user in the middle of a month.
    pub fn new() -> Self {
        Self::at("2026-11-10T09:00:00")
    }

    /// One who was here before: of others nothing is kept as long as nothing is granted.
    pub fn known() -> Self {
        let mut scene = Self::new();
        scene.play("0:00 start, 0:00 end");
        scene
    }

    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    /// The user on a plan by a manual grant.
    pub fn on(mut self, plan: &str) -> Self {
        self.plan_at("0:00", "manual", Some(plan), None, false);
        self
    }

    /// `5:00` and `5:00.250` from the origin, `40d` days from it, or a date as [`day`] reads it.
    pub fn when(&self, time: &str) -> Timestamp {
        if let Some(days) = time.strip_suffix('d') {
            let days: u64 = days.parse().expect(time);
            return self.origin.plus(Duration::from_hours(24 * days));
        }
        let Some((minutes, seconds)) = time.split_once(':').filter(|_| !time.contains('-')) else {
            return day(time);
        };
        let minutes: u64 = minutes.parse().expect(time);
        let seconds: f64 = seconds.parse().expect(time);
        self.origin
            .plus(Duration::from_mins(minutes) + Duration::from_secs_f64(seconds))
    }

    pub fn draw(&mut self) -> SessionId {
        self.drawn += 1;
        session_id(self.drawn)
    }

    /// Carries out a command, as the store would.
    pub fn apply(&mut self, command: &Command, now: Timestamp) -> Result<Reply, Refusal> {
        self.writes += 1;
        let write = WriteId::parse(&format!("write{:09}", self.writes)).expect("an id");
        let context = Context {
            user: &self.user,
            now,
            policy: &self.policy,
            write: &write,
            repeat: None,
            written_through: None,
        };
        match step(self.state.as_ref(), command, &context)? {
            Step::Unchanged(reply) => Ok(reply),
            Step::Changed {
                next,
                writes,
                reply,
            } => {
                self.check_step(&next, &writes, now);
                for write in &writes {
                    self.ledger.write(write);
                }
                self.log.extend(writes);
                self.state = Some(*next);
                self.check();
                Ok(reply)
            }
        }
    }

    fn check_step(&self, next: &State, writes: &[LedgerWrite], now: Timestamp) {
        let before = self.state.as_ref();
        assert_eq!(next.revision, before.map_or(0, |state| state.revision) + 1);
        assert!(next.instant >= now);
        assert!(before.is_none_or(|state| {
            next.instant >= state.instant || clock_ahead(state, now).is_some()
        }));
        for write in writes {
            let sent = next.outbox.iter().any(|sent| sent.write == *write);
            let replaced = next.outbox.iter().any(|sent| write.supersedes(&sent.write));
            assert!(sent || replaced, "{write:?} is not in the outbox");
        }
        let bytes = serde_json::to_vec(next).expect("JSON");
        let again: State = serde_json::from_slice(&bytes).expect("a state");
        assert_eq!(again, *next);
    }

    /// What holds after each step: the sums agree, and nothing that is billed is billed elsewhere too.
    pub fn check(&self) {
        self.ledger.check();
        let Some(state) = &self.state else { return };
        let open = self
            .ledger
            .sessions
            .values()
            .filter(|row| row.ended.is_none());
        let running: Vec<SessionId> = open.map(|row| row.id).collect();
        let expected: Vec<SessionId> = state.session.iter().map(|session| session.id).collect();
        assert_eq!(running, expected, "open rows and the running session");
        if running.is_empty() {
            assert_eq!(
                self.ledger.minutes_of_periods(),
                self.ledger.minutes_of_sessions(),
                "periods and sessions: {:#?}",
                self.ledger
            );
        }
    }

    pub fn status_at(&self, time: &str) -> Status {
        self.status(self.when(time))
    }

    pub fn status(&self, now: Timestamp) -> Status {
        status(&self.user, self.state.as_ref(), now, &self.policy)
    }
}
