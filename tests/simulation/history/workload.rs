//! The operations of simulated clients, and their record.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ironkv::resp::Reply;
use ironkv_tests::checkers::history::History;
use ironkv_tests::checkers::list_append::{self, Lists, Step};
use ironkv_tests::checkers::registers;

use crate::client::{Answer, SimulatedClient};
use crate::history::deadlines::Deadlines;
use crate::random::Random;
use crate::scenario::locks::Locks;

const REGISTERS: u64 = 3;
/// Registers with long values.
const LONG_REGISTERS: u64 = 8;
const LONG_BYTES: usize = 24_000;
const LISTS: u64 = 3;
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(50);

type Register = History<registers::Call<u64>, registers::Answer<u64>>;

/// The histories of one simulation; shared by the clients of all nodes and their restarts.
#[derive(Clone)]
pub(crate) struct Record {
    registers: Vec<Register>,
    long_registers: Vec<Register>,
    lists: History<Vec<Step>, Lists>,
    pub(crate) locks: Locks,
    pub(crate) deadlines: Deadlines,
    next_value: Rc<Cell<u64>>,
    /// False after the faults: clients stop.
    pub(crate) running: Rc<Cell<bool>>,
    /// Whether long values are written too.
    pub(crate) writes_much: Rc<Cell<bool>>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            registers: (0..REGISTERS).map(|_| Register::new()).collect(),
            long_registers: (0..LONG_REGISTERS).map(|_| Register::new()).collect(),
            lists: History::new(),
            locks: Locks::default(),
            deadlines: Deadlines::default(),
            next_value: Rc::new(Cell::new(1)),
            running: Rc::new(Cell::new(true)),
            writes_much: Rc::default(),
        }
    }

    /// Every written value is used once.
    pub(crate) fn value(&self) -> u64 {
        let value = self.next_value.get();
        self.next_value.set(value + 1);
        value
    }

    fn all_registers(&self) -> impl Iterator<Item = &Register> {
        self.registers.iter().chain(&self.long_registers)
    }

    /// Checks all histories.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (number, register) in self.all_registers().enumerate() {
            registers::check(&register.operations())
                .map_err(|error| format!("register {number}: {error}"))?;
        }
        self.locks.check()?;
        self.deadlines.check()?;
        list_append::check(&self.lists.operations()).map_err(|error| format!("lists: {error}"))
    }

    /// Operations that returned.
    pub(crate) fn returned(&self) -> usize {
        let registers: usize = self.all_registers().map(|register| register.counts().0).sum();
        registers + self.lists.counts().0 + self.locks.returned() + self.deadlines.returned()
    }

    /// All requests and answers, to compare two runs of one seed.
    pub(crate) fn trace(&self) -> String {
        let registers = self.all_registers().map(|one| format!("{:?}", one.operations()));
        let mut trace: Vec<_> = registers.collect();
        trace.push(format!("{:?}", self.lists.operations()));
        trace.push(self.locks.trace());
        trace.push(self.deadlines.trace());
        trace.join("\n")
    }
}

/// Reads and writes registers until the faults end.
pub(crate) async fn use_registers(mut client: SimulatedClient, record: Record, mut random: Random) {
    while record.running.get() {
        let number = random.below(REGISTERS);
        let write = random.below(2) == 0;
        let value = record.value();
        let call = if write { registers::Call::Write(value) } else { registers::Call::Read };
        use_register(&mut client, &record, number, call).await;
        tokio::time::sleep(Duration::from_millis(random.below(100))).await;
    }
}

/// Reads and writes registers with long values until the faults end.
pub(crate) async fn use_long_registers(
    mut client: SimulatedClient,
    record: Record,
    mut random: Random,
) {
    while record.running.get() && record.writes_much.get() {
        let number = REGISTERS + random.below(LONG_REGISTERS);
        let value = record.value();
        let call = match random.below(8) {
            0 => registers::Call::Read,
            _ => registers::Call::Write(value),
        };
        use_register(&mut client, &record, number, call).await;
        tokio::time::sleep(Duration::from_millis(random.below(100))).await;
    }
}

/// Returns whether it was answered. Registers above the short ones are long.
async fn use_register(
    client: &mut SimulatedClient,
    record: &Record,
    number: u64,
    call: registers::Call<u64>,
) -> bool {
    let register = record.all_registers().nth(number as usize).expect("a register");
    let mut pen = register.client();
    let key = format!("register:{number}");
    let bytes = if number < REGISTERS { 0 } else { LONG_BYTES };
    let (words, write) = match &call {
        // Zeros before the number make it long.
        registers::Call::Write(value) => {
            (vec!["SET".to_owned(), key, format!("{value:0bytes$}")], true)
        }
        registers::Call::Read => (vec!["GET".to_owned(), key], false),
    };
    let pending = pen.invoke(call);
    let commands = [words];
    match tokio::time::timeout(ANSWER_WITHIN, client.run(&commands)).await {
        Ok(mut answers) => match answers.remove(0) {
            Answer::Reply(Reply::Status(_)) if write => pending.returned(None),
            Answer::Reply(Reply::Bulk(bytes)) if !write => {
                let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
                pending.returned(number);
            }
            Answer::Reply(Reply::Null) if !write => pending.returned(None),
            Answer::Reply(reply) => panic!("{} was answered {reply:?}", commands[0][0]),
            Answer::Refused => {
                pending.failed();
                return false;
            }
            Answer::Unknown => {
                pending.unknown();
                return false;
            }
        },
        Err(_) => {
            pending.unknown();
            return false;
        }
    }
    true
}

/// Appends to and reads several lists in one transaction until the faults end.
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
        use_several_lists(&mut client, &record, steps).await;
        tokio::time::sleep(Duration::from_millis(random.below(150))).await;
    }
}

/// Returns whether it was answered.
async fn use_several_lists(
    client: &mut SimulatedClient,
    record: &Record,
    steps: Vec<Step>,
) -> bool {
    let mut pen = record.lists.client();
    let commands = transaction(&steps);
    let pending = pen.invoke(steps);
    let answers = tokio::time::timeout(ANSWER_WITHIN, client.run(&commands)).await;
    match answers.ok().and_then(|answers| answers.into_iter().next_back()) {
        Some(Answer::Reply(Reply::Array(replies))) => {
            pending.returned(lists(&replies));
            return true;
        }
        Some(Answer::Refused) => pending.failed(),
        Some(Answer::Reply(reply)) => panic!("{commands:?} was answered {reply:?}"),
        Some(Answer::Unknown) | None => pending.unknown(),
    }
    false
}

/// After the faults: writes each register, then reads everything, and repeats both until they are
/// answered, so that the histories show what was lost.
pub(crate) async fn use_everything_once(mut client: SimulatedClient, record: Record) {
    while record.running.get() {
        tokio::time::sleep(ASK_AGAIN).await;
    }
    let registers = if record.writes_much.get() { REGISTERS + LONG_REGISTERS } else { REGISTERS };
    for number in 0..registers {
        while !use_register(&mut client, &record, number, registers::Call::Read).await {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        let write = || registers::Call::Write(record.value());
        while !use_register(&mut client, &record, number, write()).await {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
    let reads = || (0..LISTS).map(|key| Step::Read { key: key as u32 }).collect();
    while !use_several_lists(&mut client, &record, reads()).await {
        tokio::time::sleep(ASK_AGAIN).await;
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
