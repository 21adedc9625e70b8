use super::*;
use crate::data::files::{Files, Storage};

fn check(behaviour: KvBehaviour, test: impl FnOnce(&KeyValue)) {
    let files = Files::open(&Storage::Memory).unwrap();
    test(&KeyValue::new(
        files.key_value_connection().unwrap(),
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
        assert_eq!(kv.increment("s", "n", 5).unwrap(), 5);
        assert_eq!(kv.get("s", "n").unwrap().unwrap(), b"5");
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
fn stores_are_apart_and_batches_leave_absent_keys_out() {
    check(KvBehaviour::Sqlite, |kv| {
        kv.set_many("s", &[("a".into(), b"1".into()), ("b".into(), b"2".into())])
            .unwrap();
        assert!(!kv.exists("t", "a").unwrap());
        let got = kv.get_many("s", vec!["b".into(), "z".into()]).unwrap();
        assert_eq!(got, [("b".to_owned(), Some(b"2".to_vec()))]);
        kv.delete_many("s", vec!["a".into()]).unwrap();
        assert_eq!(kv.keys("s").unwrap(), ["b"]);
        kv.delete("s", "b").unwrap();
        assert_eq!(kv.increment("s", "n", -3).unwrap(), -3);
        assert_eq!(kv.get("s", "n").unwrap().unwrap(), (-3i64).to_le_bytes());
        kv.set("s", "n", b"xy").unwrap();
        assert_eq!(
            kv.increment("s", "n", 1),
            Err("incorrect length".to_owned())
        );
    });
}
