//! Whose a phone number is: a look-up table beside the states, for calls that come in.

use serde::{Deserialize, Serialize};
use talktime_usage::{PhoneNumber, UserId};

use crate::documents::{DocumentKey, Documents};
use crate::environment::Environment;
use crate::error::StoreError;
use crate::side_document;

/// The table, in `documents`.
pub struct Phones<'a, D> {
    pub documents: &'a D,
    pub environment: &'a dyn Environment,
}

/// One number. Documents are never removed, so one that was taken away says nobody.
#[derive(Default, Serialize, Deserialize)]
struct Entry {
    user: Option<UserId>,
}

impl<D: Documents> Phones<'_, D> {
    /// Whose it is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user_of(&self, number: &PhoneNumber) -> Result<Option<UserId>, StoreError> {
        let key = DocumentKey::Phone(number.clone());
        let entry: Entry = side_document::read(self.documents, &key).await?;
        Ok(entry.user)
    }

    /// Makes it that user's, or nobody's.
    ///
    /// # Errors
    /// When the store fails or stays contended.
    pub async fn assign(
        &self,
        number: &PhoneNumber,
        user: Option<&UserId>,
    ) -> Result<(), StoreError> {
        let key = DocumentKey::Phone(number.clone());
        let change = |entry: &mut Entry| {
            entry.user = user.cloned();
            true
        };
        side_document::change(self.documents, self.environment, &key, change)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Behaviour, MemoryDocuments};
    use crate::testing::{simulation, user};
    use futures_executor::block_on;

    #[test]
    fn a_number_is_the_last_users_to_whom_it_was_given() {
        for behaviour in Behaviour::ALL {
            let simulation = simulation("2026-11-10T12:00:00Z", 1);
            let documents = MemoryDocuments::new(simulation, behaviour);
            let phones = Phones {
                documents: &documents,
                environment: simulation,
            };
            let number = PhoneNumber::parse("+14155550123").expect("a number");
            let (ann, ben) = (user("ann"), user("ben"));
            block_on(async {
                let owner_now = async || phones.user_of(&number).await.expect("read");
                assert_eq!(owner_now().await, None);
                for owner in [Some(&ann), Some(&ben), None, Some(&ann)] {
                    phones.assign(&number, owner).await.expect("assigned");
                    assert_eq!(owner_now().await.as_ref(), owner);
                }
            });
        }
    }
}
