//! What pages, the billing side and schedulers do.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use talktime_store::{Environment, SweepOrder, plan_news, sweep};
use talktime_usage::{CallId, Command, EndReason, PlanNews, SessionId, SessionStart, Source};
use talktime_voice::calls::read_id;
use talktime_voice::sdp::Offer;
use talktime_voice::{CallSetup, HangUpReport, HangUps, MintError, PhoneCall, Taking};

use super::world::{KEY, Kind, Person, World};
use super::{Checked, ensure};

const SDP: &str = "v=0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";

/// How often the cron component runs, and how far ahead it looks.
pub const TICK: Duration = Duration::from_secs(1);

/// How often a sweep runs.
pub const SWEPT_EVERY: Duration = Duration::from_secs(10);

const ORDER: SweepOrder = SweepOrder {
    batch: 10,
    changed_max: 20,
    retain: None,
    force: true,
};

/// What somebody does.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A page starts a session and, if it is to talk, offers a call.
    Start {
        wanted: SessionStart,
        offers: bool,
    },
    Offer(SessionId),
    Beat(SessionId),
    End(SessionId, EndReason),
    /// The phone rings. The operator's server keeps the session that is started for it alive.
    Ring(SessionId),
    /// Nothing more is heard of the page. Its call goes on.
    Vanish,
    Plan {
        name: &'static str,
        reset_usage: bool,
    },
}

impl World {
    /// Draws what somebody does.
    pub fn draw(&self, person: &Person) -> Asked {
        let chance = &self.simulation.chance;
        let running = person.page.get();
        let known = person.sessions.borrow();
        let known = running.filter(|_| chance.percent(85)).or_else(|| {
            let any = (!known.is_empty()).then(|| *chance.pick(&known));
            any.filter(|_| running.is_some() || chance.percent(30))
        });
        let fresh = || {
            self.drawn.set(self.drawn.get() + 1);
            let id = format!("00000000-0000-4000-8000-{:012x}", self.drawn.get());
            SessionId::parse(&id).expect("an id")
        };
        let start = || Asked::Start {
            wanted: SessionStart {
                session: fresh(),
                topic: None,
                difficulty: None,
                takeover: chance.percent(40),
                awaits_call: chance.percent(80),
            },
            offers: chance.percent(85),
        };
        match (chance.below(100), known) {
            (0..14, _) => {
                let name = *chance.pick(&["free", "basic", "basic", "pro"]);
                let reset_usage = chance.percent(35);
                Asked::Plan { name, reset_usage }
            }
            (14..20, _) => Asked::Ring(fresh()),
            (20..32, _) | (_, None) => start(),
            (32..55, Some(session)) => Asked::Offer(session),
            (55..65, Some(session)) => Asked::Beat(session),
            (65..85, Some(session)) => {
                let reason = *chance.pick(&[EndReason::UserEnded, EndReason::Error]);
                Asked::End(session, reason)
            }
            _ => Asked::Vanish,
        }
    }

    pub async fn carry_out(&self, person: &Person, asked: &Asked) -> Checked {
        let users = self.users();
        let mark = users.fresh_mark();
        let user = &person.id;
        match asked {
            Asked::Start { wanted, offers } => {
                let session = wanted.session;
                person.sessions.borrow_mut().push(session);
                if wanted.awaits_call {
                    person.awaiting.borrow_mut().push(session);
                }
                if !self.told(&users.start(user, wanted.clone(), &mark).await)? {
                    return Ok(());
                }
                person.page.set(Some(session));
                person
                    .next_beat
                    .set(self.simulation.elapsed() + self.policy.heartbeat_interval);
                if *offers {
                    let later = self.simulation.chance.between(0, 1_000);
                    self.simulation.wait(Duration::from_millis(later)).await;
                    self.offer(person, session).await?;
                }
                Ok(())
            }
            Asked::Offer(session) => self.offer(person, *session).await,
            Asked::Ring(session) => self.ring(person, *session).await,
            Asked::Beat(session) => self
                .told(&users.heartbeat(user, *session, &mark).await)
                .map(drop),
            Asked::End(session, reason) => {
                if person.page.get() == Some(*session) {
                    person.page.set(None);
                }
                self.told(&users.end(user, *session, *reason, &mark).await)
                    .map(drop)
            }
            Asked::Vanish => {
                person.page.set(None);
                Ok(())
            }
            Asked::Plan { name, reset_usage } => {
                let news = PlanNews {
                    user: user.clone(),
                    command: Command::ChangePlan {
                        source: Source::Manual,
                        plan: self.policy.catalogue.find(name).cloned(),
                        period: None,
                        ends_at: None,
                        customer: None,
                        reset_usage: *reset_usage,
                        as_of: None,
                    },
                    as_of: None,
                    told: Vec::new(),
                    taken: Vec::new(),
                };
                self.told(&plan_news::tell(&users, &news, &mark).await)
                    .map(drop)
            }
        }
    }

