#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Push(bool, Vec<u8>, usize),
    Pop(bool, usize),
    Set(usize, u8),
    Insert(usize, u8),
    Remove(bool, usize, u8),
    Trim(usize, usize),
    Clone,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), prop::collection::vec(0_u8..6, 1..4), 1_usize..40)
            .prop_map(|(head, members, times)| Step::Push(head, members, times)),
        3 => (any::<bool>(), 0_usize..30).prop_map(|(head, count)| Step::Pop(head, count)),
        2 => (any::<usize>(), 0_u8..6).prop_map(|(at, member)| Step::Set(at, member)),
        2 => (any::<usize>(), 0_u8..6).prop_map(|(at, member)| Step::Insert(at, member)),
        1 => (any::<bool>(), 0_usize..20, 0_u8..6)
            .prop_map(|(head, limit, member)| Step::Remove(head, limit, member)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(start, end)| Step::Trim(start, end)),
        1 => Just(Step::Clone),
    ]
}

fn settings(size: i64) -> Settings {
    Settings { list_max_listpack_size: size, ..Settings::default() }
}

fn end(head: bool) -> ListEnd {
    if head { ListEnd::Head } else { ListEnd::Tail }
}

/// Members of different lengths, integers among them.
fn text(member: u8) -> Bytes {
    match member {
        0 => Bytes::from_static(b""),
        1 => Bytes::from_static(b"12345"),
        2 => Bytes::from(vec![b'x'; 100]),
        other => Bytes::from(vec![other]),
    }
}

fn remove_from_model(
    model: &mut VecDeque<Bytes>,
    head: bool,
    limit: usize,
    member: &Bytes,
) -> usize {
    let mut removed = 0;
    while removed < limit {
        let found = match head {
            true => model.iter().position(|item| item == member),
            false => model.iter().rposition(|item| item == member),
        };
        let Some(at) = found else { break };
        model.remove(at);
        removed += 1;
    }
    removed
}

fn apply(step: Step, list: &mut ListValue, model: &mut VecDeque<Bytes>, settings: &Settings) {
    match step {
        Step::Push(head, members, times) => {
            let members: Vec<Bytes> = members.into_iter().map(text).collect();
            for _ in 0..times {
                list.push(end(head), &members, settings);
                for member in &members {
                    match head {
                        true => model.push_front(member.clone()),
                        false => model.push_back(member.clone()),
                    }
                }
            }
        }
        Step::Pop(head, count) => {
            let expected: Vec<Bytes> = (0..count)
                .map_while(|_| if head { model.pop_front() } else { model.pop_back() })
                .collect();
            assert_eq!(list.pop(end(head), count, settings), expected);
        }
        Step::Set(at, member) if !model.is_empty() => {
            let at = at % model.len();
            assert!(list.set(at, &text(member), settings));
            model[at] = text(member);
        }
        Step::Insert(at, member) => {
            let at = at % (model.len() + 1);
            list.insert(at, &text(member), settings);
            model.insert(at, text(member));
        }
        Step::Remove(head, limit, member) => {
            let removed = remove_from_model(model, head, limit, &text(member));
            assert_eq!(list.remove_equal(end(head), limit, &text(member), settings), removed);
        }
        Step::Trim(start, stop) => {
            let stop = stop % (model.len() + 1);
            let start = start % (stop + 1);
            list.trim(start..stop, settings);
            model.truncate(stop);
            model.drain(..start);
        }
        Step::Set(..) | Step::Clone => {}
    }
}

fn check(list: &ListValue, model: &VecDeque<Bytes>) {
    assert_eq!(list.len(), model.len());
    assert!(list.iter().eq(model.iter()));
    assert!(list.iter().rev().eq(model.iter().rev()));
    assert_eq!(list.content_bytes, model.iter().map(Bytes::len).sum::<usize>());
    let listpack_bytes: usize = model.iter().map(|member| entry_bytes(member)).sum();
    assert_eq!(list.listpack_bytes, listpack_bytes);
    assert_eq!(list.get(model.len() / 2), model.get(model.len() / 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_list_is_a_deque_and_clones_stay_as_they_were(
        size in prop_oneof![Just(-2_i64), Just(-1), Just(16)],
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let settings = settings(size);
        let (mut list, mut model) = (ListValue::default(), VecDeque::new());
        let mut clones = Vec::new();
        for step in steps {
            if matches!(step, Step::Clone) {
                clones.push((list.clone(), model.clone()));
            }
            apply(step, &mut list, &mut model, &settings);
        }
        check(&list, &model);
        clones.iter().for_each(|(list, model)| check(list, model));
        let stored = ListValue::from_stored(list.stored_encoding(), list.iter().cloned());
        check(&stored, &model);
        prop_assert_eq!(stored.encoding(), list.encoding());
        check(&ListValue::from_members(model.iter().cloned(), &settings), &model);
    }
}

#[test]
fn a_list_grows_large_past_the_limit_and_small_again_at_half_of_it() {
    let settings = settings(4);
    let mut list = ListValue::default();
    let members: Vec<Bytes> = (0..4).map(text).collect();
    list.push(ListEnd::Tail, &members, &settings);
    assert_eq!(list.encoding(), "listpack");
    list.push(ListEnd::Tail, &members[..1], &settings);
    assert_eq!(list.encoding(), "quicklist");
    list.pop(ListEnd::Head, 2, &settings);
    assert_eq!(list.encoding(), "quicklist");
    list.pop(ListEnd::Head, 1, &settings);
    assert_eq!(list.encoding(), "listpack");
}

#[test]
fn a_size_class_limits_bytes() {
    let cases = [(-1, 4 << 10), (-2, 8 << 10), (-3, 16 << 10), (-5, 64 << 10), (-9, 64 << 10)];
    for (class, limit) in cases {
        let settings = settings(class);
        let fits = [Bytes::from(vec![b'x'; limit - 7])];
        let too_big = [Bytes::from(vec![b'x'; limit - 6])];
        for (members, encoding) in [(fits, "listpack"), (too_big, "quicklist")] {
            let mut list = ListValue::default();
            list.push(ListEnd::Head, &members, &settings);
            assert_eq!(list.encoding(), encoding, "class {class}");
        }
    }
}

#[test]
fn an_entry_has_the_size_of_the_listpack_specification() {
    let cases: [(&[u8], usize); 12] = [
        (b"0", 2),
        (b"127", 2),
        (b"128", 3),
        (b"-1", 3),
        (b"4096", 4),
        (b"40000", 5),
        (b"-8388609", 6),
        (b"2147483648", 10),
        (b"007", 5),
        (b"", 2),
        (&[b'x'; 63], 65),
        (&[b'x'; 64], 67),
    ];
    for (member, bytes) in cases {
        assert_eq!(entry_bytes(member), bytes, "{}", member.escape_ascii());
    }
    assert_eq!(entry_bytes(&[b'x'; 4096]), 5 + 4096 + 2);
}
