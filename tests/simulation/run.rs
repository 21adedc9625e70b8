//! A run: step after step, each checked, and what clients are told compared with what is stored.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use talktime_host::KvBehaviour;
use talktime_usage::{Instant, Period};

use crate::action::{self, Act, Ask};
use crate::chance::Chance;
use crate::final_check;
use crate::ledger;
use crate::model::{Checked, User, ensure};
use crate::told::{check_told, first_answer, may_fail, refused};
use crate::trouble::Mode;
use crate::world::{Done, Outcome, World};

const BEHAVIOURS: [KvBehaviour; 3] = [
    KvBehaviour::Sqlite,
    KvBehaviour::Redis,
    KvBehaviour::Correct,
];

/// Users that act at a time. Now and then one leaves for good and a new one comes.
const USERS: usize = 12;

/// Lines of the story that a failure tells.
const STORY_LINES: usize = 60;

/// What a run did.
#[derive(Debug, Default)]
pub struct Tally {
    steps: u32,
    requests: u32,
    refused: u32,
    failed: u32,
    troubles: u32,
    sessions: usize,
    users: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            steps,
            requests,
            refused,
            failed,
            troubles,
            sessions,
            users,
        } = self;
        write!(
            f,
            "{steps} steps, {requests} requests ({refused} refused, {failed} failed), {troubles} faults, \
             {sessions} sessions of {users} users"
        )
    }
}

/// Runs a seed; the failure has the story that led to it.
pub async fn run(seed: u64, steps: u32, aloud: bool) -> Result<Tally, String> {
    let all = async |run: &mut Run, world: &mut World, chance: &mut Chance| {
        for step in 1..=steps {
            run.tally.steps = step;
            let wait = wait(world, chance);
            world.bench.advance(Duration::from_millis(wait));
            run.step(world, chance).await?;
        }
        Ok(())
    };
    play(seed, None, aloud, all).await
}

/// Lets `steps` happen in a world of that seed, and then checks the books.
pub async fn play(
    seed: u64,
    alarm_interval_seconds: Option<&str>,
    aloud: bool,
    steps: impl AsyncFnOnce(&mut Run, &mut World, &mut Chance) -> Checked,
) -> Result<Tally, String> {
    let mut chance = Chance::new(seed);
    let behaviour = BEHAVIOURS[usize::try_from(seed % 3).expect("small")];
    let drawn = *chance.pick(&["30", "30", "5", "1"]);
    let interval = alarm_interval_seconds.unwrap_or(drawn);
    let mut world = World::new(behaviour, interval, &mut chance).await;
    let mut run = Run {
        tally: Tally::default(),
        story: VecDeque::new(),
        aloud,
    };
    let mut ended = steps(&mut run, &mut world, &mut chance).await;
    if ended.is_ok() {
        run.tell("the end: sweeps until nothing is due".to_owned());
        ended = final_check::drain(&mut world).await;
    }
    let ended = ended.and_then(|()| final_check::check(&world));
    run.tally.users = world.users.len();
    run.tally.sessions = world.users.iter().map(|user| user.sessions.len()).sum();
    ended.map_err(|complaint| {
        let story: Vec<String> = run.story.into();
        format!(
            "seed {seed} on {behaviour:?}\n{}\n{complaint}",
            story.join("\n")
        )
    })?;
    Ok(run.tally)
}

/// A run on its way.
pub struct Run {
    tally: Tally,
    story: VecDeque<String>,
    aloud: bool,
}

impl Run {
    async fn step(&mut self, world: &mut World, chance: &mut Chance) -> Checked {
        let index = actor(world, chance);
        world.last_actor = index;
        let now = world.now();
        let asks = asks(&mut world.users[index], chance, now);
        let per_mille = *chance.pick(&[0, 0, 5, 20, 60]);
        let mode = Mode {
            per_mille,
            ..Mode::default()
        };
        self.take(world, index, &asks, mode).await
    }

    /// One step: does all that is asked at once for a user, and checks what came of it.
    pub async fn take(
        &mut self,
        world: &mut World,
        index: usize,
        asks: &[Ask],
        mode: Mode,
    ) -> Checked {
        let user = &mut world.users[index];
        user.issue(asks);
        let before = user.revision();
        let name = user.name.clone();
        // A sweep sees to several users at once.
        let interleave = asks.len() > 1 || asks.iter().any(Ask::sweeps);
        let mode = Mode { interleave, ..mode };
        let done = world.carry_out(&name, asks, mode).await;
        self.record(world, index, asks, &done);
        let span = done.span;
        let user = &mut world.users[index];
        for ask in asks {
            if let Act::Heartbeat { session } = &ask.act {
                user.sent_heartbeat(session, span);
            }
        }
        let plans: Vec<u32> = asks
            .iter()
            .filter_map(|ask| match ask.act {
                Act::Plan { minutes, .. } => Some(minutes),
                _ => None,
            })
            .collect();
        let state = world.state(&name);
        let user = &mut world.users[index];
        user.observe(state.as_ref(), span, &plans)?;
        if asks.iter().all(|ask| matches!(ask.act, Act::Status)) {
            ensure!(
                user.revision() == before,
                "a look at {name} changed the state"
            );
        }
        for (ask, outcome) in asks.iter().zip(&done.outcomes) {
            let alone = asks.len() == 1;
            self.check_outcome(&mut world.users[index], ask, outcome, &done, alone)?;
        }
        if asks.iter().any(Ask::sweeps) {
            return final_check::observe_all(world, span);
        }
        let ledger = world.bench.host.sqlite("default");
        ledger::check(&ledger, &world.users[index])?;
        state.map_or(Ok(()), |state| {
            ledger::check_alarm(&ledger, &state, span.to)
        })
    }

