//! Keys with deadlines, and what clients of all nodes may see of them.
//!
//! Each key is set once, with a deadline. Then clients of all nodes read it, extend its deadline
//! (PEXPIRE), remove the deadline (PERSIST) and try to set it again (SET NX). The rules of
//! [`check_key`] hold for linearizable operations whichever single clock is wrong.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use ironkv::resp::Reply;

use crate::client::{Answer, SimulatedClient};
use crate::history::workload::{ANSWER_WITHIN, Record};
use crate::random::Random;

/// How much too early a key may expire: followers learn the leader's time a little later, and
/// nothing makes the time run ahead of the clocks of a majority.
const EARLY_MS_MAX: u64 = 100;

/// How much too late a key may still exist: while an entry is in flight for long, or after a
/// restart of a majority with a wrong clock, reads use the time of the last entry.
const LATE_MS_MAX: u64 = 8000;

/// Keys that are in use at the same time.
const KEYS: u64 = 4;

/// After so many milliseconds a new key replaces an old one.
const KEY_MS: u64 = 2500;

const SET: &str = "set";
const SET_AGAIN: &str = "set again";

/// One operation that was executed, or may have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// SET PX by the only client that does; milliseconds.
    Set(u64),
    /// A read found the first value.
    Alive,
    /// A read or a change found no key.
    Gone,
    /// SET NX found no key and set another value.
    SetAgain,
    /// A read found that other value.
    SecondValue,
    /// PERSIST found a deadline and removed it.
    Kept,
    /// PEXPIRE found a key.
    Moved,
    /// A change succeeded and only shows that the key exists.
    There,
    /// A change had no answer.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
struct Operation {
    began_ms: u64,
    /// `u64::MAX` without an answer.
    ended_ms: u64,
    seen: Seen,
}

/// All operations, by key.
#[derive(Clone, Default)]
pub(crate) struct Deadlines {
    keys: Rc<RefCell<BTreeMap<u64, Vec<Operation>>>>,
    /// When the time of the cluster could not be known; the last period may have no end yet.
    uncertain: Rc<RefCell<Vec<Range<u64>>>>,
}

impl Deadlines {
    fn note(&self, key: u64, operation: Operation) {
        self.keys.borrow_mut().entry(key).or_default().push(operation);
    }

    /// All nodes lose what they were told of the time while one clock is behind. Until a majority
    /// of clocks agrees, the time of the cluster lags by the outage, and then it jumps.
    pub(crate) fn time_is_uncertain(&self) {
        self.uncertain.borrow_mut().push(now_ms()..u64::MAX);
    }

    /// All clocks are right, and no leader remembers another value.
    pub(crate) fn time_is_certain(&self) {
        for period in self.uncertain.borrow_mut().iter_mut() {
            period.end = period.end.min(now_ms());
        }
    }

    /// Checks all keys.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, operations) in &*self.keys.borrow() {
            check_key(operations, self.early_ms_max(operations))
                .map_err(|error| format!("deadline of key {key}: {error}"))?;
        }
        Ok(())
    }

    /// How much too early this key may be gone: more by the longest outage if the time was
    /// uncertain when it was set.
    fn early_ms_max(&self, operations: &[Operation]) -> u64 {
        let set = operations.iter().find(|one| matches!(one.seen, Seen::Set(_)));
        let uncertain = self.uncertain.borrow();
        let period = set.and_then(|set| {
            uncertain.iter().find(|one| set.ended_ms > one.start && set.began_ms < one.end)
        });
        EARLY_MS_MAX + period.map_or(0, |period| self.longest_outage_ms(period.start))
    }

    /// The longest time, not over before `since_ms`, in which no operation was answered.
    fn longest_outage_ms(&self, since_ms: u64) -> u64 {
        let keys = self.keys.borrow();
        let mut answered: Vec<u64> = keys.values().flatten().map(|one| one.ended_ms).collect();
        answered.retain(|ended_ms| *ended_ms < u64::MAX);
        answered.sort_unstable();
        let gaps = answered.windows(2).filter(|pair| pair[1] >= since_ms);
        gaps.map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }

    /// Operations that returned.
    pub(crate) fn returned(&self) -> usize {
        self.keys.borrow().values().map(Vec::len).sum()
    }

    /// How many keys were seen expired.
    pub(crate) fn expired(&self) -> usize {
        let gone =
            |operations: &&Vec<Operation>| operations.iter().any(|one| one.seen == Seen::Gone);
        self.keys.borrow().values().filter(gone).count()
    }

    /// See [`Record::trace`].
    pub(crate) fn trace(&self) -> String {
        format!("{:?}", self.keys.borrow())
    }
}

