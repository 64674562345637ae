#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::super::Log;
use super::super::mark::MARK_AFTER;
use super::super::tests::{append, directory, open, position, record, simulate, small, try_open};
use super::tests::several_segments;
use super::*;
use crate::base::disk::{Disk, MemoryDisk};

/// Entries up to 19, the last of which was flushed just before the power went.
async fn cut_off() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let (log, _) = open(&disk);
    for index in 0..20 {
        append(&log, vec![record(index, 100)]).await.unwrap();
    }
    disk.crash(0);
    disk
}

/// The last segment, and where the last frame of it ends.
fn end(disk: &MemoryDisk) -> (PathBuf, u64) {
    let segments = disk.list(&directory()).unwrap();
    let path = segments.into_iter().rfind(|path| segment_number(path).is_some()).unwrap();
    let file = disk.open(&path).unwrap();
    let mut bytes = vec![0; to_usize(file.length().unwrap())];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    (path, used as u64)
}

#[test]
fn a_torn_tail_is_cut_and_written_over() {
    simulate(async {
        let disk = cut_off().await;
        let (path, used) = end(&disk);
        disk.flip(&path, used - 5, 1).unwrap();
        let (log, found) = open(&disk);
        assert_eq!(found.last, Some(position(18)));
        append(&log, vec![record(19, 20), record(20, 20)]).await.unwrap();
        log.close().await;
        let (log, found) = open(&disk);
        assert_eq!(found.last, Some(position(20)));
        assert_eq!(log.read(19..50, 1000).unwrap(), [record(19, 20), record(20, 20)]);
    });
}

#[test]
fn damage_to_the_last_frame_is_refused_after_a_second_of_idleness_and_after_a_start() {
    simulate(async {
        let disk = cut_off().await;
        let (path, used) = end(&disk);
        let (idle, _) = open(&disk);
        disk.flip(&path, used - 5, 1).unwrap();
        let error = try_open(&disk).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("was flushed"), "after a start: {error}");
        disk.flip(&path, used - 5, 1).unwrap();
        append(&idle, vec![record(20, 100)]).await.unwrap();
        let (path, used) = end(&disk);
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            disk.flip(&path, used - 5, 1).unwrap();
            let opened = Log::check(Arc::new(disk.clone()), &directory(), small());
            disk.flip(&path, used - 5, 1).unwrap();
            match opened {
                Err(LogError::Corrupt { path: named, .. }) => break assert_eq!(named, path),
                _ => assert!(tokio::time::Instant::now() < deadline, "never marked"),
            }
            tokio::time::sleep(MARK_AFTER / 4).await;
        }
        idle.close().await;
    });
}

#[test]
fn the_end_of_a_log_that_is_gone_up_to_before_the_mark_is_refused() {
    simulate(async {
        let (disk, parts) = several_segments().await;
        let (last, _) = parts.last().unwrap();
        disk.remove(last).unwrap();
        let error = try_open(&disk).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
        for (path, _) in &parts[..parts.len() - 1] {
            disk.remove(path).unwrap();
        }
        let error = try_open(&disk).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    });
}

#[test]
fn a_log_without_a_mark_or_with_a_damaged_one_is_read_as_version_0_1_0_read_it() {
    simulate(async {
        for damage in [true, false] {
            let (disk, parts) = several_segments().await;
            let mark = directory().join("flushed");
            if damage {
                disk.flip(&mark, 20, 1).unwrap();
                disk.flip(&mark, 4096 + 20, 1).unwrap();
            } else {
                disk.remove(&mark).unwrap();
            }
            let (path, used) = parts.last().unwrap();
            disk.flip(path, used - 5, 1).unwrap();
            let (log, found) = open(&disk);
            assert_eq!(found.last, Some(position(38)));
            log.close().await;
        }
    });
}

/// A log whose last flush failed, opened anew by a process that finds all of it in the page cache.
async fn after_a_failed_flush(earlier_operations: u64, mark: bool) -> (MemoryDisk, LogState) {
    let disk = MemoryDisk::new();
    let (log, _) = open(&disk);
    for index in 0..5 {
        append(&log, vec![record(index, 900)]).await.unwrap();
    }
    if mark {
        log.close().await;
    }
    let (log, _) = open(&disk);
    let elsewhere = Path::new("/data/elsewhere");
    (0..earlier_operations).for_each(|_| disk.sync_directory(elsewhere).unwrap());
    disk.fail_sync_after(0);
    append(&log, vec![record(5, 900)]).await.unwrap_err();
    log.close().await;
    if !mark {
        disk.remove(&directory().join("flushed")).unwrap();
    }
    let (log, found) = open(&disk);
    drop(log);
    (disk, found)
}

#[test]
fn what_a_start_finds_after_a_failed_flush_outlives_the_next_power_cut() {
    simulate(async {
        let mut seen = 0;
        for case in 0..60 {
            let (disk, found) = after_a_failed_flush(case / 2, case % 2 == 0).await;
            seen += u32::from(found.last == Some(position(5)));
            disk.crash(case);
            let (_, kept) = open(&disk);
            assert_eq!(kept, found, "case {case}");
        }
        assert!(seen > 50, "the entry whose flush failed was seen {seen} times");
    });
}
