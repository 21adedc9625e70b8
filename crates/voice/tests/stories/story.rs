//! A story: steps in which some do something at once, then quiet.

use std::time::Duration;

use talktime_store::Environment;
use talktime_store::memory::Task;
use talktime_usage::Timestamp;

use super::pages::{Asked, SWEPT_EVERY, TICK};
use super::provider::Mood;
use super::world::{End, Kind, Person, Span, World};
use super::{Checked, ensure};

/// How long what went wrong can be felt: a write that lands late.
const TROUBLE: Duration = Duration::from_secs(15);

/// More looks than it takes until nothing is due.
const LOOKS_MAX: u32 = 300;

/// A task that the cron component is needed for.
pub struct Busy<'a>(&'a World);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let busy = &self.0.busy;
        busy.set(busy.get() - 1);
    }
}

/// What surrounds a step.
struct Weather {
    /// How many calls to the stores of a thousand go wrong.
    per_mille: u64,
    mood: Mood,
    /// In how many processes the cron component runs.
    crons: u32,
    sweeps: bool,
}

impl World {
    pub fn busy(&self) -> Busy<'_> {
        self.busy.set(self.busy.get() + 1);
        Busy(self)
    }

    /// Some twenty to thirty steps, then quiet, and the books.
    pub fn play(&mut self) -> Checked {
        let chance = &self.simulation.chance;
        for _ in 0..chance.between(18, 30) {
            if self.kind == Kind::Rough && chance.percent(8) {
                self.stand_still(Duration::from_secs(chance.between(1, 600)));
            }
            self.step()?;
        }
        self.drain()?;
        self.check_books()
    }

    fn weather(&self) -> Weather {
        let chance = &self.simulation.chance;
        let moods = [Mood::Fickle, Mood::Fickle, Mood::Ill];
        if self.kind != Kind::Rough {
            let is_well = self.kind == Kind::Steady;
            return Weather {
                per_mille: 0,
                mood: if is_well {
                    Mood::Fickle
                } else {
                    *chance.pick(&moods)
                },
                crons: *chance.pick(&[1, 1, 1, 2]),
                sweeps: chance.percent(50),
            };
        }
        Weather {
            per_mille: *chance.pick(&[0, 0, 0, 5, 20, 60]),
            mood: *chance.pick(&moods),
            crons: *chance.pick(&[0, 1, 1, 1, 1, 2]),
            sweeps: chance.percent(60),
        }
    }

    fn step(&mut self) -> Checked {
        let chance = &self.simulation.chance;
        let weather = self.weather();
        let span = match chance.below(10) {
            0..2 => Duration::ZERO,
            2..5 => Duration::from_millis(chance.between(1, 5_000)),
            5..9 => Duration::from_secs(chance.between(5, 30)),
            _ => Duration::from_secs(chance.between(30, 90)),
        };
        let start = self.now();
        let is_calm = weather.per_mille == 0
            && weather.mood == Mood::Fickle
            && weather.crons > 0
            && start >= self.troubled_until;
        let looks = self.looks(weather.sweeps.then(|| start.plus(span)));
        let unwanted = self.unwanted();
        self.simulation.note(|| {
            let Weather {
                per_mille,
                mood,
                crons,
                sweeps,
            } = weather;
            format!(
                "== {span:?}, {per_mille} of a thousand fail, {mood:?}, {crons} crons, sweeps: {sweeps}, calm: {is_calm}"
            )
        });
        self.set_faults(weather.per_mille, weather.mood);
        let outcomes = self.simulation.run(self.tasks(span, &weather));
        self.set_faults(0, Mood::Fickle);
        let end = self.now();
        let is_trouble = weather.per_mille > 0 || weather.mood == Mood::Ill;
        if self.kind == Kind::Rough && is_trouble {
            self.troubled_until = end.plus(TROUBLE);
        }
        self.spans.push(Span {
            start,
            end,
            is_calm,
            looks,
        });
        outcomes.into_iter().flatten().collect::<Checked>()?;
        self.observe()?;
        self.check_unwanted(&unwanted)
    }

    fn set_faults(&self, per_mille: u64, mood: Mood) {
        self.documents.faults.per_mille.set(per_mille);
        self.ledger.sql.faults.per_mille.set(per_mille);
        self.provider.mood.set(mood);
        self.provider.callers_die.set(self.kind == Kind::Rough);
    }

    /// One to three that do something, the pages that run, and what runs by itself.
    fn tasks<'a>(&'a self, span: Duration, weather: &Weather) -> Vec<Task<'a, Checked>> {
        let chance = &self.simulation.chance;
        let end = self.simulation.elapsed() + span;
        let mut tasks: Vec<Task<'a, Checked>> = Vec::new();
        for _ in 0..chance.between(1, 3) {
            let person = chance.pick(&self.people);
            let asked = self.draw(person);
            let most = u64::try_from(span.as_millis()).expect("small");
            // At times at the very same moment.
            let later = if chance.percent(40) {
                most.min(5)
            } else {
                most
            };
            let later = Duration::from_millis(chance.between(0, later));
            tasks.push(self.task(person, asked, later));
        }
        for person in &self.people {
            let busy = self.busy();
            tasks.push(Box::pin(async move {
                let _busy = busy;
                self.beats(person, end).await
            }));
        }
        for _ in 0..weather.crons {
            tasks.push(Box::pin(self.cron(end)));
        }
        if weather.sweeps {
            tasks.push(Box::pin(self.sweeps(end)));
        }
        tasks
    }

    fn task<'a>(&'a self, person: &'a Person, asked: Asked, later: Duration) -> Task<'a, Checked> {
        let busy = self.busy();
        Box::pin(async move {
            let _busy = busy;
            self.simulation.wait(later).await;
            self.simulation
                .note(|| format!("-- {}: {asked:?}", person.id));
            self.carry_out(person, &asked).await
        })
    }

    /// No process of Talktime runs. Calls go on.
    fn stand_still(&mut self, span: Duration) {
        let start = self.now();
        self.simulation
            .note(|| format!("== nothing runs for {span:?}"));
        self.simulation.advance(span);
        self.spans.push(Span {
            start,
            end: self.now(),
            is_calm: false,
            looks: Vec::new(),
        });
    }

    /// When somebody will look at each user's calls at the latest: when the watch over calls says so or, where sweeps run until
    /// then, when one comes by.
    fn looks(&self, swept_until: Option<Timestamp>) -> Vec<Option<Timestamp>> {
        let look = |person: &Person| {
            let alarm = self.next_alarm(Some(person));
            // Alarms are kept in whole seconds.
            let alarm = alarm.map(|at| at.max(self.now()).plus(SWEPT_EVERY).plus(TICK));
            let alarm = alarm.filter(|at| swept_until.is_some_and(|until| *at < until));
            self.watched(person).into_iter().chain(alarm).min()
        };
        self.people.iter().map(look).collect()
    }

    /// All is well, and nobody asks for anything any more, until nothing is watched and no alarm is left.
    fn drain(&mut self) -> Checked {
        self.simulation.note(|| "== quiet".to_owned());
        for person in &self.people {
            person.page.set(None);
        }
        if self.kind == Kind::Rough {
            self.simulation.advance(TROUBLE);
        }
        let start = self.now();
        let looks = self.looks(Some(start.plus(Duration::from_hours(24))));
        for _ in 0..LOOKS_MAX {
            let watched = self.people.iter().filter_map(|person| self.watched(person));
            let Some(next) = watched.chain(self.next_alarm(None)).min() else {
                self.spans.push(Span {
                    start,
                    end: self.now(),
                    is_calm: true,
                    looks,
                });
                return Ok(());
            };
            self.simulation.advance(next.since(self.now()));
            let task: Task<'_, Checked> = Box::pin(self.look_once());
            let outcomes = self.simulation.run([task]);
            outcomes.into_iter().flatten().collect::<Checked>()?;
            self.observe()?;
        }
        Err(format!("something is due after {LOOKS_MAX} looks"))
    }

    /// Takes in which sessions have ended, and looks at the provider's books.
    fn observe(&mut self) -> Checked {
        self.documents.stored.take();
        for number in 0..self.people.len() {
            let Some(state) = self.state(&self.people[number]) else {
                continue;
            };
            let person = &mut self.people[number];
            for ended in state.ended.iter() {
                let end = End {
                    started_at: ended.started_at,
                    at: ended.ended_at,
                    minutes: ended.minutes,
                    reason: ended.reason,
                };
                let known = person.ended.entry(ended.id).or_insert_with(|| end.clone());
                ensure!(*known == end, "{}: {known:?} became {end:?}", ended.id);
            }
        }
        self.check_calls()
    }
}
