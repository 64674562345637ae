//! Transactions over lists, in MULTI and EXEC.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ironkv_tests::checkers::history::History;
use ironkv_tests::checkers::list_append::{self, Step, check};
use ironkv_tests::clients::reply::Reply;
use ironkv_tests::clients::session::{Outcome, Session, outcome_of};

use crate::load::Context;

/// A new list replaces an old one after about this many appends.
const APPENDS_A_LIST: u64 = 60;
const LISTS: u64 = 4;

/// Lists that are appended to and read whole.
#[derive(Debug, Clone)]
pub struct Lists {
    context: Context,
    history: History<Vec<Step>, list_append::Lists>,
    values: Arc<AtomicU64>,
    /// If false, the steps of a transaction are sent one by one: a control that must be detected.
    pub atomic: bool,
}

impl Lists {
    pub fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            history: History::new(),
            values: Arc::new(AtomicU64::new(1)),
            atomic: true,
        }
    }

    /// One client.
    pub async fn run(self) {
        let mut session = self.context.session();
        while self.context.goes_on().await {
            let steps = self.transaction();
            let mut client = self.history.client();
            let pending = client.invoke(steps.clone());
            match self.execute(&mut session, &steps).await {
                Outcome::Done(Reply::Array(replies)) => pending.returned(lists(&steps, &replies)),
                Outcome::Done(reply) => panic!("EXEC answers {reply:?}"),
                Outcome::Refused(_) => pending.failed(),
                Outcome::Unknown(_) => pending.unknown(),
            }
            if rand::random_range(0..20) == 0 {
                session.leave();
            }
        }
    }

    /// Whether the history is strictly serializable.
    pub fn verdict(&self) -> Result<(), String> {
        check(&self.history.operations())
    }

    pub fn check(&self) {
        let (returned, ..) = self.history.counts();
        assert!(returned > 100, "only {returned} transactions returned");
        self.verdict().unwrap_or_else(|error| panic!("list-append: {error}"));
    }

    fn transaction(&self) -> Vec<Step> {
        let count = rand::random_range(1..5);
        let mut seen = HashSet::new();
        let mut steps = Vec::new();
        for _ in 0..count {
            let value = self.values.fetch_add(1, Ordering::Relaxed);
            let family = value / (APPENDS_A_LIST * LISTS);
            let key = (family * LISTS + rand::random_range(0..LISTS)) as u32;
            if rand::random_range(0..2) == 0 {
                steps.push(Step::Read { key });
            } else if seen.insert(key) {
                steps.push(Step::Append { key, value });
            }
        }
        if steps.is_empty() {
            steps.push(Step::Read { key: 0 });
        }
        steps
    }

    async fn execute(&self, session: &mut Session, steps: &[Step]) -> Outcome {
        let words = |step: &Step| match step {
            Step::Append { key, value } => {
                vec!["RPUSH".to_owned(), self.key(*key), value.to_string()]
            }
            Step::Read { key } => {
                ["LRANGE", &self.key(*key), "0", "-1"].map(str::to_owned).to_vec()
            }
        };
        let mut commands: Vec<Vec<String>> = steps.iter().map(words).collect();
        if !self.atomic {
            let mut replies = Vec::new();
            for command in commands {
                match session.ask(&command).await {
                    Outcome::Done(reply) => replies.push(reply),
                    other => return other,
                }
            }
            return Outcome::Done(Reply::Array(replies));
        }
        commands.insert(0, vec!["MULTI".to_owned()]);
        commands.push(vec!["EXEC".to_owned()]);
        match session.ask_all(&commands).await {
            Ok(mut replies) => outcome_of(replies.pop().expect("a reply to EXEC")),
            Err(outcome) => outcome,
        }
    }

    fn key(&self, key: u32) -> String {
        format!("{}list:{key}", self.context.prefix)
    }
}

fn lists(steps: &[Step], replies: &[Reply]) -> list_append::Lists {
    assert_eq!(steps.len(), replies.len(), "one reply a step");
    let mut lists = Vec::new();
    for (step, reply) in steps.iter().zip(replies) {
        if matches!(step, Step::Read { .. }) {
            let elements = reply.elements().unwrap_or_else(|| panic!("LRANGE answers {reply:?}"));
            let number = |element: &Reply| element.integer().expect("a number") as u64;
            lists.push(elements.iter().map(number).collect());
        }
    }
    lists
}
