//! One user's document and the ledger, when one of them fails, is lost, or was put back in time.

use futures_executor::block_on;
use talktime_usage::{Command, EndReason, SessionId, SessionStart, State};
use uuid::Uuid;

use super::*;
use crate::testing::{Stage, user};

mod failures;
mod no_ledger;
mod restores;

const PERIODS: &str =
    "SELECT minutes_used, version, archived FROM usage_periods ORDER BY period_start";
const SESSIONS: &str = "SELECT minutes_used, end_reason FROM usage_sessions ORDER BY started_at";

fn session(number: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(number))
}

fn start(number: u128) -> Command {
    Command::Start(SessionStart {
        session: session(number),
        topic: None,
        difficulty: None,
        takeover: false,
        awaits_call: false,
    })
}

fn end(number: u128) -> Command {
    Command::End {
        session: session(number),
        reason: EndReason::UserEnded,
    }
}

fn heartbeat(number: u128) -> Command {
    Command::Heartbeat {
        session: session(number),
    }
}

impl Stage {
    fn apply(&self, name: &str, command: &Command) -> Result<Applied, ApplyError> {
        let mark = self.users().fresh_mark();
        block_on(self.users().apply(&user(name), command, &mark))
    }

    fn done(&self, name: &str, command: &Command) -> Applied {
        self.apply(name, command).expect("carried out")
    }

    /// A session of so many whole minutes, with heartbeats.
    fn talk(&self, name: &str, number: u128, minutes: u64) {
        self.done(name, &start(number));
        for _ in 0..minutes * 2 {
            self.time.seconds(30);
            self.done(name, &heartbeat(number));
        }
        self.done(name, &end(number));
        self.time.seconds(30);
    }

    fn state(&self, name: &str) -> State {
        self.documents.state(&user(name)).expect("a document")
    }

    fn backup(&self, name: &str) -> Vec<u8> {
        self.documents.documents.borrow()[&(&user(name)).into()].clone()
    }

    fn restore(&self, name: &str, document: Option<Vec<u8>>) {
        let mut documents = self.documents.documents.borrow_mut();
        match document {
            Some(document) => documents.insert((&user(name)).into(), document),
            None => documents.remove(&(&user(name)).into()),
        };
    }
}
