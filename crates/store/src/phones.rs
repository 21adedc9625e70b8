//! Whose a phone number is: a look-up table beside the states, for calls that come in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use talktime_usage::{PhoneNumber, UserId, WriteId};

use crate::backoff;
use crate::documents::{Access, DocumentKey, Documents};
use crate::environment::Environment;
use crate::error::StoreError;

/// The table, in `documents`.
pub struct Phones<'a, D> {
    pub documents: &'a D,
    pub environment: &'a dyn Environment,
}

/// One number. Documents are never removed, so one that was taken away says nobody.
#[derive(Default, Serialize, Deserialize)]
struct Document {
    user: Option<UserId>,
    write: Option<WriteId>,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl<D: Documents> Phones<'_, D> {
    /// Whose it is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user_of(&self, number: &PhoneNumber) -> Result<Option<UserId>, StoreError> {
        let key = DocumentKey::Phone(number.clone());
        Ok(parse(self.documents.read(&key).await?.as_deref())?.user)
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
        let mut waits = backoff::contended(self.environment);
        loop {
            let (bytes, claim) = self.documents.claim(&key).await?;
            if let Some(error) = self.documents.known_to_fail(Access::Write) {
                return Err(error);
            }
            let document = Document {
                user: user.cloned(),
                write: Some(WriteId::from_bits(self.environment.random())),
                ..parse(bytes.as_deref())?
            };
            let document = serde_json::to_vec(&document)
                .map_err(|error| StoreError::Unreadable(error.to_string()))?;
            let swapped = self.documents.swap(claim, &document).await;
            // No store's word for it is taken.
            if self.documents.read(&key).await? == Some(document) {
                return Ok(());
            }
            let Some(wait) = waits.next() else {
                swapped?;
                return Err(StoreError::Busy("many writers at once".to_owned()));
            };
            self.environment.wait(wait).await;
        }
    }
}

fn parse(document: Option<&[u8]>) -> Result<Document, StoreError> {
    let Some(bytes) = document else {
        return Ok(Document::default());
    };
    serde_json::from_slice(bytes)
        .map_err(|error| StoreError::Unreadable(format!("a phone number: {error}")))
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
