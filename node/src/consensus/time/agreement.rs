//! What a majority of voters says.

use std::collections::BTreeSet;

use crate::base::ids::NodeId;

/// The voters in force: one set, or two while the membership changes. Each set needs a majority of
/// its own.
pub(crate) type VoterSets = Vec<BTreeSet<NodeId>>;

/// The highest value that a majority of voters reaches. `None` while fewer than a majority have
/// one.
pub(super) fn reached(sets: &VoterSets, value: impl Fn(NodeId) -> Option<i64>) -> Option<i64> {
    let of_set = |set: &BTreeSet<NodeId>| {
        let mut values = known(set, &value);
        values.sort_unstable_by(|one, other| other.cmp(one));
        values.get(set.len() / 2).copied()
    };
    // A missing majority of one set is less than any value.
    sets.iter().map(of_set).min().flatten()
}

/// The lowest value that a majority of voters does not exceed. `None` while fewer than a majority
/// have one.
pub(super) fn not_exceeded(sets: &VoterSets, value: impl Fn(NodeId) -> Option<i64>) -> Option<i64> {
    reached(sets, |id| value(id).map(|value| -value)).map(|value| -value)
}

fn known(set: &BTreeSet<NodeId>, value: impl Fn(NodeId) -> Option<i64>) -> Vec<i64> {
    set.iter().filter_map(|id| value(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voters(ids: &[u64]) -> BTreeSet<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn a_majority_counts_those_that_are_unknown_against_it() {
        let values = [None, Some(10), Some(20), Some(30)];
        let value = |id: NodeId| values[id.0 as usize % values.len()];
        let check = |sets: &[&[u64]], low: Option<i64>, high: Option<i64>| {
            let sets: VoterSets = sets.iter().map(|ids| voters(ids)).collect();
            assert_eq!(
                (reached(&sets, value), not_exceeded(&sets, value)),
                (low, high),
                "{sets:?}"
            );
        };
        check(&[&[1]], Some(10), Some(10));
        check(&[&[1, 2, 3]], Some(20), Some(20));
        check(&[&[1, 2, 4]], Some(10), Some(20));
        check(&[&[1, 4, 8]], None, None);
        check(&[&[1, 3]], Some(10), Some(30));
        check(&[&[1, 2, 3, 4]], Some(10), Some(30));
        check(&[&[1, 2, 3], &[3]], Some(20), Some(30));
        check(&[&[1, 2, 3], &[4]], None, None);
        check(&[], None, None);
    }
}
