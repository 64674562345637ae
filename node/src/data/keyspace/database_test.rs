#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::testing::{object, with_keys};
use super::*;

#[test]
fn a_clone_stays_as_it_was() {
    let mut database = with_keys(0..2000);
    let before = database.clone();
    for number in 0..2000 {
        let key = format!("key:{number}");
        match number % 3 {
            0 => drop(database.remove(key.as_bytes(), 9)),
            1 => assert!(database.set_expiry(key.as_bytes(), Some(5), 0)),
            _ => drop(database.insert(&key, object(9))),
        }
    }
    assert_eq!(before.len(), 2000);
    assert_eq!(before.expiring_len(), 0);
    assert!(before.iter().all(|(_, _, object)| object.version == 1));
    assert_eq!(before.iter().count(), 2000);
    assert_eq!(database.iter().count(), database.len());
    database.flush();
    assert_eq!(before.iter().count(), 2000);
}

#[test]
fn a_watched_key_changed_if_it_was_written_removed_or_came_and_went() {
    type Step = fn(&mut Database);
    let check = |existed: bool, step: Step, expected: bool| {
        let mut database = Database::default();
        if existed {
            database.insert("k", object(5));
        }
        step(&mut database);
        assert_eq!(database.changed_since(b"k", 10, existed, 50), expected);
    };
    check(true, |_| {}, false);
    check(false, |_| {}, false);
    check(true, |db| drop(db.insert("k", object(11))), true);
    check(true, |db| drop(db.remove(b"k", 11)), true);
    check(true, Database::flush, true);
    check(false, Database::flush, false);
    check(true, |db| assert!(db.set_expiry(b"k", Some(20), 0)), true);
    check(false, |db| drop(db.insert("k", object(11))), true);
    let come_and_go: Step = |db| {
        db.insert("k", object(11));
        db.remove(b"k", 12);
    };
    check(false, come_and_go, true);
    let come_and_flush: Step = |db| {
        db.insert("k", object(11));
        db.flush();
    };
    check(false, come_and_flush, true);
    check(true, |db| db.mark_swapped(11), true);
    check(true, |db| db.mark_swapped(9), false);
    check(true, |db| assert_eq!(db.settle(b"k", 11, 0), Settled::Kept), true);
}

#[test]
fn removing_what_expired_before_the_watch_is_no_change() {
    let mut database = Database::default();
    let mut expired = object(5);
    expired.expire_at_ms = Some(1);
    database.insert("k", expired);
    assert!(!database.changed_since(b"k", 10, false, 50));
    assert!(database.remove_expired(b"k", 50, 11));
    assert!(!database.remove_expired(b"k", 50, 11));
    assert!(!database.changed_since(b"k", 10, false, 50));
}

#[test]
fn due_keys_come_soonest_first_and_follow_every_change_of_a_deadline() {
    let mut database = with_keys(0..100);
    for number in 0..100_u64 {
        let key = format!("key:{number}");
        assert!(database.set_expiry(key.as_bytes(), Some(1000 - number), 0));
    }
    assert_eq!(database.average_ttl_ms(0), 950);
    let due = database.due(904, 3, usize::MAX);
    assert_eq!(
        (&due.keys[..], due.more),
        (&["key:99", "key:98", "key:97"].map(Bytes::from)[..], true)
    );
    let due = database.due(904, 99, 13);
    assert_eq!((&due.keys[..], due.more), (&["key:99", "key:98"].map(Bytes::from)[..], true));
    assert_eq!(database.due(904, 99, 1).keys, ["key:99"]);
    let due = database.due(904, 99, usize::MAX);
    assert_eq!((due.keys.len(), due.more), (4, false));
    assert!(database.set_expiry(b"key:99", None, 0));
    database.insert("key:98", object(2));
    database.remove(b"key:97", 2);
    assert_eq!(database.due(904, 99, usize::MAX).keys, ["key:96"]);
    assert_eq!(database.next_deadline_ms(), Some(904));
    assert!(!database.set_expiry(b"key:96", Some(5000), 904));
    assert_eq!(database.expiring_len(), 97);
    database.flush();
    assert_eq!(database.expiring_len(), 0);
}

#[test]
fn slots_know_their_keys() {
    let mut database = with_keys(0..50);
    for number in 0..5 {
        database.insert(format!("{{a}}{number}"), object(1));
    }
    let slot = slot_of(b"a");
    assert_eq!(database.count_in_slot(slot), 5);
    assert_eq!(database.keys_in_slot(slot, 3).len(), 3);
    assert!(database.keys_in_slot(slot, 99).iter().all(|key| key.starts_with(b"{a}")));
    assert_eq!(database.count_in_slot(slot_of(b"b")), 0);
    assert!(database.iter().is_sorted_by_key(|(slot, _, _)| slot));
}

#[test]
fn every_key_is_drawn_at_random_as_often_as_another() {
    let database = with_keys(0..10);
    let mut random = Random::new(1);
    let mut counts = BTreeMap::new();
    for _ in 0..10_000 {
        *counts.entry(database.random(&mut random).unwrap().0).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 10);
    assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    assert!(Database::default().random(&mut random).is_none());
    assert!(database.random_expiring(&mut random).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn a_database_is_a_map_and_comes_back_from_a_checkpoint(
        steps in prop::collection::vec((0_u8..4, 0_u16..300, 1_u64..100), 0..600),
    ) {
        let mut database = Database::default();
        let mut model = BTreeMap::new();
        for (index, (kind, key, number)) in (1..).zip(steps) {
            let name = format!("{{{}}}{key}", key % 7);
            match kind {
                0 => {
                    let mut object = object(index);
                    object.expire_at_ms = (number % 2 == 0).then_some(number);
                    let expire_at_ms = object.expire_at_ms;
                    let old = database.insert(&name, object);
                    prop_assert_eq!(old.is_some(), model.insert(name, expire_at_ms).is_some());
                }
                1 => {
                    let old = database.remove(name.as_bytes(), index);
                    prop_assert_eq!(old.is_some(), model.remove(&name).is_some());
                }
                2 => {
                    let set = database.set_expiry(name.as_bytes(), Some(number), 0);
                    database.settle(name.as_bytes(), index, 0);
                    prop_assert_eq!(set, model.contains_key(&name));
                    model.entry(name).and_modify(|at_ms| *at_ms = Some(number));
                }
                _ => {
                    let found = database.find(name.as_bytes(), 0).map(|object| object.expire_at_ms);
                    prop_assert_eq!(found, model.get(&name).copied());
                }
            }
            prop_assert_eq!(database.len(), model.len());
        }
        let entries: Vec<_> =
            database.iter().map(|(_, key, object)| (key.to_vec(), object.clone())).collect();
        let loaded = Database::from_entries(&database.marks(), entries);
        for state in [&database, &loaded] {
            let found: BTreeMap<_, _> = state
                .iter()
                .map(|(_, key, object)| {
                    (String::from_utf8(key.to_vec()).unwrap(), object.expire_at_ms)
                })
                .collect();
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(state.expiring_len(), model.values().flatten().count());
            let soon = model.values().flatten().filter(|at_ms| **at_ms <= 50).count();
            prop_assert_eq!(state.due(50, 1000, usize::MAX).keys.len(), soon);
        }
        prop_assert_eq!(loaded.memory_bytes(), database.memory_bytes());
        prop_assert_eq!(loaded.marks(), database.marks());
        let (mut loaded, mut database) = (loaded, database);
        loaded.flush();
        database.flush();
        prop_assert_eq!(loaded.marks(), database.marks());
        prop_assert_eq!(database.memory_bytes(), 0);
    }
}
