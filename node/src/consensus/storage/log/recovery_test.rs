#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::Log;
use super::super::tests::{append, open, position, record, simulate, try_open};
use super::*;
use crate::base::disk::{Disk, MemoryDisk};

/// One thing done to a log.
#[derive(Debug, Clone)]
enum Step {
    /// Entries of these sizes.
    Append(Vec<usize>),
    Vote(u8),
    /// Drops this many entries from the end.
    Truncate(u64),
    /// Purges all but this many entries; skips forward when the number is odd and large.
    Purge(u64),
    Committed,
    /// Waits until all before is durable.
    Wait,
    Reopen,
}

/// What the log must hold, item by item.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    state: LogState,
    entries: BTreeMap<u64, Record>,
}

impl Model {
    fn apply(&mut self, item: &Item) {
        match item {
            Item::Entry(record) => {
                self.state.last = Some(record.position);
                self.entries.insert(record.position.index, record.clone());
            }
            Item::Vote(vote) => self.state.vote = Some(vote.clone()),
            Item::Truncate(last) => {
                self.state.truncate(*last);
                let first_removed = last.map_or(0, |last| last.index + 1);
                self.entries.retain(|&index, _| index < first_removed);
            }
            Item::Purge(up_to) => {
                self.state.purge(*up_to);
                self.entries.retain(|&index, _| index > up_to.index);
            }
            Item::Head(_) | Item::Committed(_) => {}
        }
    }

    fn entry_before(&self, back: u64) -> Option<LogPosition> {
        let first = self.state.purged;
        let kept = self.entries.len().saturating_sub(usize::try_from(back).unwrap());
        self.entries.values().take(kept).last().map(|record| record.position).or(first)
    }
}

fn read_back(log: &Log, state: &LogState) -> Model {
    let mut entries = BTreeMap::new();
    if let (Some(first), Some(last)) = (state.first_index(), state.last) {
        for record in log.read(first..last.index + 1, usize::MAX).unwrap() {
            entries.insert(record.position.index, record);
        }
    }
    Model { state: LogState { committed: None, ..state.clone() }, entries }
}

struct Run {
    disk: MemoryDisk,
    log: Log,
    model: Model,
    /// Items since the last known state, each with what the model is after it.
    after: Vec<Model>,
    acknowledged: usize,
    waiting: Vec<(usize, super::super::Durable)>,
}

impl Run {
    fn new() -> Self {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        let model = Model::default();
        Self { disk, log, after: vec![model.clone()], model, acknowledged: 0, waiting: Vec::new() }
    }

    fn issue(&mut self, items: Vec<Item>, durable: super::super::Durable) {
        for item in items {
            self.model.apply(&item);
            self.after.push(self.model.clone());
        }
        self.waiting.push((self.after.len() - 1, durable));
    }

    async fn settle(&mut self) -> bool {
        for (items, durable) in self.waiting.drain(..) {
            if durable.await.is_err() {
                return false;
            }
            self.acknowledged = items;
        }
        true
    }

    /// False when the power went.
    async fn step(&mut self, step: &Step) -> bool {
        match step {
            Step::Append(sizes) => {
                let next = self.model.state.last.map_or(0, |last| last.index + 1);
                let records: Vec<_> =
                    (next..).zip(sizes).map(|(index, &bytes)| record(index, bytes)).collect();
                let durable = append(&self.log, records.clone());
                self.issue(records.into_iter().map(Item::Entry).collect(), durable);
            }
            Step::Vote(vote) => {
                let vote = Bytes::from(vec![*vote; 9]);
                let durable = self.log.save_vote(vote.clone());
                self.issue(vec![Item::Vote(vote)], durable);
            }
            Step::Truncate(back) => {
                let last = self.model.entry_before(*back);
                let durable = self.log.truncate_after(last);
                self.issue(vec![Item::Truncate(last)], durable);
            }
            Step::Purge(kept) => {
                let last = self.model.state.last.map_or(0, |last| last.index);
                let skips = kept % 2 == 1 && *kept > 15;
                let up_to = if skips { last + kept } else { last.saturating_sub(*kept) };
                let durable = self.log.purge(position(up_to));
                self.issue(vec![Item::Purge(position(up_to))], durable);
            }
            Step::Committed => {
                if let Some(last) = self.model.state.last {
                    self.log.save_committed(last);
                }
            }
            Step::Wait => return self.settle().await,
            Step::Reopen => {
                if !self.settle().await {
                    return false;
                }
                self.log.close().await;
                let Ok((log, state)) = try_open(&self.disk) else { return false };
                assert_eq!(read_back(&log, &state), self.model);
                self.log = log;
            }
        }
        true
    }

    /// Cuts the power and checks that nothing acknowledged is lost and nothing is out of order.
    async fn crash(&mut self, seed: u64) {
        self.settle().await;
        self.disk.crash(seed);
        let (log, state) = open(&self.disk);
        let found = read_back(&log, &state);
        let possible = &self.after[self.acknowledged..];
        let matching = possible.iter().position(|model| *model == found);
        assert!(
            matching.is_some(),
            "acknowledged {} of {}:\nfound {:?}\nexpected {:?}",
            self.acknowledged,
            self.after.len() - 1,
            found.state,
            possible.iter().map(|model| &model.state).collect::<Vec<_>>()
        );
        self.log = log;
        self.model = found;
        self.after = vec![self.model.clone()];
        self.acknowledged = 0;
        self.waiting.clear();
    }
}

fn run(rounds: &[(Vec<Step>, u64, u64)]) {
    simulate(async {
        let mut run = Run::new();
        for (steps, power, seed) in rounds {
            run.disk.cut_power_after(*power);
            for step in steps {
                if !run.step(step).await {
                    break;
                }
            }
            run.crash(*seed).await;
        }
    });
}