    fn tell(&mut self, line: String) {
        if self.aloud {
            println!("{line}");
        }
        self.story.push_back(line);
        if self.story.len() > STORY_LINES {
            self.story.pop_front();
        }
    }

    fn record(&mut self, world: &World, index: usize, asks: &[Ask], done: &Done) {
        let user = &world.users[index];
        let at = Instant::from_unix_millis(done.span.from).utc();
        self.tally.troubles += done.troubles;
        let mut line = format!("{:4} {at} {}{}", self.tally.steps, user.name, done.log);
        for (ask, outcome) in asks.iter().zip(&done.outcomes) {
            let told = match outcome {
                Outcome::Answer(answer) => format!("{} {}", answer.status.as_u16(), answer.body),
                // In which words a crash is told is the host's affair, and not always the same.
                Outcome::Tick(Err(why)) if why.contains("crash") || why.contains("wasm") => {
                    "crashed".to_owned()
                }
                Outcome::Tick(end) => format!("{end:?}"),
            };
            self.tally.requests += 1;
            let mut asked = format!("{:?} {}", ask.act, ask.key.as_deref().unwrap_or_default());
            if let Act::Heartbeat { session } | Act::End { session, .. } = &ask.act {
                asked = asked.replace(session.as_str(), &user.label(session));
            }
            let told: String = told.chars().take(300).collect();
            line = format!("{line}\n   {asked}\n      -> {told}");
        }
        self.tell(line);
    }

    fn check_outcome(
        &mut self,
        user: &mut User,
        ask: &Ask,
        outcome: &Outcome,
        done: &Done,
        alone: bool,
    ) -> Checked {
        let answer = match outcome {
            Outcome::Tick(end) => {
                ensure!(
                    done.troubles > 0 || end.is_ok(),
                    "a sweep failed though nothing else did: {end:?}"
                );
                return Ok(());
            }
            Outcome::Answer(answer) => answer,
        };
        let status = answer.status.as_u16();
        if status >= 500 {
            self.tally.failed += 1;
            return may_fail(user, answer, done, alone);
        }
        if status >= 400 {
            self.tally.refused += 1;
        }
        let body = if status == 200 {
            answer.json()
        } else {
            return refused(user, ask, answer, alone);
        };
        let again = first_answer(user, ask, &body)?;
        check_told(user, ask, &body, done.span, again)
    }
}

/// Who acts next: one of the latest users.
fn actor(world: &mut World, chance: &mut Chance) -> usize {
    if world.users.len() < USERS || chance.percent(6) {
        let name = format!("user-{}", world.users.len() + 1);
        world.users.push(User::new(name));
        return world.users.len() - 1;
    }
    let latest = world.users.len() - USERS..world.users.len();
    if chance.percent(35) && latest.contains(&world.last_actor) {
        return world.last_actor;
    }
    // Where an alarm meets a client, both have to get along.
    let due = ledger::due(&world.bench.host.sqlite("default"), world.now());
    let due: Vec<usize> = latest
        .clone()
        .filter(|index| due.contains(&world.users[*index].name))
        .collect();
    if chance.percent(50) && !due.is_empty() {
        return *chance.pick(&due);
    }
    latest.start + usize::try_from(chance.below(USERS as u64)).expect("small")
}

/// What comes next: one request, or a few at once on the same user, a sweep among them at times.
fn asks(user: &mut User, chance: &mut Chance, now: i64) -> Vec<Ask> {
    let sweep = |chance: &mut Chance| Ask {
        act: if chance.percent(70) {
            Act::Cron
        } else {
            Act::Sweep
        },
        key: None,
    };
    if chance.percent(12) {
        return vec![sweep(chance)];
    }
    let first = action::of_client(user, chance, now);
    let mut asks = vec![first];
    if chance.percent(35) {
        for _ in 0..chance.between(1, 3) {
            // The same again, as from a client that did not wait; something else; or the alarm.
            let next = match chance.below(10) {
                0..3 => asks[0].clone(),
                3..6 => sweep(chance),
                _ => action::of_client(user, chance, now),
            };
            asks.push(next);
        }
    }
    asks
}

/// How long it is until the next step, in milliseconds: mostly within a session, at times over the ends of periods.
fn wait(world: &World, chance: &mut Chance) -> u64 {
    const SECOND: u64 = 1_000;
    const HOUR: u64 = 3_600 * SECOND;
    let now = world.now();
    let until = |at: i64| u64::try_from(at - now).unwrap_or(0);
    match chance.below(100) {
        0..30 => 0,
        30..55 => chance.between(1, 40 * SECOND),
        55..70 => chance.between(SECOND, 600 * SECOND),
        70..84 => {
            let (next, _) = ledger::alarms(&world.bench.host.sqlite("default"));
            let next = next.map_or(0, |next| until(next * 1_000));
            next.min(3 * HOUR) + chance.below(2 * SECOND)
        }
        84..92 => chance.between(HOUR, 24 * HOUR),
        92..95 => chance.between(24 * HOUR, 8 * 24 * HOUR),
        _ => {
            let month = Period::calendar_month(Instant::from_unix_millis(now));
            (until(month.end().unix_millis()) + chance.below(2 * SECOND)).saturating_sub(SECOND)
        }
    }
}
