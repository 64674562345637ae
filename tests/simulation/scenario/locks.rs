//! Registers that are changed only if their value is unchanged: WATCH, GET, then MULTI, SET, EXEC.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ironkv::resp::Reply;
use ironkv_tests::checkers::cas::{Call, CasRegister, Value};
use ironkv_tests::checkers::history::{self, History};
use ironkv_tests::checkers::linearizability::{TIME_LIMIT, Verdict, check};

use crate::client::{Answer, SimulatedClient};
use crate::history::workload::{ANSWER_WITHIN, Record};
use crate::random::Random;

/// After about so many values a new key is used, so that each history stays short.
const VALUES_PER_KEY: u64 = 200;

type Pen = history::Client<Call, Value>;

/// One history for each key.
#[derive(Clone, Default)]
pub(crate) struct Locks(Rc<RefCell<BTreeMap<u64, History<Call, Value>>>>);

impl Locks {
    fn pen(&self, key: u64) -> Pen {
        self.0.borrow_mut().entry(key).or_default().client()
    }

    /// Checks all histories.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, history) in &*self.0.borrow() {
            let verdict = check(&CasRegister, &history.operations(), TIME_LIMIT);
            if verdict != Verdict::Linearizable {
                return Err(format!("lock {key}: {verdict:?}"));
            }
        }
        Ok(())
    }

    /// Operations that returned.
    pub(crate) fn returned(&self) -> usize {
        self.0.borrow().values().map(|history| history.counts().0).sum()
    }

    /// See [`Record::trace`].
    pub(crate) fn trace(&self) -> String {
        let histories = self.0.borrow();
        let operations: Vec<_> = histories.values().map(History::operations).collect();
        format!("{operations:?}")
    }
}

/// Reads a lock and changes it until the faults end.
pub(crate) async fn use_locks(mut client: SimulatedClient, record: Record, mut random: Random) {
    while record.running.get() {
        let value = record.value();
        let number = value / VALUES_PER_KEY;
        let mut pen = record.locks.pen(number);
        let key = format!("lock:{number}");
        match read(&mut client, &mut pen, &key).await {
            Some(Some(from)) => {
                tokio::time::sleep(Duration::from_millis(random.below(20))).await;
                swap(&mut client, &mut pen, &key, from, value).await;
            }
            Some(None) => write(&mut client, &mut pen, &key, value).await,
            None => {}
        }
        tokio::time::sleep(Duration::from_millis(random.below(50))).await;
    }
}

/// Watches and reads; returns nothing without an answer.
async fn read(client: &mut SimulatedClient, pen: &mut Pen, key: &str) -> Option<Option<u64>> {
    let pending = pen.invoke(Call::Read);
    match ask(client, &[&["WATCH", key], &["GET", key]]).await {
        Answer::Reply(reply) => {
            let value = match &reply {
                Reply::Bulk(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
                Reply::Null => None,
                _ => panic!("GET was answered {reply:?}"),
            };
            pending.returned(Value::Read(value));
            return Some(value);
        }
        Answer::Refused => pending.failed(),
        Answer::Unknown => pending.unknown(),
    }
    None
}

async fn swap(client: &mut SimulatedClient, pen: &mut Pen, key: &str, from: u64, to: u64) {
    let pending = pen.invoke(Call::CompareAndSet { from, to });
    match ask(client, &[&["MULTI"], &["SET", key, &to.to_string()], &["EXEC"]]).await {
        Answer::Reply(Reply::Array(_)) => pending.returned(Value::Swapped(true)),
        // Another client was faster: nothing was executed.
        Answer::Reply(Reply::NullArray | Reply::Null) | Answer::Refused => pending.failed(),
        Answer::Reply(reply) => panic!("EXEC was answered {reply:?}"),
        Answer::Unknown => pending.unknown(),
    }
}

async fn write(client: &mut SimulatedClient, pen: &mut Pen, key: &str, value: u64) {
    let pending = pen.invoke(Call::Write(value));
    match ask(client, &[&["SET", key, &value.to_string()]]).await {
        Answer::Reply(Reply::Status(_)) => pending.returned(Value::Written),
        Answer::Reply(reply) => panic!("SET was answered {reply:?}"),
        Answer::Refused => pending.failed(),
        Answer::Unknown => pending.unknown(),
    }
}

/// The answer to the last of several commands, unless an earlier one was refused or its outcome is
/// unknown: a GET means nothing after a refused WATCH.
async fn ask(client: &mut SimulatedClient, commands: &[&[&str]]) -> Answer {
    let commands: Vec<Vec<String>> = commands
        .iter()
        .map(|words| words.iter().map(|word| (*word).to_owned()).collect())
        .collect();
    let Ok(mut answers) = tokio::time::timeout(ANSWER_WITHIN, client.run(&commands)).await else {
        return Answer::Unknown;
    };
    let spoilt = [Answer::Unknown, Answer::Refused].into_iter().find(|bad| answers.contains(bad));
    spoilt.or_else(|| answers.pop()).unwrap_or(Answer::Unknown)
}