fn check_key(operations: &[Operation], early_ms_max: u64) -> Result<(), String> {
    let find = |seen: &dyn Fn(Seen) -> bool| {
        operations.iter().filter(|one| seen(one.seen)).copied().collect::<Vec<_>>()
    };
    let sets = find(&|seen| matches!(seen, Seen::Set(_)));
    let [Operation { began_ms: set_began, ended_ms: set_ended, seen: Seen::Set(ttl_ms) }] =
        sets[..]
    else {
        // It is unknown whether the key ever existed.
        return Ok(());
    };
    let moved = !find(&|seen| matches!(seen, Seen::Moved | Seen::Unknown)).is_empty();
    let kept = find(&|seen| seen == Seen::Kept);
    let gone = find(&|seen| matches!(seen, Seen::Gone | Seen::SetAgain | Seen::SecondValue));
    let there = find(&|seen| matches!(seen, Seen::Alive | Seen::Kept | Seen::Moved));
    for gone in gone.iter().filter(|gone| gone.began_ms > set_ended) {
        if let Some(back) = there.iter().find(|there| there.began_ms > gone.ended_ms) {
            return Err(format!("it came back: {gone:?}, then {back:?}"));
        }
        if !moved && gone.ended_ms + early_ms_max < set_began + ttl_ms {
            return Err(format!("set at {set_began} for {ttl_ms} ms, and too early {gone:?}"));
        }
        if let Some(kept) = kept.iter().find(|kept| !moved && kept.ended_ms < gone.began_ms) {
            return Err(format!("{kept:?}, and yet {gone:?}"));
        }
    }
    let late_ms = set_ended + ttl_ms + LATE_MS_MAX;
    match there.iter().find(|there| there.began_ms > late_ms) {
        Some(late) if !moved && kept.is_empty() => {
            Err(format!("set at {set_ended} for {ttl_ms} ms, and too late {late:?}"))
        }
        _ => Ok(()),
    }
}

/// Sets, reads and changes keys with deadlines until the faults end.
pub(crate) async fn use_deadlines(mut client: SimulatedClient, record: Record, mut random: Random) {
    while record.running.get() {
        let key = now_ms() / KEY_MS * KEYS + random.below(KEYS);
        let name = format!("deadline:{key}");
        let began_ms = now_ms();
        let first = !record.deadlines.keys.borrow().contains_key(&key);
        let ttl_ms = (10 + random.below(1500)).to_string();
        let words: Vec<&str> = match random.below(20) {
            _ if first => {
                // This is the first operation on the key.
                record.deadlines.keys.borrow_mut().insert(key, Vec::new());
                vec!["SET", &name, SET, "PX", &ttl_ms]
            }
            0 => vec!["PERSIST", &name],
            1 => vec!["PEXPIRE", &name, &ttl_ms, "GT"],
            2 => vec!["SET", &name, SET_AGAIN, "NX"],
            3..=6 => vec!["PTTL", &name],
            _ => vec!["GET", &name],
        };
        let answer = tokio::time::timeout(ANSWER_WITHIN, client.call(&words)).await;
        let seen = match answer {
            Ok(Answer::Reply(reply)) => Some(seen(&words, &reply)),
            Ok(Answer::Refused) => None,
            Ok(Answer::Unknown) | Err(_) if matches!(words[0], "GET" | "PTTL") => None,
            Ok(Answer::Unknown) | Err(_) => Some(Seen::Unknown),
        };
        if let Some(seen) = seen {
            let ended_ms = if seen == Seen::Unknown { u64::MAX } else { now_ms() };
            record.deadlines.note(key, Operation { began_ms, ended_ms, seen });
        }
        tokio::time::sleep(Duration::from_millis(random.below(40))).await;
    }
}

