//! The commands, each at a time, and what the user is told.

use std::collections::BTreeMap;
use std::time::Duration;

use talktime_usage::{
    Command, EndReason, Heard, Minted, Period, PlanOutcome, Refusal, Reply, Roster, RosterEntry,
    SessionId, SessionStart, Started, Stopped, Timestamp, rows_to_write,
};

use super::{MINT_LIMITS, Scene, order, period, source, subscription};

impl Scene {
    pub fn try_start_at(&mut self, time: &str, takeover: bool) -> Result<Started, Refusal> {
        let session = self.draw();
        let command = Command::Start(SessionStart {
            session,
            topic: None,
            difficulty: None,
            takeover,
        });
        match self.apply(&command, self.when(time))? {
            Reply::Started(started) => {
                self.session = started.session;
                Ok(started)
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn start_at(&mut self, time: &str) -> Started {
        self.try_start_at(time, false).expect("started")
    }

    pub fn start(&mut self) -> Started {
        self.start_at("0:00")
    }

    pub fn try_heartbeat_at(&mut self, time: &str, session: SessionId) -> Result<Heard, Refusal> {
        match self.apply(&Command::Heartbeat { session }, self.when(time))? {
            Reply::Heard(heard) => Ok(heard),
            other => panic!("{other:?}"),
        }
    }

    pub fn heartbeat_at(&mut self, time: &str) -> Heard {
        self.try_heartbeat_at(time, self.session).expect("heard")
    }

    pub fn try_end_at(
        &mut self,
        time: &str,
        session: SessionId,
        reason: EndReason,
    ) -> Result<Stopped, Refusal> {
        match self.apply(&Command::End { session, reason }, self.when(time))? {
            Reply::Stopped(stopped) => Ok(stopped),
            other => panic!("{other:?}"),
        }
    }

    pub fn end_at(&mut self, time: &str) -> Stopped {
        self.try_end_at(time, self.session, EndReason::UserEnded)
            .expect("ended")
    }

    /// A token is asked for; the provider has not answered yet.
    pub fn mint_at(&mut self, time: &str) -> Result<Minted, Refusal> {
        let mint = Command::Mint {
            session: Some(self.session),
            limits: MINT_LIMITS,
        };
        match self.apply(&mint, self.when(time))? {
            Reply::Minted(minted) => Ok(minted),
            other => panic!("{other:?}"),
        }
    }

    /// A token that lives until `until` is handed out.
    pub fn hand_out_at(&mut self, time: &str, until: Timestamp) -> Result<Minted, Refusal> {
        let hand_out = Command::HandOut {
            session: self.session,
            token_until: until,
        };
        match self.apply(&hand_out, self.when(time))? {
            Reply::Minted(minted) => Ok(minted),
            other => panic!("{other:?}"),
        }
    }

    /// A token is asked for, and handed out at once; it lives until the session is stopped.
    pub fn token_at(&mut self, time: &str) -> Result<Minted, Refusal> {
        let minted = self.mint_at(time)?;
        self.hand_out_at(time, minted.until)
    }

    /// A token is asked for, and the provider gives none.
    pub fn failed_mint_at(&mut self, time: &str) -> Result<(), Refusal> {
        let minted = self.mint_at(time)?;
        let failed = Command::MintFailed { mint: minted.at };
        let reply = self.apply(&failed, self.when(time))?;
        assert_eq!(reply, Reply::GivenBack);
        Ok(())
    }

    /// The alarm fires; the ledger has everything.
    pub fn sweep_at(&mut self, time: &str) {
        self.sweep(self.when(time));
    }

    pub fn sweep(&mut self, now: Timestamp) {
        if let Some(state) = &self.state {
            let rows = rows_to_write(state, now, &self.policy);
            for row in &rows {
                self.ledger.write(row);
            }
            self.log.extend(rows);
        }
        let written_through = self.state.as_ref().map_or(0, |state| state.revision);
        let swept = self.apply(&Command::Sweep { written_through }, now);
        assert!(matches!(swept, Ok(Reply::Swept(_))), "{swept:?}");
        // Sweeps must not shift the marks of other writes, by which events of one instant are ordered.
        self.writes -= 1;
    }

    pub fn plan_at(
        &mut self,
        time: &str,
        by: &str,
        plan: Option<&str>,
        period: Option<Period>,
        reset_usage: bool,
    ) {
        let now = self.when(time);
        let change = self.change(by, plan, period, reset_usage, None);
        assert_eq!(
            self.apply(&change, now),
            Ok(Reply::Plan(PlanOutcome::Applied))
        );
    }

    pub fn change(
        &self,
        by: &str,
        plan: Option<&str>,
        period: Option<Period>,
        reset_usage: bool,
        as_of: Option<i64>,
    ) -> Command {
        let find = |name| self.policy.catalogue.find(name).expect(name).clone();
        Command::ChangePlan {
            source: source(by),
            plan: plan.map(find),
            period,
            ends_at: None,
            customer: None,
            reset_usage,
            as_of: as_of.map(order),
        }
    }

    /// A subscription's or the manual grant of that plan and period, which ends by itself.
    pub fn grant_until(
        &mut self,
        time: &str,
        by: &str,
        plan: &str,
        told: Option<Period>,
        until: &str,
    ) {
        let mut change = self.change(by, Some(plan), told, false, None);
        let end = self.when(until);
        if let Command::ChangePlan { ends_at, .. } = &mut change {
            *ends_at = Some(end);
        }
        let applied = Ok(Reply::Plan(PlanOutcome::Applied));
        assert_eq!(self.apply(&change, self.when(time)), applied);
    }

    /// A renewal of that plan is told in the second in which the period begins.
    pub fn renew(&mut self, by: &str, plan: &str, start: &str, end: &str) {
        self.plan_at(start, by, Some(plan), Some(period(start, end)), false);
    }

    /// Talks from `time` on until nothing is left, and says how many minutes that were.
    pub fn use_up(&mut self, time: &str) -> u32 {
        let mut now = self.when(time);
        let left = self.status(now).minutes_remaining.get();
        let before = self.ledger.minutes_of_sessions();
        while self.status(now).minutes_remaining.get() > 0 {
            let session = self.draw();
            let start = Command::Start(SessionStart {
                session,
                topic: None,
                difficulty: None,
                takeover: false,
            });
            self.apply(&start, now).expect("started");
            while self.status(now).active.is_some() {
                now = now.plus(Duration::from_secs(30));
                let _ = self.apply(&Command::Heartbeat { session }, now);
            }
        }
        assert_eq!(self.ledger.minutes_of_sessions() - before, left);
        left
    }

    pub fn roster(&self, as_of: i64, active: &[(&str, &str, Option<Period>)]) -> Command {
        let find = |name| self.policy.catalogue.find(name).expect(name).clone();
        let active: BTreeMap<_, _> = active
            .iter()
            .map(|(id, plan, period)| {
                let entry = RosterEntry {
                    plan: Some(find(plan)),
                    period: *period,
                    ends_at: None,
                };
                (subscription(id), entry)
            })
            .collect();
        Command::Reconcile(Roster {
            customer: None,
            as_of: order(as_of),
            active,
        })
    }
}
