//! A compare-and-set register and histories with known results.

use super::*;
use crate::checkers::cas::{Call, CasRegister, Value};

type CasOperation = Operation<Call, Value>;

fn op(call: Call, value: Value, invoked: u64, returned: u64) -> CasOperation {
    let outcome = if returned == NEVER { Outcome::Unknown } else { Outcome::Returned(value) };
    Operation { client: 0, call, invoked, returned, outcome }
}

fn cas(from: u64, to: u64, done: bool, invoked: u64, returned: u64) -> CasOperation {
    op(Call::CompareAndSet { from, to }, Value::Swapped(done), invoked, returned)
}

fn read(value: Option<u64>, invoked: u64, returned: u64) -> CasOperation {
    op(Call::Read, Value::Read(value), invoked, returned)
}

fn write(value: u64, invoked: u64, returned: u64) -> CasOperation {
    op(Call::Write(value), Value::Written, invoked, returned)
}

fn verdict(history: &[CasOperation]) -> Verdict {
    check(&CasRegister, history, TIME_LIMIT)
}

#[test]
fn orders_that_exist_are_found() {
    let check = |history: &[CasOperation]| {
        assert_eq!(verdict(history), Verdict::Linearizable, "{history:?}");
    };
    check(&[]);
    check(&[write(1, 1, 2), cas(1, 2, true, 3, 4), read(Some(2), 5, 6)]);
    check(&[write(1, 1, 2), cas(1, 2, true, 3, 6), cas(1, 3, false, 4, 5)]);
    check(&[write(1, 1, 2), cas(1, 2, true, 3, NEVER), read(Some(1), 4, 5), read(Some(2), 6, 7)]);
    check(&[write(1, 1, 2), cas(1, 2, true, 3, NEVER), read(Some(1), 4, 5)]);
}

#[test]
fn seeded_faults_are_found() {
    let check = |history: &[CasOperation]| {
        assert!(matches!(verdict(history), Verdict::NotLinearizable { .. }), "{history:?}");
    };
    check(&[write(1, 1, 2), cas(1, 2, true, 3, 6), cas(1, 3, true, 4, 5)]);
    check(&[write(1, 1, 2), cas(1, 2, true, 3, 4), read(Some(1), 5, 6)]);
    check(&[write(1, 1, 2), cas(1, 2, false, 3, 4)]);
    check(&[write(1, 1, 2), cas(1, 2, true, 3, NEVER), read(Some(2), 4, 5), read(Some(1), 6, 7)]);
    let mut failed = write(1, 1, 2);
    failed.outcome = Outcome::Failed;
    check(&[failed, read(Some(1), 3, 4)]);
}

#[test]
fn a_search_that_runs_out_of_time_fails() {
    let mut history: Vec<_> = (0..40).map(|i| write(i, i + 1, 1000 + i)).collect();
    history.push(read(Some(99), 2000, 2001));
    assert_eq!(check(&CasRegister, &history, Duration::from_millis(20)), Verdict::TimeUp);
}

#[test]
fn long_histories_of_few_clients_are_checked_quickly() {
    let mut history = Vec::new();
    for i in 0..3000 {
        history.push(write(i, 4 * i + 1, 4 * i + 3));
        history.push(read(Some(i), 4 * i + 2, 4 * i + 4));
    }
    assert_eq!(verdict(&history), Verdict::Linearizable);
}