fn seen(words: &[&str], reply: &Reply) -> Seen {
    match (words[0], reply) {
        ("SET", Reply::Status(_)) if words.contains(&"NX") => Seen::SetAgain,
        ("SET", Reply::Status(_)) => Seen::Set(words[4].parse().unwrap_or(0)),
        ("SET", Reply::Null) => Seen::There,
        ("GET", Reply::Bulk(value)) if value == SET => Seen::Alive,
        ("GET", Reply::Bulk(_)) => Seen::SecondValue,
        ("GET", Reply::Null) | ("PTTL", Reply::Integer(-2)) => Seen::Gone,
        // It is unknown which of the two values exists.
        ("PTTL", Reply::Integer(_)) => Seen::There,
        ("PERSIST", Reply::Integer(1)) => Seen::Kept,
        ("PEXPIRE", Reply::Integer(1)) => Seen::Moved,
        // No key, or one without a deadline.
        ("PERSIST" | "PEXPIRE", Reply::Integer(0)) => Seen::There,
        _ => panic!("{words:?} was answered {reply:?}"),
    }
}

pub(crate) fn now_ms() -> u64 {
    turmoil::sim_elapsed().map_or(0, |elapsed| elapsed.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(began_ms: u64, ended_ms: u64, seen: Seen) -> Operation {
        Operation { began_ms, ended_ms, seen }
    }

    #[test]
    fn the_rules_of_deadlines_accept_right_and_refuse_wrong_histories() {
        let set = at(0, 10, Seen::Set(1000));
        let check = |operations: &[Operation]| {
            check_key(&[&[set], operations].concat(), EARLY_MS_MAX).is_ok()
        };
        assert!(check(&[at(20, 30, Seen::Alive), at(1100, 1110, Seen::Gone)]));
        assert!(!check(&[at(20, 30, Seen::Gone)]), "too early");
        assert!(!check(&[at(1100, 1110, Seen::Gone), at(1120, 1130, Seen::Alive)]), "came back");
        assert!(check(&[at(1100, 1130, Seen::Gone), at(1120, 1140, Seen::Alive)]), "at once");
        assert!(!check(&[at(10_000, 10_001, Seen::Alive)]), "too late");
        assert!(check(&[at(900, 910, Seen::Kept), at(10_000, 10_001, Seen::Alive)]));
        assert!(!check(&[at(900, 910, Seen::Kept), at(1100, 1110, Seen::Gone)]), "was kept");
    }

    #[test]
    fn a_key_may_be_early_by_the_outage_only_while_the_time_was_uncertain() {
        let history =
            [at(0, 10, Seen::Alive), at(510, 520, Seen::Set(900)), at(830, 840, Seen::Gone)];
        let early = |uncertain: Option<Range<u64>>| {
            let deadlines = Deadlines::default();
            history.iter().for_each(|one| deadlines.note(0, *one));
            deadlines.uncertain.borrow_mut().extend(uncertain);
            deadlines.check().is_err()
        };
        assert!(early(None) && early(Some(0..500)) && early(Some(600..900)));
        assert!(!early(Some(100..700)));
        let deadlines = Deadlines::default();
        history.iter().for_each(|one| deadlines.note(0, *one));
        assert_eq!((deadlines.longest_outage_ms(5), deadlines.longest_outage_ms(600)), (510, 320));
    }
}
