//! Checkers that count: every acknowledged change has happened exactly once, and nothing else.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;

use crate::checkers::history::{Operation, Outcome};

/// Checks the elements found at the end against the requested adds.
///
/// # Errors
/// Names an element that is lost, duplicated, or was never (or certainly not) added.
pub fn check_set<T, V>(adds: &[Operation<T, V>], found: &[T]) -> Result<(), String>
where
    T: Clone + Eq + Hash + Debug,
{
    let mut times: HashMap<&T, usize> = HashMap::new();
    for element in found {
        *times.entry(element).or_default() += 1;
    }
    if let Some((element, count)) = times.iter().find(|(_, count)| **count > 1) {
        return Err(format!("{element:?} is there {count} times"));
    }
    let mut possible = HashSet::new();
    for add in adds {
        match add.outcome {
            Outcome::Returned(_) if !times.contains_key(&add.call) => {
                return Err(format!("{:?} was acknowledged and is lost", add.call));
            }
            Outcome::Failed => {}
            _ => {
                possible.insert(&add.call);
            }
        }
    }
    match times.keys().find(|element| !possible.contains(*element)) {
        Some(element) => Err(format!("{element:?} is there and was never added")),
        None => Ok(()),
    }
}

/// Checks the last value of a counter against the requested increments, all positive.
///
/// # Errors
/// Returns by how much it is too small or too large.
pub fn check_counter<V>(adds: &[Operation<i64, V>], value: i64) -> Result<(), String> {
    let sum = |wanted: fn(&Outcome<V>) -> bool| -> i64 {
        adds.iter().filter(|add| wanted(&add.outcome)).map(|add| add.call).sum()
    };
    let least = sum(|outcome| matches!(outcome, Outcome::Returned(_)));
    let most = least + sum(|outcome| matches!(outcome, Outcome::Unknown));
    if value < least {
        return Err(format!("{} of {least} acknowledged increments are lost", least - value));
    }
    if value > most {
        return Err(format!("{} more than the {most} that can be explained", value - most));
    }
    Ok(())
}

/// Operations on a queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum QueueCall<T> {
    /// Adds an element that is unique in the run.
    Push(T),
    /// Removes and returns an element, or `None` when the queue is empty.
    Pop,
}

/// Checks that each pushed element was taken once, by a pop or at the end (`left`). A pop of
/// unknown outcome may have taken one element with it.
///
/// # Errors
/// Names an element that was returned twice or never pushed, or the number of lost ones.
pub fn check_queue<T>(
    operations: &[Operation<QueueCall<T>, Option<T>>],
    left: &[T],
) -> Result<(), String>
where
    T: Clone + Eq + Hash + Debug,
{
    let (mut acknowledged, mut possible) = (HashSet::new(), HashSet::new());
    let (mut taken, mut unknown_pops) = (HashSet::new(), 0);
    for operation in operations {
        match (&operation.call, &operation.outcome) {
            (_, Outcome::Failed) => {}
            (QueueCall::Push(element), outcome) => {
                possible.insert(element);
                if matches!(outcome, Outcome::Returned(_)) {
                    acknowledged.insert(element);
                }
            }
            (QueueCall::Pop, Outcome::Unknown) => unknown_pops += 1,
            (QueueCall::Pop, Outcome::Returned(None)) => {}
            (QueueCall::Pop, Outcome::Returned(Some(element))) => {
                if !taken.insert(element) {
                    return Err(format!("{element:?} was given twice"));
                }
            }
        }
    }
    for element in left {
        if !taken.insert(element) {
            return Err(format!("{element:?} was given and is still there, or is there twice"));
        }
    }
    if let Some(element) = taken.iter().find(|element| !possible.contains(*element)) {
        return Err(format!("{element:?} was given and never pushed"));
    }
    let lost: Vec<_> = acknowledged.difference(&taken).collect();
    if lost.len() > unknown_pops {
        return Err(format!("{} elements are lost, such as {:?}", lost.len(), lost[0]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done<C, V>(call: C, outcome: Outcome<V>) -> Operation<C, V> {
        Operation { client: 0, call, invoked: 1, returned: 2, outcome }
    }

    const OK: Outcome<()> = Outcome::Returned(());

    #[test]
    fn a_set_holds_every_acknowledged_element_once() {
        let adds = [done(1, OK), done(2, Outcome::Unknown), done(3, Outcome::Failed)];
        let check = |found: &[i32]| check_set(&adds, found);
        assert_eq!(check(&[1]), Ok(()));
        assert_eq!(check(&[1, 2]), Ok(()));
        assert!(check(&[2]).unwrap_err().contains("lost"));
        assert!(check(&[1, 1]).unwrap_err().contains("2 times"));
        assert!(check(&[1, 3]).unwrap_err().contains("never added"));
    }

    #[test]
    fn a_counter_is_between_the_certain_and_the_possible() {
        let adds = [done(1, OK), done(2, Outcome::Unknown), done(4, Outcome::Failed)];
        assert_eq!(check_counter(&adds, 1), Ok(()));
        assert_eq!(check_counter(&adds, 3), Ok(()));
        assert!(check_counter(&adds, 0).unwrap_err().contains("lost"));
        assert!(check_counter(&adds, 4).unwrap_err().contains("more than"));
    }

    #[test]
    fn a_queue_returns_each_element_once() {
        let push = |element, outcome| done(QueueCall::Push(element), outcome);
        let pop = |outcome| done(QueueCall::Pop, outcome);
        let sure = || Outcome::Returned(None);
        let history = [push(1, sure()), push(2, sure()), pop(Outcome::Returned(Some(1)))];
        assert_eq!(check_queue(&history, &[2]), Ok(()));
        assert!(check_queue(&history, &[]).unwrap_err().contains("lost"));
        assert!(check_queue(&history, &[1, 2]).unwrap_err().contains("still there"));
        assert!(check_queue(&history, &[2, 3]).unwrap_err().contains("never pushed"));
        let twice = [push(1, sure()), pop(Outcome::Returned(Some(1)))];
        let twice = [twice[0].clone(), twice[1].clone(), twice[1].clone()];
        assert!(check_queue(&twice, &[]).unwrap_err().contains("twice"));
        let unsure = [push(1, sure()), pop(Outcome::Unknown)];
        assert_eq!(check_queue(&unsure, &[]), Ok(()));
    }
}
