use super::*;
use crate::data::files::{Files, Storage};

fn check(behaviour: KvBehaviour, test: impl FnOnce(&KeyValue)) {
    let files = Files::open(&Storage::Memory).unwrap();
    test(&KeyValue::new(
        files.key_value_connection().unwrap(),
        files.key_value_reader().unwrap(),
        behaviour,
    ));
}

fn cas_after_current(kv: &KeyValue) -> Arc<Cas> {
    let cas = Arc::new(kv.cas("s", "k", 0));
    kv.current(&cas).unwrap();
    cas
}

fn swap(kv: &KeyValue, cas: &Arc<Cas>, value: &[u8]) -> Result<Swap> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .unwrap()
        .block_on(kv.swap(cas.clone(), value.to_vec()))
}

#[test]
fn sqlite_swap_after_nothing_seen_overwrites() {
    check(KvBehaviour::Sqlite, |kv| {
        let cas = cas_after_current(kv);
        kv.set("s", "k", b"other").unwrap();
        assert_eq!(swap(kv, &cas, b"mine").unwrap(), Swap::Done);
        assert_eq!(kv.get("s", "k").unwrap().unwrap(), b"mine");
        let cas = cas_after_current(kv);
        kv.set("s", "k", b"x").unwrap();
        assert_eq!(swap(kv, &cas, b"y").unwrap(), Swap::Lost);
        kv.set("s", "k", b"mine").unwrap();
        assert_eq!(
            swap(kv, &cas, b"y").unwrap(),
            Swap::Done,
            "it compares bytes"
        );
    });
}

#[test]
fn redis_applies_and_denies() {
    check(KvBehaviour::Redis, |kv| {
        let cas = cas_after_current(kv);
        assert_eq!(swap(kv, &cas, b"mine").unwrap(), Swap::Lost);
        assert_eq!(kv.get("s", "k").unwrap().unwrap(), b"mine");
        let cas = cas_after_current(kv);
        kv.set("s", "k", b"mine").unwrap();
        assert_eq!(swap(kv, &cas, b"y").unwrap(), Swap::Lost);
        assert_eq!(
            kv.get("s", "k").unwrap().unwrap(),
            b"mine",
            "a write of the same bytes counts"
        );
    });
}

#[test]
fn correct_compares_versions() {
    check(KvBehaviour::Correct, |kv| {
        let (first, second) = (cas_after_current(kv), cas_after_current(kv));
        assert_eq!(swap(kv, &first, b"1").unwrap(), Swap::Done);
        assert_eq!(swap(kv, &second, b"2").unwrap(), Swap::Lost);
        let cas = cas_after_current(kv);
        kv.set("s", "k", b"2").unwrap();
        kv.set("s", "k", b"1").unwrap();
        assert_eq!(swap(kv, &cas, b"3").unwrap(), Swap::Lost);
        assert_eq!(kv.get("s", "k").unwrap().unwrap(), b"1");
    });
}

#[test]
fn stores_are_apart() {
    check(KvBehaviour::Sqlite, |kv| {
        kv.set("s", "a", b"1").unwrap();
        kv.set("s", "b", b"2").unwrap();
        assert!(kv.exists("s", "a").unwrap() && !kv.exists("t", "a").unwrap());
        kv.delete("t", "a").unwrap();
        kv.delete("s", "a").unwrap();
        assert_eq!(kv.keys("s").unwrap(), ["b"]);
        assert_eq!(kv.get("s", "a").unwrap(), None);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_swaps_at_once_each_is_told_its_own_outcome() {
    let files = Files::open(&Storage::Memory).unwrap();
    let kv = Arc::new(KeyValue::new(
        files.key_value_connection().unwrap(),
        files.key_value_reader().unwrap(),
        KvBehaviour::Sqlite,
    ));
    let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    for key in &keys {
        kv.set("s", key, b"old").unwrap();
    }
    // All are read before any is swapped: of two for one key only the first is made.
    let claimed = keys.iter().chain(&keys).map(|key| {
        let cas = Arc::new(kv.cas("s", key, 0));
        kv.current(&cas).unwrap();
        cas
    });
    let mut swaps = tokio::task::JoinSet::new();
    for (number, cas) in claimed.collect::<Vec<_>>().into_iter().enumerate() {
        let kv = kv.clone();
        let value = number.to_string().into_bytes();
        swaps.spawn(async move { (number, kv.swap(cas, value).await.unwrap()) });
    }
    let outcomes = swaps.join_all().await;
    let done: Vec<usize> = outcomes
        .iter()
        .filter(|(_, swap)| *swap == Swap::Done)
        .map(|(number, _)| *number)
        .collect();
    assert_eq!(done.len(), keys.len());
    for number in done {
        let stored = kv.get("s", &keys[number % keys.len()]).unwrap();
        assert_eq!(stored, Some(number.to_string().into_bytes()));
    }
}
