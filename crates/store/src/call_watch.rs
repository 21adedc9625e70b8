//! Whose calls at a voice provider have to be looked at, and when.
//!
//! Which calls are to be hung up follows from the user's state (`talktime_usage::calls_to_hang_up`); this only says where to
//! look, so that nobody has to look everywhere. It is kept beside the states, in documents of its own, because whoever holds
//! the provider's key hangs up and cannot reach the ledger. A user is put here before a call is offered, comes forward
//! whenever a session's end does, and leaves when no call is open any more. Should an entry be lost all the same, the sweep,
//! which comes by while a call is open, puts it back.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use talktime_usage::{Timestamp, UserId};

use crate::documents::{DocumentKey, Documents};
use crate::environment::Environment;
use crate::error::StoreError;
use crate::side_document;

/// Into how many documents the users are spread, so that their writers seldom meet. All are read each second.
const SHARDS: u8 = 8;

/// When a user's calls are to be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    pub at: Timestamp,
    /// How many times they were looked at since it last went well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// Counts who asked for a look, so that whoever is just looking notices.
    #[serde(default)]
    asked: u32,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// A user whose calls are to be looked at, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    pub user: UserId,
    pub look: Look,
}

/// A part of the watch.
#[derive(Default, Serialize, Deserialize)]
struct Part {
    users: BTreeMap<UserId, Look>,
}

/// The watch over open calls, in `documents`.
pub struct CallWatch<'a, D> {
    pub documents: &'a D,
    pub environment: &'a dyn Environment,
}

impl<D: Documents> CallWatch<'_, D> {
    /// Sees to it that somebody looks at the user's calls at `at`, if not before.
    ///
    /// # Errors
    /// When the store fails or stays contended.
    pub async fn request_look(&self, user: &UserId, at: Timestamp) -> Result<(), StoreError> {
        let change = |users: &mut BTreeMap<UserId, Look>| {
            let look = users.entry(user.clone()).or_insert_with(|| Look::first(at));
            look.at = look.at.min(at);
            look.asked = look.asked.wrapping_add(1);
            true
        };
        self.change(shard_of(user), change).await.map(drop)
    }

    /// All who are watched.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn all(&self) -> Result<Vec<Watched>, StoreError> {
        let mut all = Vec::new();
        for shard in 0..SHARDS {
            let key = DocumentKey::Calls(shard);
            let part: Part = side_document::read(self.documents, &key).await?;
            let users = part.users.into_iter();
            all.extend(users.map(|(user, look)| Watched { user, look }));
        }
        Ok(all)
    }

    /// Takes the user on until `until`: nobody else looks before. `None` where somebody was faster, or the user is to be
    /// looked at later by now. That somebody has asked once more is no reason to leave it: the state is read after this.
    ///
    /// # Errors
    /// When the store fails or stays contended.
    pub async fn claim(
        &self,
        watched: &Watched,
        until: Timestamp,
    ) -> Result<Option<Watched>, StoreError> {
        let claimed = RefCell::new(None);
        let change = |users: &mut BTreeMap<UserId, Look>| {
            let look = users.get_mut(&watched.user);
            let Some(look) = look.filter(|look| look.at <= watched.look.at) else {
                return false;
            };
            look.at = until;
            look.tries = look.tries.saturating_add(1);
            claimed.replace(Some(look.clone()));
            true
        };
        let is_mine = self.change(shard_of(&watched.user), change).await?;
        let claimed = claimed.into_inner().filter(|_| is_mine);
        Ok(claimed.map(|look| Watched {
            user: watched.user.clone(),
            look,
        }))
    }

    /// The user's calls were looked at. They are to be looked at again at `next`, or never if none is open; unless somebody
    /// has asked for a look meanwhile.
    ///
    /// # Errors
    /// When the store fails or stays contended.
    pub async fn done(&self, claimed: &Watched, next: Option<Timestamp>) -> Result<(), StoreError> {
        let next = next.map(Look::first);
        self.replace(claimed, next.as_ref()).await.map(drop)
    }

    /// The look did not go well: the next one is at `at`.
    ///
    /// # Errors
    /// When the store fails or stays contended.
    pub async fn again(&self, claimed: &Watched, at: Timestamp) -> Result<(), StoreError> {
        let next = Look {
            at,
            ..claimed.look.clone()
        };
        self.replace(claimed, Some(&next)).await.map(drop)
    }

    /// Replaces the user's entry, if it still is as it was read.
    async fn replace(&self, read: &Watched, next: Option<&Look>) -> Result<bool, StoreError> {
        let change = |users: &mut BTreeMap<UserId, Look>| {
            if users.get(&read.user) != Some(&read.look) {
                return false;
            }
            match next {
                Some(look) => users.insert(read.user.clone(), look.clone()),
                None => users.remove(&read.user),
            };
            true
        };
        self.change(shard_of(&read.user), change).await
    }

    /// False if `change` has nothing to change.
    async fn change(
        &self,
        shard: u8,
        change: impl Fn(&mut BTreeMap<UserId, Look>) -> bool,
    ) -> Result<bool, StoreError> {
        let key = DocumentKey::Calls(shard);
        let change = |part: &mut Part| change(&mut part.users);
        side_document::change(self.documents, self.environment, &key, change).await
    }
}

impl Look {
    fn first(at: Timestamp) -> Self {
        Self {
            at,
            tries: 0,
            asked: 0,
            extra: Map::new(),
        }
    }
}

/// Always the same for a user, whatever was built with what: replicas share the documents.
fn shard_of(user: &UserId) -> u8 {
    Sha256::digest(user.as_str())[0] % SHARDS
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks for"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
