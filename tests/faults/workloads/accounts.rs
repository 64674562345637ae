//! Workloads that are counted at the end: a set, a counter and a queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ironkv_tests::checkers::accounts::{QueueCall, check_counter, check_queue, check_set};
use ironkv_tests::checkers::history::History;
use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::reply::Reply;
use ironkv_tests::clients::session::Outcome;
use parking_lot::Mutex;

use crate::load::Context;

/// Elements added to a set, increments of a counter, a queue filled and emptied.
#[derive(Debug, Clone)]
pub struct Accounts {
    context: Context,
    values: Arc<AtomicU64>,
    adds: History<String, ()>,
    counts: History<i64, ()>,
    queue: History<QueueCall<String>, Option<String>>,
    end: Arc<Mutex<End>>,
}

#[derive(Debug, Default)]
struct End {
    set: Vec<String>,
    counter: i64,
    queue: Vec<String>,
}

impl Accounts {
    pub fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            values: Arc::default(),
            adds: History::new(),
            counts: History::new(),
            queue: History::new(),
            end: Arc::default(),
        }
    }

    pub async fn add_to_set(self) {
        let mut session = self.context.session();
        while self.context.goes_on().await {
            let element = self.next();
            let mut client = self.adds.client();
            let pending = client.invoke(element.clone());
            match session.line(&format!("SADD {} {element}", self.key("set"))).await {
                Outcome::Done(reply) => {
                    assert_eq!(reply, Reply::Integer(1), "SADD of a new element");
                    pending.returned(());
                }
                Outcome::Refused(_) => pending.failed(),
                Outcome::Unknown(_) => pending.unknown(),
            }
        }
    }

    pub async fn count(self) {
        let mut session = self.context.session();
        while self.context.goes_on().await {
            let by = rand::random_range(1..10);
            let mut client = self.counts.client();
            let pending = client.invoke(by);
            match session.line(&format!("INCRBY {} {by}", self.key("counter"))).await {
                Outcome::Done(Reply::Integer(_)) => pending.returned(()),
                Outcome::Done(reply) => panic!("INCRBY answers {reply:?}"),
                Outcome::Refused(_) => pending.failed(),
                Outcome::Unknown(_) => pending.unknown(),
            }
        }
    }

    pub async fn queue(self) {
        let mut session = self.context.session();
        while self.context.goes_on().await {
            let mut client = self.queue.client();
            let push = rand::random_range(0..2) == 0;
            let call = if push { QueueCall::Push(self.next()) } else { QueueCall::Pop };
            let key = self.key("queue");
            let line = match &call {
                QueueCall::Push(element) => format!("RPUSH {key} {element}"),
                QueueCall::Pop => format!("LPOP {key}"),
            };
            let pending = client.invoke(call);
            match session.line(&line).await {
                Outcome::Done(Reply::Error(error)) => panic!("{line} answers {error:?}"),
                Outcome::Done(reply) if push || reply.is_null() => pending.returned(None),
                Outcome::Done(reply) => pending.returned(Some(reply.text())),
                Outcome::Refused(_) => pending.failed(),
                Outcome::Unknown(_) => pending.unknown(),
            }
        }
    }

    /// Reads the final state when all clients have stopped.
    pub async fn read_the_end(&self, client: &mut Client) {
        let set = client.command(&["SMEMBERS", &self.key("set")]).await.unwrap();
        let counter = client.command(&["GET", &self.key("counter")]).await.unwrap();
        let queue = client.command(&["LRANGE", &self.key("queue"), "0", "-1"]).await.unwrap();
        let texts = |reply: &Reply| {
            reply.elements().unwrap_or_default().iter().map(Reply::text).collect::<Vec<_>>()
        };
        *self.end.lock() = End {
            set: texts(&set),
            counter: counter.integer().unwrap_or_default(),
            queue: texts(&queue),
        };
    }

    pub fn check(&self) {
        let end = self.end.lock();
        check_set(&self.adds.operations(), &end.set).unwrap_or_else(|e| panic!("set: {e}"));
        check_counter(&self.counts.operations(), end.counter)
            .unwrap_or_else(|e| panic!("counter: {e}"));
        check_queue(&self.queue.operations(), &end.queue).unwrap_or_else(|e| panic!("queue: {e}"));
        let returned = self.adds.counts().0.min(self.counts.counts().0);
        assert!(returned > 20, "only {returned} adds or counts returned");
    }

    fn next(&self) -> String {
        format!("e{}", self.values.fetch_add(1, Ordering::Relaxed))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.context.prefix)
    }
}
