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

fn cas_after_current(kv: &KeyValue) -> Cas {
    let cas = kv.cas("s", "k", 0);
    kv.current(&cas).unwrap();
    cas
}

#[test]
fn sqlite_swap_after_nothing_seen_overwrites() {
    check(KvBehaviour::Sqlite, |kv| {
        let cas = cas_after_current(kv);
        kv.set("s", "k", b"other").unwrap();
        assert_eq!(kv.swap(&cas, b"mine").unwrap(), Swap::Done);
        assert_eq!(kv.get("s", "k").unwrap().unwrap(), b"mine");
        let cas = cas_after_current(kv);
        kv.set("s", "k", b"x").unwrap();
        assert_eq!(kv.swap(&cas, b"y").unwrap(), Swap::Lost);
        kv.set("s", "k", b"mine").unwrap();
        assert_eq!(
            kv.swap(&cas, b"y").unwrap(),
            Swap::Done,
            "it compares bytes"
        );
    });
}

#[test]
fn redis_applies_and_denies() {
    check(KvBehaviour::Redis, |kv| {
        let cas = cas_after_current(kv);
        assert_eq!(kv.swap(&cas, b"mine").unwrap(), Swap::Lost);
        assert_eq!(kv.get("s", "k").unwrap().unwrap(), b"mine");
        let cas = cas_after_current(kv);
        kv.set("s", "k", b"mine").unwrap();
        assert_eq!(kv.swap(&cas, b"y").unwrap(), Swap::Lost);
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
        assert_eq!(kv.swap(&first, b"1").unwrap(), Swap::Done);
        assert_eq!(kv.swap(&second, b"2").unwrap(), Swap::Lost);
        let cas = cas_after_current(kv);
        kv.set("s", "k", b"2").unwrap();
        kv.set("s", "k", b"1").unwrap();
        assert_eq!(kv.swap(&cas, b"3").unwrap(), Swap::Lost);
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
