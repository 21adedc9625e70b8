//! What a component brings about that is granted no ledger.

use std::time::Duration;

use futures_executor::block_on;
use talktime_usage::{MintLimits, Timestamp};

use super::{PERIODS, start};
use crate::no_ledger::NoLedger;
use crate::sweep::{SweepOrder, sweep};
use crate::testing::{Stage, user};
use crate::users::Users;

const LIMITS: MintLimits = MintLimits {
    per_minute_max: 6,
    tries_per_minute_max: 20,
};

const ORDER: SweepOrder = SweepOrder {
    batch: 10,
    changed_max: 10,
    retain: None,
    force: true,
};

/// A month ends under a session, and a token is asked for before anybody else comes by.
#[test]
fn it_waits_in_the_outbox_for_the_sweep() {
    let stage = Stage::new();
    let almost = Timestamp::parse_rfc3339("2026-11-30T23:59:30Z").expect("a time");
    stage
        .time
        .seconds(almost.since(stage.users().now()).as_secs());
    stage.done("ann", &start(1));
    stage.time.seconds(40);
    let users = Users::new(&stage.documents, &NoLedger, &stage.policy, stage.time);
    let (ann, mark) = (user("ann"), users.fresh_mark());
    block_on(users.mint(&ann, None, LIMITS, &mark)).expect("a place");
    let document = stage.documents.state(&ann).expect("a document");
    assert!(!document.outbox.is_empty(), "{document:?}");
    assert_eq!(stage.rows(PERIODS).len(), 1, "nobody has told the ledger");

    stage.time.advance(Duration::from_mins(1));
    block_on(sweep(&stage.users(), ORDER)).expect("it sweeps");
    assert_eq!(stage.rows(PERIODS).len(), 2);
}
