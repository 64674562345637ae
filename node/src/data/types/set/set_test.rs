#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Add(u16, bool),
    Remove(u16, bool),
    RemoveAt(usize),
    Clone,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_u16..400, prop::bool::weighted(0.98))
            .prop_map(|(member, number)| Step::Add(member, number)),
        4 => (0_u16..400, any::<bool>()).prop_map(|(member, number)| Step::Remove(member, number)),
        1 => any::<usize>().prop_map(Step::RemoveAt),
        1 => Just(Step::Clone),
    ]
}

fn small() -> Settings {
    Settings {
        set_max_intset_entries: 40,
        set_max_listpack_entries: 30,
        set_max_listpack_value: 8,
        ..Settings::default()
    }
}

fn text(member: u16, number: bool) -> Bytes {
    Bytes::from(if number { member.to_string() } else { format!("m{member}") })
}

fn members(set: &SetValue) -> Vec<Bytes> {
    set.iter().map(Member::to_bytes).collect()
}

fn check(set: &SetValue, model: &BTreeSet<Bytes>) {
    let stored = members(set);
    assert_eq!(set.len(), model.len());
    assert_eq!(&stored.iter().cloned().collect::<BTreeSet<_>>(), model);
    assert!(model.iter().all(|member| set.contains(member)));
    assert!(set.iter().all(|member| set.contains_member(member)));
    assert!(!set.contains(b"absent") && !set.contains(b"-5"));
    if set.stored_encoding() != SetEncoding::IntSet {
        assert_eq!(set.content_bytes, model.iter().map(Bytes::len).sum::<usize>());
    }
    let copy = SetValue::from_stored(set.stored_encoding(), stored.clone()).unwrap();
    assert_eq!(members(&copy), stored);
    assert_eq!(copy.heap_bytes(), set.heap_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_set_is_a_set_in_every_encoding_and_clones_stay_as_they_were(
        steps in prop::collection::vec(step(), 0..400),
    ) {
        let (mut set, mut model) = (SetValue::default(), BTreeSet::new());
        let mut clones = Vec::new();
        for step in steps {
            let before = set.stored_encoding();
            match step {
                Step::Add(member, number) => {
                    let member = text(member, number);
                    prop_assert_eq!(set.add(&member, &small()), model.insert(member));
                }
                Step::Remove(member, number) => {
                    let member = text(member, number);
                    prop_assert_eq!(set.remove(&member), model.remove(&member));
                }
                Step::RemoveAt(at) if !model.is_empty() => {
                    let at = at % model.len();
                    let expected = set.get(at).unwrap().to_bytes();
                    prop_assert_eq!(set.remove_at(at), expected.clone());
                    prop_assert!(model.remove(&expected));
                }
                _ => clones.push((set.clone(), model.clone())),
            }
            prop_assert!(set.stored_encoding() >= before);
        }
        check(&set, &model);
        clones.iter().for_each(|(set, model)| check(set, model));
        check(&SetValue::from_members(model.iter().cloned(), &small()), &model);
    }

    #[test]
    fn a_scan_returns_all_members_that_stay_while_others_change(
        stays in prop::collection::btree_set(0_u16..2000, 100..400),
        moves in prop::collection::vec((0_u16..2000, any::<bool>()), 200),
        count in 1_usize..40,
    ) {
        let mut set = SetValue::default();
        set.add(b"a member that is too long for a small set", &small());
        for member in &stays {
            set.add(&text(*member, false), &small());
        }
        let (mut cursor, mut seen) = (0, BTreeSet::new());
        let mut moves = moves.into_iter();
        loop {
            let (next, page) = set.scan(cursor, count);
            seen.extend(page);
            let others = |(member, _): &(u16, bool)| !stays.contains(member);
            for (member, add) in moves.by_ref().take(3).filter(others) {
                let member = text(member, false);
                if add { set.add(&member, &small()) } else { set.remove(&member) };
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        prop_assert!(stays.iter().all(|member| seen.contains(&text(*member, false))));
    }
}

#[test]
fn encodings_follow_the_thresholds() {
    let number = |n: i64| Bytes::from(n.to_string());
    let many = |count: i64| (0..count).map(number).collect::<Vec<_>>();
    let with = |mut members: Vec<Bytes>, extra: &[u8]| {
        members.push(Bytes::copy_from_slice(extra));
        members
    };
    let long_number = vec![number(-123_456_789), Bytes::from_static(b"x")];
    let cases = [
        (many(40), "intset"),
        (many(41), "hashtable"),
        (with(many(29), b"x"), "listpack"),
        (with(many(30), b"x"), "hashtable"),
        (with(many(3), b"012"), "listpack"),
        (with(many(3), b"12345678"), "intset"),
        (with(many(3), b"too long."), "hashtable"),
        (long_number, "hashtable"),
    ];
    for (members, encoding) in cases {
        let mut set = SetValue::default();
        for member in &members {
            set.add(member, &small());
        }
        assert_eq!(set.encoding(), encoding, "{members:?}");
        assert_eq!(SetValue::from_members(members, &small()).encoding(), encoding);
    }
}

#[test]
fn a_small_set_keeps_the_order_of_addition_after_the_sorted_numbers() {
    let mut set = SetValue::default();
    for member in ["3", "1", "b", "2", "a"] {
        set.add(member.as_bytes(), &small());
    }
    assert_eq!(members(&set), ["1", "3", "b", "2", "a"]);
    let given = ["3", "1", "b"].map(Bytes::from);
    assert_eq!(members(&SetValue::from_members(given.clone(), &small())), given);
}

#[test]
fn stored_members_that_do_not_fit_their_encoding_are_refused() {
    let stored = |encoding, members: &[&'static str]| {
        SetValue::from_stored(encoding, members.iter().map(|member| Bytes::from(*member)))
    };
    assert!(stored(SetEncoding::IntSet, &["2", "1"]).is_none());
    assert!(stored(SetEncoding::IntSet, &["a"]).is_none());
    let mut hashed: Vec<&'static str> = vec!["a", "b", "c"];
    hashed.sort_by_key(|member| std::cmp::Reverse(stable_hash(member.as_bytes())));
    assert!(stored(SetEncoding::HashTable, &hashed).is_none());
    hashed.reverse();
    assert!(stored(SetEncoding::HashTable, &hashed).is_some());
}
