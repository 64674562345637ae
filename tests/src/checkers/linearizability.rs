//! The search of Wing and Gong with Lowe's cache of visited states: decides linearizability for any
//! model. It is exponential in the worst case, so check one key at a time.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use crate::checkers::history::{NEVER, Operation, Outcome};

/// Long enough for a thousand operations on a key with ten clients.
pub const TIME_LIMIT: Duration = Duration::from_secs(20);

/// The specification of the checked object, one operation at a time.
pub trait Model {
    /// The whole state of the object.
    type State: Clone + Eq + Hash;
    /// Its operations.
    type Call;
    /// Their results.
    type Value;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after `call` returned `result` (`None`: the result is unknown, any is possible);
    /// `None` when this result is impossible.
    fn step(
        &self,
        state: &Self::State,
        call: &Self::Call,
        result: Option<&Self::Value>,
    ) -> Option<Self::State>;
}

/// The result of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An order exists.
    Linearizable,
    /// No order exists; at most this many operations could be ordered.
    NotLinearizable { longest: usize },
    /// The timeout passed; counts as a failure.
    TimeUp,
}

/// Searches for an order of `operations` that agrees with real time and with the model.
pub fn check<M: Model>(
    model: &M,
    operations: &[Operation<M::Call, M::Value>],
    time_limit: Duration,
) -> Verdict {
    let mut live: Vec<_> =
        operations.iter().filter(|o| !matches!(o.outcome, Outcome::Failed)).collect();
    live.sort_by_key(|operation| operation.invoked);
    Search::new(model, live).run(Instant::now() + time_limit)
}

struct Search<'a, M: Model> {
    model: &'a M,
    operations: Vec<&'a Operation<M::Call, M::Value>>,
    done: Done,
    state: M::State,
    seen: HashSet<(Done, M::State)>,
    /// Chosen operations with the state before each.
    chosen: Vec<(usize, M::State)>,
    known_left: usize,
    longest: usize,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, operations: Vec<&'a Operation<M::Call, M::Value>>) -> Self {
        let known_left = operations.iter().filter(|o| o.returned != NEVER).count();
        Self {
            model,
            done: Done::new(operations.len()),
            operations,
            state: model.initial(),
            seen: HashSet::new(),
            chosen: Vec::new(),
            known_left,
            longest: 0,
        }
    }

    fn run(mut self, deadline: Instant) -> Verdict {
        let mut next = 0;
        let mut steps = 0_u64;
        while self.known_left > 0 {
            steps += 1;
            if steps.is_multiple_of(1024) && Instant::now() > deadline {
                return Verdict::TimeUp;
            }
            if let Some(index) = self.advance(next) {
                self.longest = self.longest.max(self.chosen.len());
                next = self.done.first_missing();
                debug_assert!(self.done.has(index));
            } else if let Some((index, state)) = self.chosen.pop() {
                self.done.remove(index);
                self.state = state;
                self.known_left += usize::from(self.operations[index].returned != NEVER);
                next = index + 1;
            } else {
                return Verdict::NotLinearizable { longest: self.longest };
            }
        }
        Verdict::Linearizable
    }

    /// Adds the first operation from `from` on that can follow the chosen ones.
    fn advance(&mut self, from: usize) -> Option<usize> {
        let first_missing = self.done.first_missing();
        let missing = |index: &usize| !self.done.has(*index);
        // Nothing may come before an operation that had returned when it was invoked.
        let mut earliest_return = (first_missing..from.min(self.operations.len()))
            .filter(missing)
            .map(|index| self.operations[index].returned)
            .min()
            .unwrap_or(NEVER);
        for index in from..self.operations.len() {
            if self.done.has(index) {
                continue;
            }
            let operation = self.operations[index];
            if operation.invoked > earliest_return {
                return None;
            }
            earliest_return = earliest_return.min(operation.returned);
            let result = match &operation.outcome {
                Outcome::Returned(value) => Some(value),
                _ => None,
            };
            let Some(state) = self.model.step(&self.state, &operation.call, result) else {
                continue;
            };
            self.done.add(index);
            if self.seen.insert((self.done.clone(), state.clone())) {
                let before = std::mem::replace(&mut self.state, state);
                self.chosen.push((index, before));
                self.known_left -= usize::from(operation.returned != NEVER);
                return Some(index);
            }
            self.done.remove(index);
        }
        None
    }
}

/// A set of operation indexes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Done(Vec<u64>);

impl Done {
    fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    fn has(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 == 1
    }

    fn add(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    fn remove(&mut self, index: usize) {
        self.0[index / 64] &= !(1 << (index % 64));
    }

    fn first_missing(&self) -> usize {
        let full = self.0.iter().take_while(|word| **word == u64::MAX).count();
        full * 64 + self.0.get(full).map_or(0, |word| word.trailing_ones() as usize)
    }
}

#[cfg(test)]
#[path = "linearizability_test.rs"]
mod tests;