    /// A page offers a call. If it gets the answer, it talks.
    async fn offer(&self, person: &Person, session: SessionId) -> Checked {
        let users = self.users_without_ledger();
        let account = match self.simulation.chance.below(3) {
            0 => self.accounts.openai_live.as_ref(),
            _ => self.accounts.openai.as_ref(),
        };
        let account = account.expect("an account");
        let setup = CallSetup {
            user: &person.id,
            session,
            account,
            accounts: &self.accounts,
            model: "m-1",
            voice: None,
            offer: &Offer::parse(SDP).expect("an offer"),
        };
        let opened = RefCell::new(None);
        let send = async |request| {
            let answer = self.provider.answer(Some(session), request).await?;
            // Hanging up gives none.
            if let Some(id) = read_id(account, &answer) {
                opened.replace(Some(id));
            }
            Ok(answer)
        };
        match setup.run(&users, &users.fresh_mark(), send).await {
            Ok(set_up) => {
                let id = set_up.opened.id;
                self.simulation
                    .note(|| format!("{} talks in {id}", person.id));
                self.provider.deliver(id.as_str());
                Ok(())
            }
            Err(error) => {
                if let Some(id) = opened.take().filter(|_| self.kind == Kind::Steady) {
                    self.check_abandoned(&id)?;
                }
                self.told::<(), MintError>(&Err(error)).map(drop)
            }
        }
    }

    /// A phone call comes in. If it is taken, somebody sends heartbeats for it.
    async fn ring(&self, person: &Person, session: SessionId) -> Checked {
        let users = self.users();
        let wanted = SessionStart {
            session,
            topic: None,
            difficulty: None,
            takeover: false,
            awaits_call: true,
        };
        person.sessions.borrow_mut().push(session);
        person.awaiting.borrow_mut().push(session);
        if !self.told(&users.start(&person.id, wanted, &users.fresh_mark()).await)? {
            return Ok(());
        }
        let call = PhoneCall {
            id: &CallId::parse(&format!("phone_{session}")).expect("an id"),
            account: self.accounts.openai.as_ref().expect("an account"),
            accounts: &self.accounts,
        };
        let taking = Taking {
            user: &person.id,
            session,
            model: "m-1",
            instructions: None,
        };
        let send = async |request| self.provider.answer(Some(session), request).await;
        let taken = call.take(taking, &self.users_without_ledger(), send).await;
        if self.told(&taken)? {
            person.page.set(Some(session));
            let interval = self.policy.heartbeat_interval;
            person.next_beat.set(self.simulation.elapsed() + interval);
        } else if matches!(taken, Err(MintError::Provider(_))) {
            let mark = users.fresh_mark();
            let ended = users
                .end(&person.id, session, EndReason::Error, &mark)
                .await;
            self.told(&ended)?;
        }
        Ok(())
    }

    /// The page sends heartbeats, until its session is over.
    pub async fn beats(&self, person: &Person, end: Duration) -> Checked {
        loop {
            let Some(session) = person.page.get() else {
                return Ok(());
            };
            let next = person.next_beat.get();
            if next >= end {
                return Ok(());
            }
            self.simulation
                .wait(next.saturating_sub(self.simulation.elapsed()))
                .await;
            if person.page.get() != Some(session) {
                continue;
            }
            person
                .next_beat
                .set(self.simulation.elapsed() + self.policy.heartbeat_interval);
            let users = self.users();
            let heard = users
                .heartbeat(&person.id, session, &users.fresh_mark())
                .await;
            self.told(&heard)?;
            if heard.is_ok_and(|heard| heard.ended.is_some()) && person.page.get() == Some(session)
            {
                person.page.set(None);
            }
        }
    }

    /// The cron component, each second until `end`, and as long as anybody needs it. Ticks overlap, as they do on Spin.
    pub async fn cron(&self, end: Duration) -> Checked {
        let users = self.users_without_ledger();
        let hang_ups = HangUps {
            users: &users,
            accounts: &self.accounts,
        };
        let send = async |request| self.provider.answer(None, request).await;
        let mut ticks = FuturesUnordered::new();
        let mut next = self.simulation.elapsed();
        while next < end || self.busy.get() > 0 || !ticks.is_empty() {
            // One that finds nobody watched does nothing, and most would: they are left out.
            if self.is_anybody_watched() {
                ticks.push(hang_ups.run(TICK, &send));
            }
            next += TICK;
            let mut pause = self
                .simulation
                .wait(next.saturating_sub(self.simulation.elapsed()));
            loop {
                if ticks.is_empty() {
                    pause.await;
                    break;
                }
                match select(&mut pause, ticks.next()).await {
                    Either::Left(_) => break,
                    Either::Right((ticked, _)) => {
                        self.told(&ticked.unwrap_or_else(|| Ok(HangUpReport::default())))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sweeps until `end`.
    pub async fn sweeps(&self, end: Duration) -> Checked {
        while self.simulation.elapsed() < end {
            let busy = self.busy();
            let swept = sweep(&self.users(), ORDER).await;
            drop(busy);
            self.told(&swept)?;
            let left = end.saturating_sub(self.simulation.elapsed());
            self.simulation.wait(left.min(SWEPT_EVERY)).await;
        }
        Ok(())
    }

    /// Looks at calls and alarms once.
    pub async fn look_once(&self) -> Checked {
        let users = self.users_without_ledger();
        let hang_ups = HangUps {
            users: &users,
            accounts: &self.accounts,
        };
        let send = async |request| self.provider.answer(None, request).await;
        self.told(&sweep(&self.users(), ORDER).await)?;
        self.told(&hang_ups.run(TICK, send).await).map(drop)
    }

    /// Whether it went well. No word of what went wrong may have the key in it.
    fn told<T, E: std::error::Error>(&self, outcome: &Result<T, E>) -> Result<bool, String> {
        let Err(error) = outcome else { return Ok(true) };
        let text = format!("{error} {error:?}");
        self.simulation.note(|| format!("-- {error}"));
        ensure!(!text.contains(KEY), "the key is shown: {text}");
        Ok(false)
    }
}
