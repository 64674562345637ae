//! Compare-and-set with WATCH, as locks and optimistic transactions use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ironkv_tests::checkers::cas::{Call, CasRegister, Value};
use ironkv_tests::checkers::history::{Client, History};
use ironkv_tests::checkers::linearizability::{TIME_LIMIT, Verdict, check};
use ironkv_tests::clients::reply::Reply;
use ironkv_tests::clients::session::{Outcome, Session, outcome_of};

use super::Generations;
use crate::load::Context;

/// Registers that are changed only from an expected value.
#[derive(Debug, Clone)]
pub struct Locks {
    context: Context,
    generations: Generations,
    histories: Arc<Vec<History<Call, Value>>>,
    values: Arc<AtomicU64>,
}

impl Locks {
    pub fn new(context: &Context, how_long: Duration) -> Self {
        let generations = Generations::new(Duration::from_secs(3));
        let count = generations.count(how_long);
        Self {
            context: context.clone(),
            generations,
            histories: Arc::new((0..count).map(|_| History::new()).collect()),
            values: Arc::new(AtomicU64::new(1)),
        }
    }

    /// One client.
    pub async fn run(self) {
        let mut session = self.context.session();
        while self.context.goes_on().await {
            let index = self.generations.now(self.histories.len());
            let key = format!("{}lock:{index}", self.context.prefix);
            let mut client = self.histories[index].client();
            let value = self.values.fetch_add(1, Ordering::Relaxed);
            if rand::random_range(0..5) == 0 {
                write(&mut session, &mut client, &key, value).await;
            } else {
                watch(&mut session, &mut client, &key, value).await;
            }
        }
    }

    pub fn check(&self) {
        let mut swapped = 0;
        for (index, history) in self.histories.iter().enumerate() {
            let operations = history.operations();
            swapped += history.counts().0;
            let verdict = check(&CasRegister, &operations, TIME_LIMIT);
            assert_eq!(verdict, Verdict::Linearizable, "lock {index}: {operations:#?}");
        }
        assert!(swapped > 50, "only {swapped} operations on locks returned");
    }
}

async fn write(session: &mut Session, client: &mut Client<Call, Value>, key: &str, value: u64) {
    let pending = client.invoke(Call::Write(value));
    match session.line(&format!("SET {key} {value}")).await {
        Outcome::Done(reply) if !reply.is_error() => pending.returned(Value::Written),
        Outcome::Done(reply) => panic!("SET answers {reply:?}"),
        Outcome::Refused(_) => pending.failed(),
        Outcome::Unknown(_) => pending.unknown(),
    }
}

async fn watch(session: &mut Session, client: &mut Client<Call, Value>, key: &str, to: u64) {
    let pending = client.invoke(Call::Read);
    let look = [vec!["WATCH", key], vec!["GET", key]];
    let from = match session.ask_all(&look).await {
        Err(Outcome::Unknown(_)) => return pending.unknown(),
        Err(_) => return pending.failed(),
        Ok(replies) if replies.iter().any(Reply::is_error) => {
            session.leave();
            return pending.failed();
        }
        Ok(replies) => replies[1].integer().map(|value| value as u64),
    };
    pending.returned(Value::Read(from));
    let Some(from) = from else { return };
    let to_text = to.to_string();
    let pending = client.invoke(Call::CompareAndSet { from, to });
    let swap = [vec!["MULTI"], vec!["SET", key, &to_text], vec!["EXEC"]];
    match session.ask_all(&swap).await.map(|mut replies| outcome_of(replies.remove(2))) {
        Ok(Outcome::Done(Reply::Array(_))) => pending.returned(Value::Swapped(true)),
        // Another client was faster: nothing was executed.
        Ok(Outcome::Done(reply)) if reply.is_null() => pending.failed(),
        Ok(Outcome::Done(reply)) => panic!("EXEC answers {reply:?}"),
        Ok(Outcome::Refused(_)) | Err(Outcome::Refused(_)) => pending.failed(),
        Ok(Outcome::Unknown(_)) | Err(_) => pending.unknown(),
    }
}
