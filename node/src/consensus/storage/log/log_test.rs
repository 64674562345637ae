#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::base::disk::{MemoryDisk, RealDisk};
use crate::base::threads::{RealThreads, ThreadMain};

/// Runs threads as tasks of the test's own runtime.
pub(super) struct Tasks;

impl Threads for Tasks {
    fn spawn(&self, _name: &str, main: ThreadMain) -> oneshot::Receiver<()> {
        let (ended, wait) = oneshot::channel();
        tokio::task::spawn_local(async move {
            main().await;
            let _ = ended.send(());
        });
        wait
    }
}

pub(super) fn simulate<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

pub(super) fn small() -> LogOptions {
    LogOptions {
        segment_bytes: 12 << 10,
        ring_bytes: 1 << 10,
        flush_bytes: 2 << 10,
        spare_segments_max: 2,
        ..LogOptions::default()
    }
}

pub(super) fn directory() -> PathBuf {
    PathBuf::from("/data/group-0")
}

pub(super) fn try_open(disk: &MemoryDisk) -> Result<(Log, LogState), LogError> {
    Log::open(Arc::new(disk.clone()), &directory(), small(), &Tasks, Arc::new(|_| {}))
}

pub(super) fn open(disk: &MemoryDisk) -> (Log, LogState) {
    try_open(disk).unwrap()
}

pub(super) fn position(index: u64) -> LogPosition {
    LogPosition { index, term: 1, leader: 7 }
}

pub(super) fn record(index: u64, bytes: usize) -> Record {
    let fill = u8::try_from(index % 251).unwrap();
    Record { position: position(index), payload: Bytes::from(vec![fill; bytes]) }
}

pub(super) fn append(log: &Log, records: Vec<Record>) -> Durable {
    let (done, durable) = completion();
    log.append(records, done);
    durable
}

fn indexes(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.position.index).collect()
}

#[test]
fn entries_can_be_read_at_once_and_after_a_restart() {
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, found) = open(&disk);
        assert_eq!(found, LogState::default());
        let records: Vec<_> = (0..50).map(|index| record(index, 300)).collect();
        let durable = append(&log, records.clone());
        assert_eq!(log.read(0..100, usize::MAX).unwrap(), records, "before the flush");
        durable.await.unwrap();
        log.save_vote(Bytes::from_static(b"vote")).await.unwrap();
        log.save_committed(position(40));
        assert!(log.stats().ring_bytes <= small().ring_bytes);
        assert_eq!(log.read(0..100, usize::MAX).unwrap(), records, "after the flush");
        assert_eq!(indexes(&log.read(7..30, 900).unwrap()), [7, 8, 9]);
        assert_eq!(indexes(&log.read(7..30, 0).unwrap()), [7], "at least one");
        assert!(log.stats().segments > 1);
        log.close().await;
        let (log, found) = open(&disk);
        assert_eq!(found, log.state());
        assert_eq!(found.last, Some(position(49)));
        assert_eq!(found.vote.as_deref(), Some(&b"vote"[..]));
        assert_eq!(found.committed, Some(position(40)));
        assert_eq!(log.read(0..100, usize::MAX).unwrap(), records);
    });
}

#[test]
fn truncated_entries_are_gone_and_their_indexes_are_used_again() {
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        append(&log, (0..20).map(|index| record(index, 500)).collect()).await.unwrap();
        let truncated = log.truncate_after(Some(position(4)));
        assert_eq!(indexes(&log.read(3..20, usize::MAX).unwrap()), [3, 4]);
        let other = Record {
            position: LogPosition { index: 5, term: 2, leader: 1 },
            payload: Bytes::from_static(b"other"),
        };
        let appended = append(&log, vec![other.clone()]);
        truncated.await.unwrap();
        appended.await.unwrap();
        log.close().await;
        let (log, found) = open(&disk);
        assert_eq!(found.last, Some(other.position));
        let records = log.read(4..20, usize::MAX).unwrap();
        assert_eq!(records, [record(4, 500), other]);
    });
}

#[test]
fn a_purge_recycles_files_and_the_vote_outlives_the_segment_it_was_written_to() {
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        log.save_vote(Bytes::from_static(b"vote")).await.unwrap();
        for index in 0..400 {
            append(&log, vec![record(index, 300)]).await.unwrap();
            if index % 20 == 19 {
                log.purge(position(index - 5)).await.unwrap();
            }
        }
        assert!(log.stats().segments <= 3, "{:?}", log.stats());
        let files = disk.list(&directory()).unwrap().len();
        assert!(files <= 6, "{files} files");
        assert_eq!(log.read(0..9, 1).unwrap_err().kind(), io::ErrorKind::NotFound);
        log.close().await;
        let (log, found) = open(&disk);
        assert_eq!(found.vote.as_deref(), Some(&b"vote"[..]));
        assert_eq!(found.purged, Some(position(394)));
        assert_eq!(indexes(&log.read(395..500, usize::MAX).unwrap()), [395, 396, 397, 398, 399]);
    });
}

