//! Intersection, union and difference of sets, in an order that is the same on every replica.

use bytes::Bytes;

use crate::data::keyspace::Settings;
use crate::data::types::SetValue;
use crate::data::types::set::{Member, SetEncoding};

/// The members that all sets have, in the order of the smallest set; `limit` of them at most.
pub(super) fn intersection(mut sets: Vec<&SetValue>, limit: usize) -> Vec<Member<'_>> {
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return Vec::new() };
    let in_all = |member: &Member<'_>| others.iter().all(|set| set.contains_member(*member));
    smallest.iter().filter(in_all).take(limit).collect()
}

/// The members that any set has.
pub(super) fn union(sets: &[&SetValue], settings: &Settings) -> SetValue {
    let largest = sets.iter().enumerate().max_by_key(|(_, set)| set.len());
    // A large set's order does not depend on the order of addition, so start from a shared copy.
    let start = largest.filter(|(_, set)| set.stored_encoding() == SetEncoding::HashTable);
    let (skipped, mut result) = match start {
        Some((index, set)) if is_large(set.len(), settings) => (Some(index), (*set).clone()),
        _ => (None, SetValue::default()),
    };
    for (index, set) in sets.iter().enumerate() {
        if Some(index) != skipped {
            add_all(&mut result, set.iter().map(Member::to_bytes), settings);
        }
    }
    result
}

/// The members of `first` that no other set has.
pub(super) fn difference(
    first: &SetValue,
    mut others: Vec<&SetValue>,
    settings: &Settings,
) -> SetValue {
    let mut result = SetValue::default();
    // As in Redis: looking up every member of the first set in the other ones can stop early, so
    // its cost counts half.
    let look_up = first.len() * (others.len() + 1) / 2;
    let remove = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    if look_up <= remove {
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        let in_none = |member: &Member<'_>| !others.iter().any(|set| set.contains_member(*member));
        add_all(&mut result, first.iter().filter(in_none).map(Member::to_bytes), settings);
        return result;
    }
    let mut left = first.clone();
    for set in others {
        for member in set.iter() {
            if left.is_empty() {
                return result;
            }
            left.remove(&member.to_bytes());
        }
    }
    add_all(&mut result, left.iter().map(Member::to_bytes), settings);
    result
}

fn add_all(set: &mut SetValue, members: impl Iterator<Item = Bytes>, settings: &Settings) {
    for member in members {
        set.add(&member, settings);
    }
}

/// Whether no small encoding holds so many members.
fn is_large(len: usize, settings: &Settings) -> bool {
    len as u64 > settings.set_max_intset_entries.max(settings.set_max_listpack_entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(members: &[u32]) -> SetValue {
        let members = members.iter().map(|member| Bytes::from(member.to_string()));
        SetValue::from_members(members, &Settings::default())
    }

    fn numbers(from: u32, to: u32) -> SetValue {
        of(&(from..to).collect::<Vec<_>>())
    }

    fn sorted(set: &SetValue) -> Vec<u32> {
        let number = |member: Member<'_>| {
            String::from_utf8_lossy(&member.to_bytes()).parse().unwrap_or(u32::MAX)
        };
        let mut members: Vec<u32> = set.iter().map(number).collect();
        members.sort_unstable();
        members
    }

    #[test]
    fn small_and_large_sets_combine() {
        let settings = Settings::default();
        let (small, large, larger) = (of(&[1, 5, 9]), numbers(2, 2000), numbers(4, 3000));
        let union = union(&[&small, &large, &larger], &settings);
        assert_eq!(sorted(&union), (1..3000).collect::<Vec<_>>());
        assert_eq!(union.stored_encoding(), SetEncoding::HashTable);
        assert_eq!(intersection(vec![&large, &larger, &small], usize::MAX).len(), 2);
        assert_eq!(intersection(vec![&large, &larger], 7).len(), 7);
        assert_eq!(sorted(&difference(&small, vec![&large, &larger], &settings)), [1]);
        let rest = difference(&larger, vec![&large], &settings);
        assert_eq!(sorted(&rest), (2000..3000).collect::<Vec<_>>());
    }

    #[test]
    fn both_ways_to_a_difference_agree() {
        let settings = Settings::default();
        let first = numbers(0, 900);
        let others: Vec<SetValue> = (0..9).map(|n| numbers(n * 30, n * 30 + 3)).collect();
        let expected: Vec<u32> = (0..900).filter(|n| *n >= 270 || n % 30 >= 3).collect();
        let many = difference(&first, others.iter().collect(), &settings);
        assert_eq!(sorted(&many), expected);
        let one_by_one =
            others.iter().fold(first, |left, other| difference(&left, vec![other], &settings));
        assert_eq!(sorted(&one_by_one), expected);
    }
}
