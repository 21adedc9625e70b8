//! A run: step after step, each checked, and what clients are told compared with what is stored.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use talktime_tests::bench::KV_BEHAVIOURS;
use talktime_usage::{Period, Timestamp};

use crate::checker::{Checked, User, ensure};
use crate::faults::FaultProfile;
use crate::final_check;
use crate::ledger;
use crate::prng::Prng;
use crate::reply_checker::{check_failure, check_refusal, check_repeat, check_reply};
use crate::workload::{self, Invocation, Operation};
use crate::world::{Done, Outcome, World};

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
    faults: u32,
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
            faults,
            sessions,
            users,
        } = self;
        write!(
            f,
            "{steps} steps, {requests} requests ({refused} refused, {failed} failed), {faults} faults, \
             {sessions} sessions of {users} users"
        )
    }
}

/// Runs a seed; the failure has the story that led to it.
pub async fn run(seed: u64, steps: u32, aloud: bool) -> Result<Tally, String> {
    let all = async |run: &mut Run, world: &mut World, prng: &mut Prng| {
        for step in 1..=steps {
            run.tally.steps = step;
            let wait = wait(world, prng);
            world.bench.advance(Duration::from_millis(wait));
            run.step(world, prng).await?;
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
    steps: impl AsyncFnOnce(&mut Run, &mut World, &mut Prng) -> Checked,
) -> Result<Tally, String> {
    let mut prng = Prng::new(seed);
    let behaviour = KV_BEHAVIOURS[usize::try_from(seed % 3).expect("small")];
    let drawn = *prng.pick(&["30", "30", "5", "1"]);
    let interval = alarm_interval_seconds.unwrap_or(drawn);
    let mut world = World::new(behaviour, interval, &mut prng).await;
    let mut run = Run {
        tally: Tally::default(),
        story: VecDeque::new(),
        aloud,
    };
    let mut ended = steps(&mut run, &mut world, &mut prng).await;
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
    async fn step(&mut self, world: &mut World, prng: &mut Prng) -> Checked {
        let index = actor(world, prng);
        world.last_actor = index;
        let now = world.now();
        let invocations = invocations(&mut world.users[index], prng, now);
        let per_mille = *prng.pick(&[0, 0, 5, 20, 60]);
        let profile = FaultProfile {
            per_mille,
            ..FaultProfile::default()
        };
        self.take(world, index, &invocations, profile).await
    }

    /// One step: does all that is asked at once for a user, and checks what came of it.
    pub async fn take(
        &mut self,
        world: &mut World,
        index: usize,
        invocations: &[Invocation],
        profile: FaultProfile,
    ) -> Checked {
        let user = &mut world.users[index];
        user.issue(invocations);
        let before = user.revision();
        let name = user.name.clone();
        // A sweep sees to several users at once.
        let interleave = invocations.len() > 1 || invocations.iter().any(Invocation::sweeps);
        let profile = FaultProfile {
            interleave,
            ..profile
        };
        let done = world.carry_out(&name, invocations, profile).await;
        self.record(world, index, invocations, &done);
        let span = done.span;
        let user = &mut world.users[index];
        for invocation in invocations {
            if let Operation::Heartbeat { session } = &invocation.operation {
                user.sent_heartbeat(session, span);
            }
        }
        let plans: Vec<u32> = invocations
            .iter()
            .filter_map(|invocation| match invocation.operation {
                Operation::Plan { minutes, .. } => Some(minutes),
                _ => None,
            })
            .collect();
        let state = world.bench.state(&name);
        let user = &mut world.users[index];
        user.observe(state.as_ref(), span, &plans)?;
        if invocations
            .iter()
            .all(|invocation| matches!(invocation.operation, Operation::Status))
        {
            ensure!(
                user.revision() == before,
                "a look at {name} changed the state"
            );
        }
        for (invocation, outcome) in invocations.iter().zip(&done.outcomes) {
            let alone = invocations.len() == 1;
            self.check_outcome(&mut world.users[index], invocation, outcome, &done, alone)?;
        }
        if invocations.iter().any(Invocation::sweeps) {
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

    fn record(&mut self, world: &World, index: usize, invocations: &[Invocation], done: &Done) {
        let user = &world.users[index];
        let at = Timestamp::from_unix_millis(done.span.from).utc();
        self.tally.faults += done.faults;
        let mut line = format!("{:4} {at} {}{}", self.tally.steps, user.name, done.log);
        for (invocation, outcome) in invocations.iter().zip(&done.outcomes) {
            let told = match outcome {
                Outcome::Answer(answer) => format!("{} {}", answer.status.as_u16(), answer.body),
                // In which words a crash is told is the host's affair, and not always the same.
                Outcome::Tick(Err(why)) if why.contains("crash") || why.contains("wasm") => {
                    "crashed".to_owned()
                }
                Outcome::Tick(end) => format!("{end:?}"),
            };
            self.tally.requests += 1;
            let mut asked = format!(
                "{:?} {}",
                invocation.operation,
                invocation.key.as_deref().unwrap_or_default()
            );
            if let Operation::Heartbeat { session } | Operation::End { session, .. } =
                &invocation.operation
            {
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
        invocation: &Invocation,
        outcome: &Outcome,
        done: &Done,
        alone: bool,
    ) -> Checked {
        let answer = match outcome {
            Outcome::Tick(end) => {
                ensure!(
                    done.faults > 0 || end.is_ok(),
                    "a sweep failed though nothing else did: {end:?}"
                );
                return Ok(());
            }
            Outcome::Answer(answer) => answer,
        };
        let status = answer.status.as_u16();
        if status >= 500 {
            self.tally.failed += 1;
            return check_failure(user, answer, done, alone);
        }
        if status >= 400 {
            self.tally.refused += 1;
        }
        let body = if status == 200 {
            answer.json()
        } else {
            return check_refusal(user, invocation, answer, alone);
        };
        let again = check_repeat(user, invocation, &body)?;
        check_reply(user, invocation, &body, done.span, again)
    }
}

/// Who acts next: one of the latest users.
fn actor(world: &mut World, prng: &mut Prng) -> usize {
    if world.users.len() < USERS || prng.percent(6) {
        let name = format!("user-{}", world.users.len() + 1);
        world.users.push(User::new(name));
        return world.users.len() - 1;
    }
    let latest = world.users.len() - USERS..world.users.len();
    if prng.percent(35) && latest.contains(&world.last_actor) {
        return world.last_actor;
    }
    // Where an alarm meets a client, both have to get along.
    let due = ledger::due(&world.bench.host.sqlite("default"), world.now());
    let due: Vec<usize> = latest
        .clone()
        .filter(|index| due.contains(&world.users[*index].name))
        .collect();
    if prng.percent(50) && !due.is_empty() {
        return *prng.pick(&due);
    }
    latest.start + usize::try_from(prng.below(USERS as u64)).expect("small")
}

/// What comes next: one request, or a few at once on the same user, a sweep among them at times.
fn invocations(user: &mut User, prng: &mut Prng, now: i64) -> Vec<Invocation> {
    let sweep = |prng: &mut Prng| Invocation {
        operation: if prng.percent(70) {
            Operation::Cron
        } else {
            Operation::Sweep
        },
        key: None,
    };
    if prng.percent(12) {
        return vec![sweep(prng)];
    }
    let first = workload::of_client(user, prng, now);
    let mut invocations = vec![first];
    if prng.percent(35) {
        for _ in 0..prng.between(1, 3) {
            // The same again, as from a client that did not wait; something else; or the alarm.
            let next = match prng.below(10) {
                0..3 => invocations[0].clone(),
                3..6 => sweep(prng),
                _ => workload::of_client(user, prng, now),
            };
            invocations.push(next);
        }
    }
    invocations
}

/// How long it is until the next step, in milliseconds: mostly within a session, at times over the ends of periods.
fn wait(world: &World, prng: &mut Prng) -> u64 {
    const SECOND: u64 = 1_000;
    const HOUR: u64 = 3_600 * SECOND;
    let now = world.now();
    let until = |at: i64| u64::try_from(at - now).unwrap_or(0);
    match prng.below(100) {
        0..30 => 0,
        30..55 => prng.between(1, 40 * SECOND),
        55..70 => prng.between(SECOND, 600 * SECOND),
        70..84 => {
            let (next, _) = ledger::alarms(&world.bench.host.sqlite("default"));
            let next = next.map_or(0, |next| until(next * 1_000));
            next.min(3 * HOUR) + prng.below(2 * SECOND)
        }
        84..92 => prng.between(HOUR, 24 * HOUR),
        92..95 => prng.between(24 * HOUR, 8 * 24 * HOUR),
        _ => {
            let month = Period::calendar_month(Timestamp::from_unix_millis(now));
            (until(month.end().unix_millis()) + prng.below(2 * SECOND)).saturating_sub(SECOND)
        }
    }
}
