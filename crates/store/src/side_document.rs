//! Documents beside the users' states, which several writers change: by compare-and-swap, each write with a mark of its own.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use talktime_usage::WriteId;

use crate::backoff;
use crate::documents::{Access, DocumentKey, Documents};
use crate::environment::Environment;
use crate::error::StoreError;

/// How many writes a document remembers: more than the writers that can be in flight for it.
const WRITES_KEPT: usize = 64;

#[derive(Default, Serialize, Deserialize)]
struct Stored<T> {
    #[serde(flatten)]
    content: T,
    #[serde(default)]
    writes: Vec<WriteId>,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// What is in the document, the default where there is none.
pub async fn read<D, T>(documents: &D, key: &DocumentKey) -> Result<T, StoreError>
where
    D: Documents,
    T: Default + DeserializeOwned,
{
    let bytes = documents.read(key).await?;
    parse(key, bytes.as_deref()).map(|stored| stored.content)
}

/// Changes the document, and reads it back: no store's word for it is taken. False if `change` has nothing to change.
pub async fn change<D, T>(
    documents: &D,
    environment: &dyn Environment,
    key: &DocumentKey,
    change: impl Fn(&mut T) -> bool,
) -> Result<bool, StoreError>
where
    D: Documents,
    T: Default + Serialize + DeserializeOwned,
{
    let mut marks: Vec<WriteId> = Vec::new();
    let mut waits = backoff::contended(environment);
    loop {
        let (bytes, claim) = documents.claim(key).await?;
        let mut stored: Stored<T> = parse(key, bytes.as_deref())?;
        // One that seemed to fail was made after all.
        if marks.iter().any(|mark| stored.writes.contains(mark)) {
            return Ok(true);
        }
        if !change(&mut stored.content) {
            return Ok(false);
        }
        if let Some(error) = documents.known_to_fail(Access::Write) {
            return Err(error);
        }
        let mark = WriteId::from_bits(environment.random());
        let bytes = marked(stored, mark.clone())?;
        marks.push(mark.clone());
        let swapped = documents.swap(claim, &bytes).await;
        let read_back = documents.read(key).await?;
        if parse::<T>(key, read_back.as_deref())?
            .writes
            .contains(&mark)
        {
            return Ok(true);
        }
        let Some(wait) = waits.next() else {
            swapped?;
            return Err(StoreError::Busy("many writers at once".to_owned()));
        };
        environment.wait(wait).await;
    }
}

fn marked<T: Serialize>(mut stored: Stored<T>, mark: WriteId) -> Result<Vec<u8>, StoreError> {
    stored.writes.push(mark);
    let surplus = stored.writes.len().saturating_sub(WRITES_KEPT);
    stored.writes.drain(..surplus);
    serde_json::to_vec(&stored).map_err(|error| StoreError::Unreadable(error.to_string()))
}

fn parse<T>(key: &DocumentKey, document: Option<&[u8]>) -> Result<Stored<T>, StoreError>
where
    T: Default + DeserializeOwned,
{
    let Some(bytes) = document else {
        return Ok(Stored::default());
    };
    serde_json::from_slice(bytes)
        .map_err(|error| StoreError::Unreadable(format!("document {key}: {error}")))
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use talktime_usage::PhoneNumber;

    use super::*;
    use crate::memory::{Behaviour, MemoryDocuments};
    use crate::testing::simulation;

    #[derive(Default, Serialize, Deserialize)]
    struct Count {
        count: u32,
    }

    #[test]
    fn what_a_later_version_wrote_is_kept() {
        let simulation = simulation("2026-11-10T12:00:00Z", 1);
        let documents = MemoryDocuments::new(simulation, Behaviour::Sqlite);
        let number = PhoneNumber::parse("+14155550123").expect("a number");
        let key = DocumentKey::Phone(number);
        let later = br#"{"count":1,"writes":[],"colour":"blue"}"#.to_vec();
        documents.documents.borrow_mut().insert(key.clone(), later);
        let more = |content: &mut Count| {
            content.count += 1;
            true
        };
        let changed = block_on(change(&documents, simulation, &key, more));
        assert!(changed.expect("changed"));
        let stored = documents.documents.borrow()[&key].clone();
        let stored: Value = serde_json::from_slice(&stored).expect("JSON");
        assert_eq!(
            (&stored["count"], &stored["colour"]),
            (&2.into(), &"blue".into())
        );
        assert_eq!(stored["writes"].as_array().map(Vec::len), Some(1));
        assert_eq!(stored.as_object().map(Map::len), Some(3));
    }
}
