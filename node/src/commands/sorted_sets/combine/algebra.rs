//! Union, intersection and difference of members with scores. The results are not sorted; the
//! caller sorts them.

use bytes::Bytes;
use hashbrown::HashMap;

use super::options::{Aggregate, Weighted, zero_if_nan};
use crate::data::types::sorted_set::{Score, Scored};

/// The members that all inputs have.
pub(super) fn intersection(
    mut inputs: Vec<Weighted<'_>>,
    aggregate: Aggregate,
    limit: usize,
) -> Vec<Scored> {
    inputs.sort_by_key(|input| input.source.len());
    let Some((smallest, others)) = inputs.split_first() else { return Vec::new() };
    let score = |(member, score): (Bytes, f64)| {
        let first = zero_if_nan(smallest.weight * score);
        let score = others.iter().try_fold(first, |sum, other| {
            let score = other.source.score(&member)?;
            Some(aggregate.apply(sum, score * other.weight))
        });
        scored(member, score?)
    };
    smallest.source.iter().filter_map(score).take(limit).collect()
}

/// The members that any input has.
pub(super) fn union(mut inputs: Vec<Weighted<'_>>, aggregate: Aggregate) -> Vec<Scored> {
    // Redis's order: the last bit of a sum may depend on it.
    inputs.sort_by_key(|input| input.source.len());
    let most = inputs.last().map_or(0, |input| input.source.len());
    let mut scores: HashMap<Bytes, f64> = HashMap::with_capacity(most);
    for input in inputs {
        for (member, score) in input.source.iter() {
            let score = zero_if_nan(input.weight * score);
            let both = |old: &mut f64| *old = aggregate.apply(*old, score);
            scores.entry(member).and_modify(both).or_insert(score);
        }
    }
    scores.into_iter().filter_map(|(member, score)| scored(member, score)).collect()
}

/// The members of the first input that no other one has, with their scores.
pub(super) fn difference(inputs: &[Weighted<'_>]) -> Vec<Scored> {
    let Some((first, others)) = inputs.split_first() else { return Vec::new() };
    let (first_len, all) = (first.source.len(), inputs.iter().map(|input| input.source.len()));
    // As in Redis: look up the members of the first input in all others, which can stop early and
    // so counts half, or remove the members of all others from the first.
    if first_len * inputs.len() / 2 <= all.sum() {
        let mut others = others.to_vec();
        others.sort_by_key(|other| std::cmp::Reverse(other.source.len()));
        let in_none = |(member, _): &(Bytes, f64)| {
            others.iter().all(|other| other.source.score(member).is_none())
        };
        let left = first.source.iter().filter(in_none);
        return left.filter_map(|(member, score)| scored(member, score)).collect();
    }
    let mut left: HashMap<Bytes, f64> = first.source.iter().collect();
    for (member, _) in others.iter().flat_map(|other| other.source.iter()) {
        left.remove(&member);
    }
    left.into_iter().filter_map(|(member, score)| scored(member, score)).collect()
}

/// Never `None`, because NaN has been replaced by 0 before.
fn scored(member: Bytes, score: f64) -> Option<Scored> {
    Score::new(score).map(|score| Scored { score, member })
}
