//! Histories with known results, and thousands of random ones on which the exhaustive search must
//! agree.

use super::*;
use crate::checkers::history::NEVER;
use crate::checkers::linearizability::{self, Model, Verdict};

type RegisterOperation = Operation<Call<u32>, Answer<u32>>;

fn write(value: u32, invoked: u64, returned: u64) -> RegisterOperation {
    let outcome = if returned == NEVER { Outcome::Unknown } else { Outcome::Returned(None) };
    Operation { client: 0, call: Call::Write(value), invoked, returned, outcome }
}

fn read(value: Option<u32>, invoked: u64, returned: u64) -> RegisterOperation {
    let outcome = Outcome::Returned(value);
    Operation { client: 0, call: Call::Read, invoked, returned, outcome }
}

#[test]
fn good_histories_pass() {
    let check = |history: &[RegisterOperation]| assert_eq!(check(history), Ok(()), "{history:?}");
    check(&[]);
    check(&[read(None, 1, 2), write(1, 3, 4), read(Some(1), 5, 6)]);
    check(&[write(1, 1, 10), read(None, 2, 3), read(Some(1), 4, 5)]);
    check(&[write(1, 1, NEVER), read(None, 2, 3), read(Some(1), 9, 10)]);
    check(&[write(1, 1, NEVER), read(None, 2, 3), read(None, 9, 10)]);
    check(&[write(1, 1, 8), write(2, 2, 7), read(Some(2), 3, 4), read(Some(1), 5, 6)]);
}

#[test]
fn seeded_faults_are_found() {
    let check = |history: &[RegisterOperation], expected: &str| {
        let error = check(history).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    let stale = [write(1, 1, 2), write(2, 3, 4), read(Some(1), 5, 6)];
    check(&stale, "had to hold while another value does");
    let lost = [write(1, 1, 2), read(None, 3, 4)];
    check(&lost, "had to hold while another value does");
    let back_and_forth =
        [write(1, 1, 9), write(2, 2, 10), read(Some(1), 11, 12), read(Some(2), 13, 14)];
    check(&back_and_forth, "two values must hold at once");
    check(&[read(Some(1), 1, 2), write(1, 3, 4)], "written only at");
    check(&[read(Some(1), 1, 2)], "never written");
    let mut aborted = write(1, 1, 2);
    aborted.outcome = Outcome::Failed;
    check(&[aborted, read(Some(1), 3, 4)], "never written");
}

struct Register;

impl Model for Register {
    type State = Option<u32>;
    type Call = Call<u32>;
    type Value = Answer<u32>;

    fn initial(&self) -> Self::State {
        None
    }

    fn step(
        &self,
        state: &Self::State,
        call: &Call<u32>,
        result: Option<&Answer<u32>>,
    ) -> Option<Self::State> {
        match call {
            Call::Write(value) => Some(Some(*value)),
            Call::Read => result.is_none_or(|value| value == state).then_some(*state),
        }
    }
}

/// Three clients with a register that sometimes returns an old value.
fn random_history(random: &mut impl FnMut(u64) -> u64) -> Vec<RegisterOperation> {
    let mut history: Vec<RegisterOperation> = Vec::new();
    let mut open: [Option<usize>; 3] = [None; 3];
    let mut written: Vec<Option<u32>> = vec![None];
    for tick in 1..24 {
        let client = random(3) as usize;
        match open[client].take() {
            None => {
                open[client] = Some(history.len());
                let mut operation = write(tick as u32, tick, NEVER);
                if random(2) == 0 {
                    operation = read(None, tick, NEVER);
                    operation.outcome = Outcome::Unknown;
                } else {
                    written.push(Some(tick as u32));
                }
                history.push(operation);
            }
            Some(index) => {
                let recent = written.len() - 1 - (random(3) as usize).min(written.len() - 1);
                let is_read = history[index].call == Call::Read;
                history[index].returned = tick;
                history[index].outcome =
                    Outcome::Returned(if is_read { written[recent] } else { None });
            }
        }
    }
    history
}

#[test]
fn the_exhaustive_search_agrees_on_random_histories() {
    let mut state = 42_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    let (mut good, mut bad) = (0, 0);
    for _ in 0..3000 {
        let history = random_history(&mut random);
        let by_zones = check(&history).is_ok();
        let by_search = linearizability::check(&Register, &history, linearizability::TIME_LIMIT);
        assert_eq!(by_zones, by_search == Verdict::Linearizable, "{history:#?}");
        *(if by_zones { &mut good } else { &mut bad }) += 1;
    }
    assert!(good > 300 && bad > 300, "{good} good and {bad} bad histories");
}
