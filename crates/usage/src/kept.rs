//! Lists of a state whose entries are written once and later only read, by whatever version comes by.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A list of entries that are never changed once they are in it.
///
/// An entry that was read is written again just as it was, the fields that this version does not know included; and one
/// that this version cannot read at all stays where it is. So a rollback loses nothing that a later version wrote.
#[derive(Clone, Debug)]
pub struct Kept<T>(Vec<Entry<T>>);

#[derive(Clone, Debug)]
enum Entry<T> {
    New(T),
    Read { known: Option<T>, raw: Value },
}

impl<T> Entry<T> {
    fn known(&self) -> Option<&T> {
        match self {
            Self::New(entry) => Some(entry),
            Self::Read { known, .. } => known.as_ref(),
        }
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> PartialEq for Kept<T> {
    /// Whether they say the same to this version.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T> Kept<T> {
    /// The entries that this version can read, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter().filter_map(Entry::known)
    }

    /// How many there are, those that this version cannot read included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps those for which `keep` is true, and those that this version cannot read.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.0.retain(|entry| entry.known().is_none_or(&mut keep));
    }

    pub(crate) fn push(&mut self, entry: T) {
        self.0.push(Entry::New(entry));
    }

    pub(crate) fn push_front(&mut self, entry: T) {
        self.0.insert(0, Entry::New(entry));
    }

    /// Drops the last ones beyond `most`.
    pub(crate) fn truncate(&mut self, most: usize) {
        self.0.truncate(most);
    }

    /// Drops the first ones beyond `most`.
    pub(crate) fn keep_last(&mut self, most: usize) {
        let surplus = self.0.len().saturating_sub(most);
        self.0.drain(..surplus);
    }
}

impl<T: Serialize> Serialize for Kept<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<T: Serialize> Serialize for Entry<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::New(entry) => entry.serialize(serializer),
            Self::Read { raw, .. } => raw.serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Kept<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |raw: Value| Entry::Read {
            known: T::deserialize(&raw).ok(),
            raw,
        };
        let entries = Vec::<Value>::deserialize(deserializer)?;
        Ok(Self(entries.into_iter().map(read).collect()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Known {
        id: u32,
    }

    #[test]
    fn entries_of_a_later_version_stay_as_they_are() {
        let stored = json!([{"id": 1, "more": {"deep": [true]}}, {"other": 2}, {"id": 3}]);
        let mut list: Kept<Known> = serde_json::from_value(stored).expect("a list");
        assert_eq!(
            list.iter().map(|known| known.id).collect::<Vec<_>>(),
            [1, 3]
        );
        list.push(Known { id: 4 });
        list.retain(|known| known.id != 3);
        let again = serde_json::to_value(&list).expect("JSON");
        assert_eq!(
            again,
            json!([{"id": 1, "more": {"deep": [true]}}, {"other": 2}, {"id": 4}])
        );
    }
}
