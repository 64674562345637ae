//! What simulated clients do, and the record of it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ironkv::resp::Reply;
use ironkv_tests::history::History;
use ironkv_tests::list_append::{self, Lists, Step};
use ironkv_tests::registers;

use crate::client::{Answer, SimulatedClient};
use crate::locks::Locks;
use crate::random::Random;

const REGISTERS: u64 = 3;
const LISTS: u64 = 3;
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

type Register = History<registers::Call<u64>, registers::Answer<u64>>;

/// The histories of one simulation; shared by the clients of all nodes and their restarts.
#[derive(Clone)]
pub(crate) struct Record {
    registers: Vec<Register>,
    lists: History<Vec<Step>, Lists>,
    pub(crate) locks: Locks,
    next_value: Rc<Cell<u64>>,
    /// False once the chaos is over: clients stop.
    pub(crate) running: Rc<Cell<bool>>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            registers: (0..REGISTERS).map(|_| Register::new()).collect(),
            lists: History::new(),
            locks: Locks::default(),
            next_value: Rc::new(Cell::new(1)),
            running: Rc::new(Cell::new(true)),
        }
    }

    /// Every written value is used once.
    pub(crate) fn value(&self) -> u64 {
        let value = self.next_value.get();
        self.next_value.set(value + 1);
        value
    }

    /// Judges all histories.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (number, register) in self.registers.iter().enumerate() {
            registers::check(&register.operations())
                .map_err(|error| format!("register {number}: {error}"))?;
        }
        self.locks.check()?;
        list_append::check(&self.lists.operations()).map_err(|error| format!("lists: {error}"))
    }

    /// Operations that returned.
    pub(crate) fn returned(&self) -> usize {
        let registers: usize = self.registers.iter().map(|register| register.counts().0).sum();
        registers + self.lists.counts().0 + self.locks.returned()
    }

    /// All that was asked and answered, for comparing two runs of one seed.
    pub(crate) fn trace(&self) -> String {
        let registers =
            self.registers.iter().map(|register| format!("{:?}", register.operations()));
        let mut trace: Vec<_> = registers.collect();
        trace.push(format!("{:?}", self.lists.operations()));
        trace.push(self.locks.trace());
        trace.join("\n")
    }
}

/// Reads and writes registers until the chaos is over.
pub(crate) async fn use_registers(mut client: SimulatedClient, record: Record, mut random: Random) {
    while record.running.get() {
        let number = random.below(REGISTERS);
        let mut pen = record.registers[number as usize].client();
        let key = format!("register:{number}");
        let write = random.below(2) == 0;
        let value = record.value();
        let call = if write { registers::Call::Write(value) } else { registers::Call::Read };
        let pending = pen.invoke(call);
        let text = value.to_string();
        let words = if write { vec!["SET", &key, &text] } else { vec!["GET", &key] };
        match tokio::time::timeout(ANSWER_WITHIN, client.call(&words)).await {
            Ok(Answer::Reply(Reply::Status(_))) if write => pending.returned(None),
            Ok(Answer::Reply(Reply::Bulk(bytes))) if !write => {
                let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
                pending.returned(number);
            }
            Ok(Answer::Reply(Reply::Null)) if !write => pending.returned(None),
            Ok(Answer::Reply(reply)) => panic!("{words:?} was answered {reply:?}"),
            Ok(Answer::Refused) => pending.failed(),
            Ok(Answer::Unknown) | Err(_) => pending.unknown(),
        }
        tokio::time::sleep(Duration::from_millis(random.below(100))).await;
    }
}

/// Appends to and reads several lists in one transaction until the chaos is over.
pub(crate) async fn use_lists(mut client: SimulatedClient, record: Record, mut random: Random) {
    while record.running.get() {
        let steps: Vec<Step> = (0..=random.below(3))
            .map(|_| {
                let key = random.below(LISTS) as u32;
                match random.below(2) {
                    0 => Step::Append { key, value: record.value() },
                    _ => Step::Read { key },
                }
            })
            .collect();
        let mut pen = record.lists.client();
        let pending = pen.invoke(steps.clone());
        let commands = transaction(&steps);
        match tokio::time::timeout(ANSWER_WITHIN, client.run(&commands)).await {
            Ok(answers) => match answers.into_iter().next_back() {
                Some(Answer::Reply(Reply::Array(replies))) => pending.returned(lists(&replies)),
                Some(Answer::Refused) => pending.failed(),
                Some(Answer::Reply(reply)) => panic!("{commands:?} was answered {reply:?}"),
                Some(Answer::Unknown) | None => pending.unknown(),
            },
            Err(_) => pending.unknown(),
        }
        tokio::time::sleep(Duration::from_millis(random.below(150))).await;
    }
}

fn transaction(steps: &[Step]) -> Vec<Vec<String>> {
    let command = |step: &Step| match step {
        Step::Append { key, value } => {
            vec!["RPUSH".to_owned(), format!("list:{key}"), value.to_string()]
        }
        Step::Read { key } => {
            ["LRANGE", &format!("list:{key}"), "0", "-1"].map(str::to_owned).to_vec()
        }
    };
    let mut commands = vec![vec!["MULTI".to_owned()]];
    commands.extend(steps.iter().map(command));
    commands.push(vec!["EXEC".to_owned()]);
    commands
}

/// The lists that were read.
fn lists(replies: &[Reply]) -> Lists {
    let number = |reply: &Reply| match reply {
        Reply::Bulk(bytes) => std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    let list = |reply: &Reply| match reply {
        Reply::Array(items) => Some(items.iter().filter_map(number).collect()),
        _ => None,
    };
    replies.iter().filter_map(list).collect()
}
