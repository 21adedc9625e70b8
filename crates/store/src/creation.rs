//! Who creates a user's document. The key-value store does not decide it, since Spin's `SQLite` store replaces
//! unconditionally where nothing was read; a lease on the user's row in the ledger does.

use talktime_usage::{Timestamp, WriteId};

use crate::backoff;
use crate::documents::Documents;
use crate::error::StoreError;
use crate::ledger::{Ledger, SEEDING_LEASE};
use crate::pseudonym::pseudonym;
use crate::users::Users;
use crate::writer::Request;

impl<D: Documents, L: Ledger> Users<'_, D, L> {
    /// Becomes the one who creates the user, or waits until somebody has. `None` when the user exists by now.
    pub(crate) async fn claim_creation(
        &self,
        request: &Request<'_>,
        write: &WriteId,
    ) -> Result<Option<(D::Claim, Timestamp)>, StoreError> {
        let user = request.user;
        let mut waits = backoff::creation(self.environment);
        loop {
            let now = self.now();
            let alarm_at = now.plus(self.policy.alarm_interval);
            let lease_until = self
                .ledger
                .claim_creation(
                    user,
                    request.creator.as_str(),
                    write.as_str(),
                    now,
                    alarm_at,
                )
                .await?;
            // Read again: before the lease was had, an earlier holder may have created the user.
            let (document, claim) = self.documents.claim(user).await?;
            if document.is_some() {
                return Ok(None);
            }
            // Some stores replace unconditionally where nothing was read. So who was held up for most of the lease does
            // not write: the next holder may be about to.
            if let Some(until) = lease_until
                && until.since(self.now()) >= SEEDING_LEASE / 2
            {
                return Ok(Some((claim, until)));
            }
            let again = match waits.next() {
                Some(wait) => request.deadline.wait(wait, self.environment).await,
                None => false,
            };
            if !again {
                // Waited for long enough: not for the loop of lost races to try again.
                return Err(StoreError::Unavailable(
                    "another request is creating this user".to_owned(),
                ));
            }
        }
    }

    /// Says so where a creator was held up between its last look at the lease and its swap for so long that another may
    /// have created the user meanwhile: nothing can keep the later of them from replacing what the earlier one wrote.
    pub(crate) async fn check_creation(&self, request: &Request<'_>, until: Timestamp) {
        let user = request.user;
        let now = self.now();
        if now < until {
            return;
        }
        match self
            .ledger
            .is_creator(user, request.creator.as_str(), now)
            .await
        {
            Ok(true) => {}
            Ok(false) => eprintln!(
                "{} was created twice: this process stood still for longer than the lease, and a session that another one \
                 started may be lost",
                pseudonym(user)
            ),
            Err(error) => eprintln!(
                "{} may have been created twice, since this process stood still: {error}",
                pseudonym(user)
            ),
        }
    }
}