#[test]
fn a_purge_past_the_end_moves_the_log_forward() {
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        append(&log, vec![record(0, 10)]).await.unwrap();
        log.purge(position(1000)).await.unwrap();
        assert_eq!(log.state().last, Some(position(1000)));
        let error = append(&log, vec![record(1, 10)]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        append(&log, vec![record(1001, 10)]).await.unwrap();
        log.close().await;
        let (log, found) = open(&disk);
        assert_eq!(found.first_index(), Some(1001));
        assert_eq!(log.read(1001..1002, 1).unwrap(), [record(1001, 10)]);
    });
}

#[test]
fn what_can_go_is_told_by_bytes_whatever_the_size_of_entries() {
    simulate(async {
        for entry_bytes in [50_u64, 900, 6000] {
            let disk = MemoryDisk::new();
            let (log, _) = open(&disk);
            assert_eq!((log.bytes_after(0), log.last_to_purge(0, 1)), (0, None), "an empty log");
            let count = 120_000 / entry_bytes;
            for index in 1..=count {
                append(&log, vec![record(index, entry_bytes as usize)]).await.unwrap();
            }
            let middle = count / 2;
            let behind = log.bytes_after(middle);
            // Headers, ends of segments and what lies between two markers add to the entries.
            let slack = log.stats().segments as u64 * 7000 + count * 150 + 5000;
            assert!((60_000..60_000 + slack).contains(&behind), "{entry_bytes}: {behind}");
            assert_eq!(log.bytes_after(count), 0);
            let last = log.last_to_purge(middle, 30_000).unwrap();
            let kept = log.bytes_after(last) - behind;
            assert!((23_000..=36_000).contains(&kept), "{entry_bytes}: {kept} bytes are kept");
            assert_eq!(log.last_to_purge(middle, 1 << 30), None, "there is less than that");
            let all = log.last_to_purge(middle, 0).unwrap();
            assert!(all <= middle && log.bytes_after(all) - behind <= 4096 + entry_bytes);
            log.purge(position(last)).await.unwrap();
            // It is noted at the end of the log, and moves nothing.
            assert!((behind..behind + 256).contains(&log.bytes_after(middle)));
            log.close().await;
        }
    });
}

#[test]
fn an_entry_larger_than_a_segment_gets_one_of_its_own() {
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        let records = vec![record(0, 40 << 10), record(1, 10), record(2, 100 << 10), record(3, 1)];
        append(&log, records.clone()).await.unwrap();
        log.close().await;
        let (log, _) = open(&disk);
        assert_eq!(log.read(0..10, usize::MAX).unwrap(), records);
        log.purge(position(3)).await.unwrap();
        let lengths: Vec<u64> = disk
            .list(&directory())
            .unwrap()
            .iter()
            .map(|path| disk.open(path).unwrap().length().unwrap())
            .collect();
        assert!(lengths.iter().filter(|&&bytes| bytes > small().segment_bytes).count() <= 1);
    });
}

#[test]
fn completions_come_in_order_and_many_appends_share_a_flush() {
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        let order = Arc::new(Mutex::new(Vec::new()));
        for index in 0..30 {
            let order = Arc::clone(&order);
            let done = move |outcome: io::Result<()>| {
                outcome.unwrap();
                order.lock().push(index);
            };
            log.append(vec![record(index, 20)], Box::new(done));
        }
        append(&log, Vec::new()).await.unwrap();
        assert_eq!(*order.lock(), (0..30).collect::<Vec<_>>());
        assert!(log.stats().frames <= 2, "{:?}", log.stats());
        assert_eq!(log.stats().entries, 30);
    });
}

#[test]
fn a_failed_flush_is_fatal_at_once_and_never_tried_again() {
    simulate(async {
        let disk = MemoryDisk::new();
        let fatal = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&fatal);
        let count: Fatal = Arc::new(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let (log, _) =
            Log::open(Arc::new(disk.clone()), &directory(), small(), &Tasks, count).unwrap();
        append(&log, vec![record(0, 10)]).await.unwrap();
        disk.fail_sync_after(0);
        append(&log, vec![record(1, 10)]).await.unwrap_err();
        append(&log, vec![record(2, 10)]).await.unwrap_err();
        log.save_vote(Bytes::new()).await.unwrap_err();
        assert_eq!(fatal.load(Ordering::SeqCst), 1);
        log.close().await;
        append(&log, vec![record(3, 10)]).await.unwrap_err();
    });
}

