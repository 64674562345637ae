#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn fields(hash: &HashValue) -> Vec<(Bytes, Bytes)> {
    hash.iter().map(|(field, value)| (field.clone(), value.clone())).collect()
}

fn filled(count: usize) -> HashValue {
    let settings = Settings::default();
    let mut hash = HashValue::default();
    for number in 0..count {
        assert!(hash.set(format!("f{number}").as_bytes(), b"v", &settings));
    }
    hash
}

#[test]
fn a_small_hash_keeps_the_order_in_which_fields_came() {
    let mut hash = filled(3);
    assert!(!hash.set(b"f1", b"new", &Settings::default()));
    assert!(hash.remove(b"f0"));
    assert!(hash.set(b"f0", b"again", &Settings::default()));
    let expected = [("f1", "new"), ("f2", "v"), ("f0", "again")];
    assert_eq!(fields(&hash), expected.map(|(field, value)| (field.into(), value.into())));
}

#[test]
fn a_hash_becomes_large_past_a_threshold_and_stays_so() {
    let max = usize::try_from(Settings::default().hash_max_listpack_entries).unwrap();
    let mut hash = filled(max);
    assert_eq!(hash.encoding(), "listpack");
    hash.set(b"one more", b"v", &Settings::default());
    assert_eq!(hash.encoding(), "hashtable");
    for number in 0..max {
        assert!(hash.remove(format!("f{number}").as_bytes()));
    }
    assert_eq!((hash.len(), hash.encoding()), (1, "hashtable"));
    for (field_bytes, value_bytes, encoding) in
        [(64, 64, "listpack"), (65, 1, "hashtable"), (1, 65, "hashtable")]
    {
        let mut hash = HashValue::default();
        hash.set(&vec![0; field_bytes], &vec![0; value_bytes], &Settings::default());
        assert_eq!(hash.encoding(), encoding);
    }
}

#[test]
fn every_field_is_scanned_once_while_others_change() {
    let mut hash = filled(1000);
    let mut seen = Vec::new();
    let mut cursor = 0;
    for round in 0.. {
        let (next, page) = hash.scan(cursor, 10);
        seen.extend(page.into_iter().map(|(field, _)| field).filter(|field| field[0] == b'f'));
        hash.set(format!("other{round}").as_bytes(), b"", &Settings::default());
        hash.remove(format!("other{}", round / 2).as_bytes());
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 1000);
}

#[test]
fn stored_fields_must_be_distinct_and_in_order() {
    let pair = |field: &'static str| (Bytes::from(field), Bytes::new());
    assert!(HashValue::from_stored(HashEncoding::Listpack, ["a", "b", "a"].map(pair)).is_none());
    assert!(HashValue::from_fields(["a", "a"].map(pair), &Settings::default()).is_none());
    let large = filled(600);
    let again = HashValue::from_stored(HashEncoding::HashTable, fields(&large)).unwrap();
    assert_eq!(fields(&again), fields(&large));
    assert_eq!(again.heap_bytes(), large.heap_bytes());
    let backwards = fields(&large).into_iter().rev();
    assert!(HashValue::from_stored(HashEncoding::HashTable, backwards).is_none());
}

proptest! {
    #[test]
    fn a_hash_behaves_as_a_map(steps in prop::collection::vec((0..40_u8, 0..4_usize), 0..200)) {
        let settings = Settings { hash_max_listpack_entries: 16, ..Settings::default() };
        let mut hash = HashValue::default();
        let mut model = BTreeMap::new();
        for (field, kind) in steps {
            let (field, value) = ([field], vec![b'x'; kind]);
            if kind == 0 {
                prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some());
            } else {
                let added = model.insert(field, value.clone()).is_none();
                prop_assert_eq!(hash.set(&field, &value, &settings), added);
            }
            prop_assert_eq!(hash.len(), model.len());
            let stored = hash.get(&field).map(|value| value.to_vec());
            prop_assert_eq!(stored, model.get(&field).cloned());
        }
        let content: usize = model.values().map(|value| value.len() + 1).sum();
        prop_assert_eq!(hash.heap_bytes(), content + model.len() * ENTRY_OVERHEAD_BYTES);
        for index in 0..hash.len() {
            let (field, value) = hash.at(index).unwrap();
            prop_assert_eq!(model.get(field.as_ref()), Some(&value.to_vec()));
        }
    }
}
