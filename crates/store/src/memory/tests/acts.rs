//! How each thing that somebody does is carried out: as the components do it, each step a place where it may break off.

use std::time::Duration;

use talktime_usage::{
    Call, CallId, CallProvider, Command, Refusal, Reply, SessionId, Timestamp, UserId,
    calls_to_hang_up, next_look_at_calls,
};

use super::mints::LIMITS;
use super::workload::Asked;
use super::world::{Clock, World};
use crate::Environment;
use crate::call_watch::Watched;
use crate::memory::{MemoryDocuments, Task};
use crate::no_ledger::NoLedger;
use crate::sweep::{SweepError, SweepOrder, sweep};
use crate::users::{ApplyError, Users, WriteMark};

/// What it came to.
pub type Outcome = Result<Option<Reply>, ApplyError>;

/// When somebody looks what became of an offer, and for how long whoever looks has the user for itself.
const LOOK_AFTER: Duration = Duration::from_secs(20);
const CLAIM: Duration = Duration::from_secs(10);

/// What is due so soon is waited for.
const HORIZON: Duration = Duration::from_secs(1);

const TOKEN_LASTS: Duration = Duration::from_mins(2);

impl World {
    /// Users for a component that is granted no ledger.
    fn voice(&self) -> Users<'_, MemoryDocuments, NoLedger> {
        Users::new(&self.documents, &NoLedger, &self.policy, self.simulation)
    }

    pub fn task<'a>(&'a self, asked: &'a Asked, later: Duration) -> Task<'a, Outcome> {
        Box::pin(async move {
            self.simulation.wait(later).await;
            match asked {
                Asked::Command {
                    user,
                    command,
                    repeat,
                } => {
                    let mark = repeat.clone().map(WriteMark::Repeatable);
                    self.command(*user, command, mark).await.map(Some)
                }
                Asked::Sweep { force } => self.swept(*force).await,
                Asked::Token { user, session } => self.token(*user, *session).await,
                Asked::Call { user, session } => self.call(*user, *session).await,
                Asked::Look => self.look().await.map(|()| None),
                Asked::Event(number) => {
                    let event = &self.events[*number];
                    let user = &self.users[event.user].id;
                    event.deliver(&self.protocol(), user).await.map(|()| None)
                }
            }
        })
    }

    async fn command(
        &self,
        user: usize,
        command: &Command,
        mark: Option<WriteMark>,
    ) -> Result<Reply, ApplyError> {
        let users = self.protocol();
        let begun = self.simulation.now();
        if let Command::Heartbeat { session } = command {
            self.touch(*session);
        }
        let mark = mark.unwrap_or_else(|| users.fresh_mark());
        let applied = users.apply(&self.users[user].id, command, &mark).await?;
        if let (Command::Heartbeat { session }, Reply::Heard(heard)) = (command, &applied.reply)
            && heard.ended.is_none()
        {
            self.heard.borrow_mut().push((*session, begun));
        }
        Ok(applied.reply)
    }

    async fn swept(&self, force: bool) -> Outcome {
        let order = SweepOrder {
            batch: 10,
            changed_max: 20,
            retain: None,
            force,
        };
        match sweep(&self.protocol(), order).await {
            Ok(_) | Err(SweepError::ClockSuspect { .. }) => Ok(None),
            Err(SweepError::Store(error)) => Err(error.into()),
        }
    }

    /// A token is minted, asked for at the provider, and handed out or given back.
    async fn token(&self, user: usize, session: SessionId) -> Outcome {
        let (users, id) = (self.voice(), &self.users[user].id);
        let mark = users.fresh_mark();
        let minted = self.mint(user, users.mint(id, Some(session), LIMITS, &mark).await)?;
        let chance = &self.simulation.chance;
        let millis = chance.between(0, *chance.pick(&[10, 4_000]));
        self.simulation.wait(Duration::from_millis(millis)).await;
        if chance.percent(25) {
            self.mints.borrow_mut()[user].give_back(minted);
            users.give_back(id, minted).await?;
            return Ok(None);
        }
        let until = self.simulation.now().plus(TOKEN_LASTS);
        self.touch(session);
        self.tokens.borrow_mut().push((session, until));
        users.hand_out(id, session, until).await?;
        Ok(None)
    }

    /// Notes what became of asking for a place among the mints, and gives its instant.
    fn mint(
        &self,
        user: usize,
        minted: Result<talktime_usage::Minted, ApplyError>,
    ) -> Result<Timestamp, ApplyError> {
        let mut all = self.mints.borrow_mut();
        let mints = &mut all[user];
        mints.ask(self.simulation.now());
        match minted {
            Ok(minted) => {
                self.complain(mints.grant(minted.at));
                Ok(minted.at)
            }
            Err(error) => {
                match error {
                    ApplyError::Refused(Refusal::TooManyMints { .. }) => {
                        self.refused.borrow_mut().push(user);
                    }
                    ApplyError::Refused(Refusal::CallPending { .. })
                        if self.clock == Clock::Steady =>
                    {
                        self.complain(mints.refuse_offer(self.simulation.now()));
                    }
                    _ => {}
                }
                Err(error)
            }
        }
    }

    /// A call is offered, the earlier ones are hung up, the provider answers, and the state is told.
    async fn call(&self, user: usize, session: SessionId) -> Outcome {
        let (users, id) = (self.voice(), &self.users[user].id);
        let look_at = self.simulation.now().plus(LOOK_AFTER);
        let mark = users.fresh_mark();
        self.mints.borrow_mut()[user].offer(self.simulation.now());
        let offer = users.offer_call(id, session, None, LIMITS, look_at, &mark);
        let (minted, open) = match offer.await {
            Ok((minted, open)) => (self.mint(user, Ok(minted))?, open),
            Err(error) => return self.mint(user, Err(error)).map(|_| None),
        };
        for call in open {
            if !self.hang_up(id, &call.id).await? {
                return self.take_back(user, minted).await;
            }
        }
        let Some(call) = self.provider.answer(user, session).await else {
            return self.take_back(user, minted).await;
        };
        let opened = Call::new(
            CallProvider::OpenAi,
            call.clone(),
            session,
            self.simulation.now(),
        );
        self.touch(session);
        match users.open_call(id, opened.clone(), minted).await {
            Ok(_) => {
                self.complain(self.provider.connect(&call));
                return Ok(None);
            }
            Err(ApplyError::Refused(_)) => self.provider.keep(&call),
            Err(ApplyError::Store(_)) => {}
        }
        if !self.hang_up(id, &call).await? {
            match users.open_call(id, opened.given_up(), minted).await {
                Ok(_) | Err(ApplyError::Refused(_)) => self.provider.keep(&call),
                Err(error) => return Err(error),
            }
        }
        self.take_back(user, minted).await
    }

    async fn take_back(&self, user: usize, minted: Timestamp) -> Outcome {
        self.mints.borrow_mut()[user].give_back(minted);
        let id = &self.users[user].id;
        self.voice().give_back(id, minted).await.map(|()| None)
    }

    /// Hangs up a call, and tells the state once that is sure.
    async fn hang_up(&self, user: &UserId, call: &CallId) -> Result<bool, ApplyError> {
        let is_over = self.provider.hang_up(call).await;
        if is_over {
            self.closing(call);
            self.voice().close_call(user, call.clone()).await?;
        }
        Ok(is_over)
    }

    /// To close a call is a sign of life of its session.
    fn closing(&self, call: &CallId) {
        let session = self.provider.session_of(call);
        if let Some(session) = session {
            self.touch(session);
        }
    }

    /// Looks at all calls that are due, as the component for it does.
    async fn look(&self) -> Result<(), ApplyError> {
        let until = self.simulation.now().plus(HORIZON);
        let voice = self.voice();
        for watched in voice.call_watch().all().await? {
            if watched.look.at <= until {
                self.look_at(&watched).await?;
            }
        }
        Ok(())
    }

    async fn look_at(&self, watched: &Watched) -> Result<(), ApplyError> {
        let voice = self.voice();
        let watch = voice.call_watch();
        let early = watched.look.at.since(self.simulation.now());
        self.simulation.wait(early).await;
        let until = self.simulation.now().plus(CLAIM);
        let Some(claimed) = watch.claim(watched, until).await? else {
            return Ok(());
        };
        let user = &claimed.user;
        let mut state = voice.read(user).await?;
        let now = self.simulation.now();
        let unwanted = state
            .as_ref()
            .map(|state| calls_to_hang_up(state, now, &self.policy));
        for call in unwanted.unwrap_or_default() {
            if !self.provider.hang_up(&call.id).await {
                let again = self.simulation.now().plus(Duration::from_secs(1));
                return Ok(watch.again(&claimed, again).await?);
            }
            self.closing(&call.id);
            state = voice.close_call(user, call.id).await?;
        }
        let now = self.simulation.now();
        let next = state.and_then(|state| next_look_at_calls(&state, now, &self.policy));
        Ok(watch.done(&claimed, next).await?)
    }

    /// That session may have given a sign of life by the end of this round.
    fn touch(&self, session: SessionId) {
        self.touched.borrow_mut().insert(session);
    }

    pub fn complain(&self, checked: super::Checked) {
        if let Err(complaint) = checked {
            self.complaint.borrow_mut().get_or_insert(complaint);
        }
    }
}