#[test]
fn a_full_disk_is_noticed_early_and_nothing_acknowledged_is_lost() {
    simulate(async {
        let disk = MemoryDisk::new();
        // Room for the first segment and no spare one.
        disk.set_capacity(Some(small().segment_bytes + 4096));
        let (log, _) = open(&disk);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(log.disk_full());
        log.save_vote(Bytes::from_static(b"vote")).await.unwrap();
        append(&log, vec![record(0, 2000)]).await.unwrap();
        let waiting = append(&log, (1..20).map(|index| record(index, 2000)).collect());
        tokio::pin!(waiting);
        let timeout = Duration::from_secs(2);
        tokio::time::timeout(timeout, &mut waiting).await.unwrap_err();
        disk.set_capacity(None);
        tokio::time::timeout(timeout, waiting).await.unwrap().unwrap();
        assert!(!log.disk_full());
        log.close().await;
        let (log, found) = open(&disk);
        assert_eq!(found.last, Some(position(19)));
        assert_eq!(log.read(0..20, usize::MAX).unwrap().len(), 20);
    });
}

#[test]
fn a_write_that_found_no_room_at_first_leaves_the_log_open_for_others() {
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        append(&log, vec![record(0, 100)]).await.unwrap();
        // In a segment that exists: what a file system answers that writes to another place.
        disk.refuse_writes(2);
        let waiting = append(&log, vec![record(1, 100)]);
        tokio::pin!(waiting);
        tokio::time::timeout(Duration::from_millis(300), &mut waiting).await.unwrap_err();
        assert!(log.disk_full());
        tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        assert!(!log.disk_full(), "no write will come that could show that there is room");
    });
}

#[test]
fn closing_on_a_full_disk_does_not_hang() {
    simulate(async {
        let disk = MemoryDisk::new();
        disk.set_capacity(Some(small().segment_bytes));
        let (log, _) = open(&disk);
        let waiting = append(&log, (0..20).map(|index| record(index, 2000)).collect());
        tokio::time::sleep(Duration::from_secs(1)).await;
        tokio::time::timeout(Duration::from_secs(5), log.close()).await.unwrap();
        waiting.await.unwrap_err();
    });
}

#[tokio::test]
async fn real_threads_and_real_files_work_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("group-0");
    let start =
        || Log::open(Arc::new(RealDisk), &path, small(), &RealThreads, Arc::new(|_| {})).unwrap();
    let (log, _) = start();
    let records: Vec<_> = (0..500).map(|index| record(index, 400)).collect();
    let mut durable = Vec::new();
    for record in &records {
        durable.push(append(&log, vec![record.clone()]));
    }
    for durable in durable {
        durable.await.unwrap();
    }
    log.purge(position(99)).await.unwrap();
    log.close().await;
    let (log, found) = start();
    assert_eq!((found.first_index(), found.last), (Some(100), Some(position(499))));
    assert_eq!(log.read(100..500, usize::MAX).unwrap(), records[100..]);
    log.close().await;
}

#[test]
fn entries_in_memory_are_fetched_at_once_and_others_by_another_thread() {
    use futures::FutureExt;
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        let records: Vec<_> = (0..50).map(|index| record(index, 300)).collect();
        append(&log, records.clone()).await.unwrap();
        let newest = log.fetch(48..50, usize::MAX, Ok).now_or_never();
        assert_eq!(newest.expect("without waiting").unwrap(), records[48..]);
        assert_eq!(log.fetch(50..60, 1, Ok).now_or_never().expect("no entries").unwrap(), []);
        let oldest = log.fetch(0..50, usize::MAX, Ok);
        tokio::pin!(oldest);
        assert!(oldest.as_mut().now_or_never().is_none(), "the caller read a file");
        assert_eq!(oldest.await.unwrap(), records);
        log.close().await;
        assert!(log.fetch(0..50, 1, Ok).await.is_err(), "of a closed log");
    });
}

#[test]
fn a_disk_that_hangs_shows_by_age_and_bytes_and_lets_go_of_those_that_wait_when_it_answers() {
    simulate(async {
        let disk = MemoryDisk::new();
        let (log, _) = open(&disk);
        append(&log, vec![record(0, 100)]).await.unwrap();
        assert_eq!((log.disk_silent_for(), log.unflushed_bytes()), (None, 0));
        disk.hang(true);
        let waiting = append(&log, vec![record(1, 1000)]);
        let later = append(&log, vec![record(2, 1000)]);
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(log.disk_silent_for().is_some_and(|age| age >= Duration::from_millis(10)));
        assert!(log.unflushed_bytes() >= 2000);
        let room = log.unflushed_below(2000);
        tokio::pin!(room);
        let early = tokio::time::timeout(Duration::from_millis(10), room.as_mut()).await;
        assert!(early.is_err(), "there is no room yet");
        disk.hang(false);
        room.await;
        waiting.await.unwrap();
        later.await.unwrap();
        assert_eq!((log.disk_silent_for(), log.unflushed_bytes()), (None, 0));
    });
}
