#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Insert(u8, i8),
    Remove(u8),
    RemoveRange(usize, usize),
    Clone,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<u8>(), any::<i8>()).prop_map(|(member, score)| Step::Insert(member, score)),
        4 => any::<u8>().prop_map(Step::Remove),
        1 => (any::<usize>(), 0_usize..10).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        1 => Just(Step::Clone),
    ]
}

fn settings(entries: u64) -> Settings {
    Settings {
        zset_max_listpack_entries: entries,
        zset_max_listpack_value: 8,
        ..Settings::default()
    }
}

fn score(number: i8) -> Score {
    Score::new(f64::from(number) / 4.0).unwrap()
}

type Model = BTreeMap<Bytes, Score>;

fn sorted(model: &Model) -> Vec<Scored> {
    let mut all: Vec<Scored> = model
        .iter()
        .map(|(member, score)| Scored { score: *score, member: member.clone() })
        .collect();
    all.sort_by(|a, b| (a.score, &a.member).cmp(&(b.score, &b.member)));
    all
}

fn check(set: &SortedSetValue, model: &Model) {
    let expected = sorted(model);
    assert_eq!(set.len(), expected.len());
    assert!(set.iter().eq(expected.iter()));
    assert!(set.iter().rev().eq(expected.iter().rev()));
    for (rank, scored) in expected.iter().enumerate() {
        assert_eq!(set.rank(&scored.member), Some((rank, scored.score)));
        assert_eq!(set.get(rank), Some(scored));
    }
    let (min, max) = (ScoreBound::Exclusive(-3.0), ScoreBound::Inclusive(7.25));
    let within = |scored: &&Scored| scored.score.get() > -3.0 && scored.score.get() <= 7.25;
    assert!(set.range(set.score_range(min, max)).eq(expected.iter().filter(within)));
    assert_eq!(set.content_bytes, expected.iter().map(|scored| scored.member.len()).sum::<usize>());
    let (next, mut page) = set.scan(0, usize::MAX);
    page.sort_by(|a, b| (a.score, &a.member).cmp(&(b.score, &b.member)));
    assert_eq!((next, page), (0, expected.clone()));
    let copy = SortedSetValue::from_stored(set.stored_encoding(), expected).unwrap();
    assert!(copy.iter().eq(set.iter()) && copy.heap_bytes() == set.heap_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_sorted_set_is_an_ordered_map_and_clones_stay_as_they_were(
        entries in prop_oneof![Just(0_u64), Just(20), Just(1000)],
        steps in prop::collection::vec(step(), 0..400),
    ) {
        let settings = settings(entries);
        let (mut set, mut model) = (SortedSetValue::default(), Model::new());
        let mut clones = Vec::new();
        for step in steps {
            match step {
                Step::Insert(member, number) => {
                    let member = Bytes::from(vec![member]);
                    let old = set.insert(&member, score(number), &settings);
                    prop_assert_eq!(old, model.insert(member, score(number)));
                }
                Step::Remove(member) => {
                    prop_assert_eq!(set.remove(&[member]), model.remove([member].as_slice()));
                }
                Step::RemoveRange(at, count) => {
                    let all = sorted(&model);
                    let start = at % (all.len() + 1);
                    let end = (start + count).min(all.len());
                    set.remove_range(start..end);
                    for scored in &all[start..end] {
                        model.remove(&scored.member);
                    }
                }
                Step::Clone => clones.push((set.clone(), model.clone())),
            }
        }
        check(&set, &model);
        clones.iter().for_each(|(set, model)| check(set, model));
        let mut shuffled = sorted(&model);
        shuffled.reverse();
        check(&SortedSetValue::from_members(shuffled, &settings), &model);
    }
}

fn of(members: &[(&str, f64)], settings: &Settings) -> SortedSetValue {
    let mut set = SortedSetValue::default();
    for (member, score) in members {
        set.insert(member.as_bytes(), Score::new(*score).unwrap(), settings);
    }
    set
}

#[test]
fn lexicographic_ranges_take_both_kinds_of_bounds() {
    for entries in [0, 100] {
        let set = of(&[("a", 0.0), ("b", 0.0), ("c", 0.0), ("d", 0.0)], &settings(entries));
        let bytes = Bytes::from_static;
        let cases = [
            (LexBound::Lowest, LexBound::Highest, 0..4),
            (LexBound::Highest, LexBound::Lowest, 4..4),
            (LexBound::Inclusive(bytes(b"b")), LexBound::Inclusive(bytes(b"c")), 1..3),
            (LexBound::Exclusive(bytes(b"b")), LexBound::Exclusive(bytes(b"d")), 2..3),
            (LexBound::Inclusive(bytes(b"bb")), LexBound::Highest, 2..4),
            (LexBound::Inclusive(bytes(b"c")), LexBound::Inclusive(bytes(b"a")), 2..2),
        ];
        for (min, max, ranks) in cases {
            assert_eq!(set.lex_range(&min, &max), ranks, "{min:?} {max:?}");
        }
    }
}

#[test]
fn zeros_are_equal_and_infinities_are_at_the_ends() {
    let members = [("b", -0.0), ("a", 0.0), ("z", f64::NEG_INFINITY), ("0", f64::INFINITY)];
    for entries in [0, 100] {
        let mut set = of(&members, &settings(entries));
        let order: Vec<&[u8]> = set.iter().map(|scored| scored.member.as_ref()).collect();
        assert_eq!(order, [b"z", b"a", b"b", b"0"]);
        // An equal score is no change, and only the large encoding stores a negative zero.
        set.insert(b"b", Score::new(0.0).unwrap(), &settings(entries));
        assert_eq!(set.score(b"b").unwrap().get().is_sign_negative(), entries == 0);
    }
    assert_eq!(Score::new(f64::NAN), None);
}

#[test]
fn encodings_follow_the_thresholds_one_way() {
    let settings = settings(2);
    let mut set = of(&[("a", 1.0), ("b", 2.0)], &settings);
    assert_eq!(set.encoding(), "listpack");
    set.insert(b"c", Score::new(3.0).unwrap(), &settings);
    assert_eq!(set.encoding(), "skiplist");
    set.remove(b"c");
    assert_eq!(set.encoding(), "skiplist");
    assert_eq!(of(&[("ninebytes", 1.0)], &settings).encoding(), "skiplist");
}

#[test]
fn duplicates_and_a_wrong_order_are_repaired_or_refused_when_loading() {
    let scored = |member: &'static str, score| Scored {
        score: Score::new(score).unwrap(),
        member: Bytes::from(member),
    };
    let members = vec![scored("a", 1.0), scored("b", 0.5), scored("a", 2.0)];
    let set = SortedSetValue::from_members(members.clone(), &settings(9));
    assert!(set.iter().eq([&members[1], &members[2]]));
    assert!(SortedSetValue::from_stored(SortedSetEncoding::Listpack, members).is_none());
}
