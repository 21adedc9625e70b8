//! The commands, each at a time, and what the user is told.

use std::collections::BTreeMap;
use std::time::Duration;

use talktime_usage::{
    Call, CallId, CallProvider, Command, EndReason, Heard, Minted, Period, PlanOutcome, Refusal,
    Reply, RingingCall, Roster, RosterEntry, SessionId, SessionStart, Started, Stopped, Timestamp,
    calls_to_hang_up, rows_to_write,
};

use super::{MINT_LIMITS, Scene, order, period, source, subscription};

impl Scene {
    pub fn try_start_at(&mut self, time: &str, takeover: bool) -> Result<Started, Refusal> {
        self.try_start(time, takeover, false)
    }

    /// A session that waits for a call.
    pub fn try_dial_at(&mut self, time: &str, takeover: bool) -> Result<Started, Refusal> {
        self.try_start(time, takeover, true)
    }

    fn try_start(
        &mut self,
        time: &str,
        takeover: bool,
        awaits_call: bool,
    ) -> Result<Started, Refusal> {
        let session = self.draw();
        let command = Command::Start(SessionStart {
            session,
            topic: None,
            difficulty: None,
            takeover,
            awaits_call,
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

    /// The provider answers the offer of a call, the next one in number.
    pub fn call_at(&mut self, time: &str) -> Result<Minted, Refusal> {
        let offered = self.offer_at(time)?.at;
        self.answer_at(time, offered)
    }

    /// A call is offered to the provider.
    pub fn offer_at(&mut self, time: &str) -> Result<Minted, Refusal> {
        self.offer_or_take_at(time, None)
    }

    /// The provider is about to be told to take that call.
    pub fn take_at(&mut self, time: &str, id: &str) -> Result<Minted, Refusal> {
        let id = CallId::parse(id).expect("an id");
        let provider = CallProvider::OpenAi;
        self.offer_or_take_at(time, Some(RingingCall { provider, id }))
    }

    fn offer_or_take_at(
        &mut self,
        time: &str,
        ringing: Option<RingingCall>,
    ) -> Result<Minted, Refusal> {
        let offer = Command::OfferCall {
            session: self.session,
            ringing,
            limits: MINT_LIMITS,
        };
        match self.apply(&offer, self.when(time))? {
            Reply::Minted(minted) => Ok(minted),
            other => panic!("{other:?}"),
        }
    }

    /// The provider answers the offer of that instant.
    pub fn answer_at(&mut self, time: &str, offered: Timestamp) -> Result<Minted, Refusal> {
        self.calls += 1;
        let id = CallId::parse(&format!("call-{}", self.calls)).expect("an id");
        let call = Call::new(CallProvider::OpenAi, id, self.session, self.when(time));
        match self.apply(&Command::OpenCall { call, offered }, self.when(time))? {
            Reply::Opened(opened) => opened,
            other => panic!("{other:?}"),
        }
    }

    /// The calls that are to be hung up then.
    pub fn to_hang_up_at(&self, time: &str) -> Vec<String> {
        let state = self.state.as_ref().expect("a user");
        let calls = calls_to_hang_up(state, self.when(time), &self.policy);
        calls.iter().map(|call| call.id.to_string()).collect()
    }

    /// The provider says that those calls are over which are to be hung up.
    pub fn hang_up_at(&mut self, time: &str) {
        for call in self.to_hang_up_at(time) {
            let close = Command::CloseCall(CallId::parse(&call).expect("an id"));
            assert_eq!(self.apply(&close, self.when(time)), Ok(Reply::Closed));
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
                awaits_call: false,
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
