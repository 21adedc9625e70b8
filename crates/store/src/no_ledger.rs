//! The ledger of a component that is granted none.

use talktime_usage::{LedgerFacts, LedgerWrite, SessionId, Timestamp, UserId};

use crate::error::StoreError;
use crate::ledger::{Ledger, Written};

/// It serves commands about tokens and calls, which end and bill nothing by themselves. What time has brought about meanwhile
/// waits in the outbox: while a session runs or a call is open the user has an alarm, and its sweep tells the ledger. To
/// know nobody is fine too, since without a document such commands are refused anyway. Anything else is an error, so that a
/// wrong use is seen and loses nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLedger;

fn refuse<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable(
        "this component is granted no ledger".to_owned(),
    ))
}

impl Ledger for NoLedger {
    async fn claim_creation(
        &self,
        _: &UserId,
        _: &str,
        _: &str,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        refuse()
    }

    async fn is_creator(&self, _: &UserId, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        refuse()
    }

    async fn facts(
        &self,
        _: &UserId,
        _: Option<SessionId>,
        _: Timestamp,
    ) -> Result<Option<LedgerFacts>, StoreError> {
        Ok(None)
    }

    async fn set_alarm(
        &self,
        _: &UserId,
        _: &str,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        refuse()
    }

    async fn write(
        &self,
        _: &UserId,
        rows: &[LedgerWrite],
        _: Timestamp,
    ) -> Result<Written, StoreError> {
        Ok(if rows.is_empty() {
            Written::Rows
        } else {
            Written::Later
        })
    }
}
