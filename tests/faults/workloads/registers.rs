//! GET and SET of unique values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ironkv_tests::checkers::history::History;
use ironkv_tests::checkers::registers::{Answer, Call, check};
use ironkv_tests::clients::session::Outcome;

use super::Generations;
use crate::load::{Context, Pace};

const KEYS: usize = 3;

/// Operations of a wrong history that are printed.
const OPERATIONS_SHOWN: usize = 500;

/// Registers that are read and written.
#[derive(Debug, Clone)]
pub struct Registers {
    context: Context,
    generations: Generations,
    histories: Arc<Vec<History<Call<u64>, Answer<u64>>>>,
    values: Arc<AtomicU64>,
}

impl Registers {
    pub fn new(context: &Context, how_long: Duration) -> Self {
        let length = match context.pace {
            Pace::Thinking => Duration::from_secs(4),
            Pace::FullSpeed => Duration::from_secs(1),
        };
        let generations = Generations::new(length);
        let count = generations.count(how_long) * KEYS;
        Self {
            context: context.clone(),
            generations,
            histories: Arc::new((0..count).map(|_| History::new()).collect()),
            values: Arc::default(),
        }
    }

    /// One client.
    pub async fn run(self) {
        let mut session = self.context.session();
        while self.context.goes_on().await {
            let generation = self.generations.now(self.histories.len() / KEYS);
            let index = generation * KEYS + rand::random_range(0..KEYS);
            let key = format!("{}register:{index}", self.context.prefix);
            let mut client = self.histories[index].client();
            if rand::random_range(0..2) == 0 {
                let pending = client.invoke(Call::Read);
                match session.line(&format!("GET {key}")).await {
                    Outcome::Done(reply) if reply.is_null() => pending.returned(None),
                    Outcome::Done(reply) => pending.returned(
                        Some(reply.integer().expect("a value")).map(|value| value as u64),
                    ),
                    Outcome::Refused(_) => pending.failed(),
                    Outcome::Unknown(_) => pending.unknown(),
                }
            } else {
                let value = self.values.fetch_add(1, Ordering::Relaxed);
                let pending = client.invoke(Call::Write(value));
                match session.line(&format!("SET {key} {value}")).await {
                    Outcome::Done(reply) if !reply.is_error() => pending.returned(None),
                    Outcome::Done(reply) => panic!("SET answers {reply:?}"),
                    Outcome::Refused(_) => pending.failed(),
                    Outcome::Unknown(_) => pending.unknown(),
                }
            }
            if rand::random_range(0..20) == 0 {
                session.leave();
            }
        }
    }

    pub fn check(&self) {
        let mut returned = 0;
        for (index, history) in self.histories.iter().enumerate() {
            returned += history.counts().0;
            if let Err(error) = check(&history.operations()) {
                let operations = history.operations();
                let last = operations.len().saturating_sub(OPERATIONS_SHOWN);
                panic!("register {index}: {error}\n{:#?}", &operations[last..]);
            }
        }
        assert!(returned > 200, "only {returned} operations on registers returned");
    }
}
