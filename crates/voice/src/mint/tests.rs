use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::time::Duration;

use futures_executor::block_on;
use talktime_store::{Access, DocumentKey, Environment, StoreError};
use talktime_usage::{
    Command, Context, EndReason, Policy, Refusal, SessionStart, State, Step, WriteId, step,
};

use super::*;
use crate::accounts::{OPENAI, Values};

const BEGIN: &str = "2026-10-01T09:00:00Z";

/// A clock that moves when somebody waits.
struct TestTime(Cell<Duration>);

impl Environment for TestTime {
    fn now(&self) -> Timestamp {
        Timestamp::parse_rfc3339(BEGIN)
            .expect("a time")
            .plus(self.0.get())
    }

    fn elapsed(&self) -> Duration {
        self.0.get()
    }

    fn wait(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async move { self.0.set(self.0.get() + span) })
    }

    fn random(&self) -> u64 {
        thread_local!(static DRAWN: Cell<u64> = const { Cell::new(0) });
        DRAWN.set(DRAWN.get() + 1);
        DRAWN.get()
    }
}

/// One user's document, in memory.
struct TestDocument(RefCell<State>);

impl TestDocument {
    fn carry_out(&self, command: &Command, now: Timestamp) {
        let next = {
            let state = self.0.borrow();
            changed(Some(&state), command, now)
        };
        *self.0.borrow_mut() = next;
    }
}

impl Documents for TestDocument {
    type Claim = ();

    async fn read(&self, _: &DocumentKey) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.0.borrow();
        Ok(Some(serde_json::to_vec(&*state).expect("JSON")))
    }

    async fn claim(&self, user: &DocumentKey) -> Result<(Option<Vec<u8>>, ()), StoreError> {
        Ok((self.read(user).await?, ()))
    }

    fn known_to_fail(&self, _: Access) -> Option<StoreError> {
        None
    }

    async fn swap(&self, (): (), document: &[u8]) -> Result<(), StoreError> {
        *self.0.borrow_mut() = State::parse(document).expect("a state");
        Ok(())
    }
}

fn user() -> UserId {
    UserId::parse("user_42").expect("an id")
}

fn session() -> SessionId {
    SessionId::parse("0191d1a6-6f2b-7c3f-8a55-111111111111").expect("an id")
}

fn changed(state: Option<&State>, command: &Command, now: Timestamp) -> State {
    let write = WriteId::from_bits(u64::MAX);
    let context = Context {
        user: &user(),
        now,
        policy: &Policy::default(),
        write: &write,
        repeat: None,
        written_through: None,
    };
    match step(state, command, &context).expect("not refused") {
        Step::Changed { next, .. } => *next,
        Step::Unchanged(_) => panic!("nothing changed"),
    }
}

/// What comes of a mint for a running session whose provider does that, and how many places are taken then.
fn minted(
    provider: impl AsyncFnOnce(&TestTime, &TestDocument) -> Result<http::Response<Bytes>, Failure>,
) -> (Result<String, MintError>, usize) {
    let time = TestTime(Cell::default());
    let start = Command::Start(SessionStart {
        awaits_call: false,
        session: session(),
        topic: None,
        difficulty: None,
        takeover: false,
    });
    let document = TestDocument(RefCell::new(changed(None, &start, time.now())));
    let policy = Policy::default();
    let users = Users::new(&document, &NoLedger, &policy, &time);
    let account = OPENAI.account(Values {
        key: Some("key-7e1d"),
        ..Values::default()
    });
    let account = account.expect("valid").expect("there is a key");
    let user = user();
    let minting = Minting {
        user: &user,
        session: Some(session()),
        account: &account,
        model: "gpt-realtime-2.1",
        voice: None,
    };
    let token = block_on(minting.run(&users, &users.fresh_mark(), async |request| {
        assert_eq!(
            request.uri(),
            "https://api.openai.com/v1/realtime/client_secrets"
        );
        // The place is taken before the provider is asked.
        assert_eq!(places(&document), 1);
        provider(&time, &document).await
    }));
    (token.map(|token| token.value), places(&document))
}

fn places(document: &TestDocument) -> usize {
    let state = serde_json::to_value(&*document.0.borrow()).expect("JSON");
    state["mints"]["counted"].as_array().map_or(0, Vec::len)
}

fn answer(body: &'static str) -> http::Response<Bytes> {
    http::Response::new(Bytes::from_static(body.as_bytes()))
}

fn secret() -> http::Response<Bytes> {
    answer(r#"{"value": "ek_1"}"#)
}

#[test]
fn a_token_takes_a_place() {
    let (token, places) = minted(async |_, _| Ok(secret()));
    assert_eq!(token.expect("a token"), "ek_1");
    assert_eq!(places, 1);
}

#[test]
fn a_provider_that_fails_costs_no_place() {
    let check = |failure| {
        let (token, places) = minted(async |_, _| Err(failure));
        assert!(matches!(token, Err(MintError::Provider(found)) if found == failure));
        assert_eq!(places, 0, "{failure}");
    };
    check(Failure::Unreachable);
    check(Failure::TooLong);
    let (token, places) = minted(async |_, _| Ok(answer("{}")));
    assert!(matches!(
        token,
        Err(MintError::Provider(Failure::Unreadable))
    ));
    assert_eq!(places, 0);
}

#[test]
fn a_provider_that_hangs_is_given_up() {
    let (token, places) = minted(async |_, _| std::future::pending().await);
    assert!(matches!(token, Err(MintError::Provider(Failure::TimedOut))));
    assert_eq!(places, 0);
}

#[test]
fn who_ended_the_session_meanwhile_gets_no_token() {
    let (token, places) = minted(async |time, document| {
        let reason = EndReason::UserEnded;
        let end = Command::End {
            session: session(),
            reason,
        };
        document.carry_out(&end, time.now());
        Ok(secret())
    });
    assert!(matches!(
        token,
        Err(MintError::Apply(ApplyError::Refused(
            Refusal::NoActiveSession
        )))
    ));
    assert_eq!(places, 0);
}
