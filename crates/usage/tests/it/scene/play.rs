//! Stories, played and compared with what the ledger says at their end.

use std::time::Duration;

use talktime_usage::{Command, EndReason, Policy, Timestamp};

use super::Scene;

/// A free user's story, and the sessions in the ledger when it is over: `reason length minutes`.
#[track_caller]
pub fn check(story: &str, sessions: &[&str]) {
    check_with(story, |_| (), sessions);
}

#[track_caller]
pub fn check_with(story: &str, policy: impl FnOnce(&mut Policy), sessions: &[&str]) {
    let mut scene = Scene::new().policy(policy);
    scene.play(story);
    assert_eq!(scene.refused, [], "{story}");
    // Whether or not anybody settles it, the bill is the same at the last instant of the story.
    let last = story
        .rsplit(", ")
        .next()
        .and_then(|line| line.split_once(' '));
    scene.sweep_at(last.expect("a line").0);
    assert_eq!(scene.ledger.sessions_told(), sessions, "{story}");
}

/// A user's story from `origin` on, and then the sessions and the periods in the ledger.
#[track_caller]
pub fn check_from(origin: &str, story: &str, sessions: &[&str], periods: &[&str]) -> Scene {
    let mut scene = Scene::at(origin);
    scene.play(story);
    assert_eq!(scene.refused, [], "{story}");
    assert_eq!(scene.ledger.sessions_told(), sessions, "{story}");
    assert_eq!(scene.ledger.periods_told(), periods, "{story}");
    scene
}

impl Scene {
    fn talk_until(&mut self, now: Timestamp) {
        let session = self.session;
        let running = self.state.as_ref().and_then(|state| state.session.as_ref());
        let mut next = running.expect("a session runs").last_sign;
        while next < now {
            next = next.plus(Duration::from_secs(30)).min(now);
            let heard = self.apply(&Command::Heartbeat { session }, next);
            assert!(heard.is_ok(), "{heard:?}");
        }
    }

    /// Plays a story such as `0:00 start, 5:00 beat, 30:00 look`.
    pub fn play(&mut self, story: &str) -> &mut Self {
        for line in story.split(", ") {
            let (time, verb) = line.split_once(' ').expect(line);
            let now = self.when(time);
            let session = self.session;
            let outcome = match verb {
                "start" => self.try_start_at(time, false).map(|_| ()),
                "takeover" => self.try_start_at(time, true).map(|_| ()),
                "beat" => self.try_heartbeat_at(time, session).map(|_| ()),
                // The client is well: a heartbeat every 30 seconds, up to this time.
                "talk" => {
                    self.talk_until(now);
                    Ok(())
                }
                "end" => self
                    .try_end_at(time, session, EndReason::UserEnded)
                    .map(|_| ()),
                "fail" => self.try_end_at(time, session, EndReason::Error).map(|_| ()),
                "token" => self.token_at(time).map(|_| ()),
                "mint" => self.mint_at(time).map(|_| ()),
                "failedmint" => self.failed_mint_at(time),
                "sweep" => {
                    self.sweep(now);
                    Ok(())
                }
                "look" => {
                    let status = self.status(now);
                    let mut swept = self.clone();
                    swept.sweep(now);
                    assert_eq!(swept.status(now), status, "a sweep changes what is seen");
                    Ok(())
                }
                "reset" => {
                    self.plan_at(time, "manual", Some("free"), None, true);
                    Ok(())
                }
                plan => {
                    self.plan_at(time, "manual", Some(plan), None, false);
                    Ok(())
                }
            };
            self.refused.extend(outcome.err());
        }
        self
    }
}