fn steps() -> impl Strategy<Value = Step> {
    let sizes = prop_oneof![8 => 0_usize..400, 2 => 1000_usize..5000, 1 => 9000_usize..30_000];
    prop_oneof![
        8 => prop::collection::vec(sizes, 0..6).prop_map(Step::Append),
        1 => any::<u8>().prop_map(Step::Vote),
        2 => (0_u64..12).prop_map(Step::Truncate),
        3 => (0_u64..20).prop_map(Step::Purge),
        1 => Just(Step::Committed),
        6 => Just(Step::Wait),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_crash_loses_an_acknowledged_change(
        rounds in prop::collection::vec(
            (prop::collection::vec(steps(), 1..40), 0_u64..120, any::<u64>()), 1..5)
    ) {
        run(&rounds);
    }
}

/// A history that rotates, truncates, purges and recycles.
fn history() -> Vec<Step> {
    let mut steps = Vec::new();
    for round in 0..6 {
        steps.extend([
            Step::Vote(round),
            Step::Append(vec![700; 5]),
            Step::Append(vec![300; 9]),
            Step::Wait,
            Step::Truncate(4),
            Step::Append(vec![2000, 10, 10]),
            Step::Wait,
            Step::Purge(6),
            Step::Append(vec![15_000]),
            Step::Wait,
        ]);
    }
    steps
}

#[test]
fn a_crash_at_any_write_or_flush_loses_nothing_acknowledged() {
    let mut power = 0;
    loop {
        let spent = simulate(async {
            let mut run = Run::new();
            run.disk.cut_power_after(power);
            for step in history() {
                if !run.step(&step).await {
                    break;
                }
            }
            let spent = run.waiting.is_empty() && run.acknowledged + 1 == run.after.len();
            run.crash(power * 7 + 1).await;
            spent
        });
        if spent {
            break;
        }
        power += 1;
    }
    assert!(power > 100, "only {power} places to crash");
}

/// A log of several segments: its disk, and the bytes of frames in each file.
pub(super) async fn several_segments() -> (MemoryDisk, Vec<(PathBuf, u64)>) {
    let disk = MemoryDisk::new();
    let (log, _) = open(&disk);
    for index in 0..40 {
        append(&log, vec![record(index, 600)]).await.unwrap();
    }
    log.close().await;
    let (log, _) = open(&disk);
    let shared = &log.inner.shared;
    let tail = shared.counters.lock().tail_bytes;
    let mut parts: Vec<(PathBuf, u64)> = Vec::new();
    let files = shared.memory.lock().files.clone();
    let last = *files.keys().last().unwrap();
    for (number, segment) in files {
        let frame = 28 + 36 + 600;
        let used = if number == last {
            tail
        } else {
            // The room that is left is smaller than a frame.
            segment.bytes - (segment.bytes - FRAMES_AT - 64) % frame - 64
        };
        parts.push((segment.path, used));
    }
    log.close().await;
    (disk, parts)
}

#[test]
fn damage_anywhere_in_a_log_that_was_closed_refuses_to_start_and_names_the_place() {
    simulate(async {
        let (disk, parts) = several_segments().await;
        assert!(parts.len() >= 3);
        let mut refused = 0;
        for (path, used) in &parts {
            for offset in (FRAMES_AT..*used).step_by(97) {
                disk.flip(path, offset, 0x10).unwrap();
                match try_open(&disk) {
                    Err(LogError::Corrupt { path: named, offset: at, .. }) => {
                        assert_eq!(&named, path);
                        assert!(at <= offset && offset < at + 800, "{offset} is not at {at}");
                        refused += 1;
                    }
                    Err(other) => panic!("{other}"),
                    Ok(_) => panic!("{}: {offset} accepted", path.display()),
                }
                disk.flip(path, offset, 0x10).unwrap();
            }
        }
        assert!(refused > 50, "{refused} refused");
    });
}

#[test]
fn damage_to_a_segment_header_or_a_missing_segment_refuses_to_start() {
    simulate(async {
        let (disk, parts) = several_segments().await;
        for (path, _) in &parts {
            disk.flip(path, 18, 1).unwrap();
            assert!(matches!(try_open(&disk), Err(LogError::Corrupt { .. })));
            disk.flip(path, 18, 1).unwrap();
        }
        let aside = PathBuf::from("/data/aside");
        for (path, _) in &parts[..parts.len() - 1] {
            disk.rename(path, &aside).unwrap();
            let error = try_open(&disk).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("missing"), "{error}");
            disk.rename(&aside, path).unwrap();
        }
        open(&disk).0.close().await;
    });
}

#[test]
fn damage_found_while_reading_is_never_returned() {
    simulate(async {
        let (disk, parts) = several_segments().await;
        let (log, _) = open(&disk);
        disk.flip(&parts[0].0, FRAMES_AT + 2000, 1).unwrap();
        let error = log.read(0..10, usize::MAX).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("segment-"), "{error}");
    });
}

#[test]
fn a_value_that_looks_like_a_frame_of_another_salt_is_only_a_value() {
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        let mut frame = Vec::new();
        super::super::format::begin_frame(&mut frame);
        Item::Vote(Bytes::from_static(b"forged")).encode(&mut frame);
        super::super::format::end_frame(&mut frame, 1, 1_000_000);
        let forged = Record { position: position(0), payload: frame.into() };
        append(&log, vec![forged.clone()]).await.unwrap();
        log.close().await;
        let (log, found) = open(&disk);
        assert_eq!((found.vote, found.last), (None, Some(position(0))));
        assert_eq!(log.read(0..1, 1).unwrap(), [forged]);
    });
}
