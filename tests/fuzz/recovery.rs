//! How a start handles damaged log segments: it recovers everything before the damage, or fails
//! with an error that names it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ironkv::base::disk::{Disk, MemoryDisk};
use ironkv::base::threads::{ThreadMain, Threads};
use ironkv::consensus::log::{Log, LogError, LogOptions, LogPosition, LogState, Record};
use tokio::sync::oneshot;

const ENTRIES: u64 = 60;
const SEGMENT_BYTES: u64 = 12 << 10;
const FRAMES_AT: usize = 4096;
const FRAME_HEADER_BYTES: usize = 28;
const ITEM_HEADER_BYTES: usize = 12;

/// Runs threads as tasks of the caller's runtime, so that a run depends only on its bytes.
struct Tasks;

impl Threads for Tasks {
    fn spawn(&self, _name: &str, main: ThreadMain) -> oneshot::Receiver<()> {
        let (ended, wait) = oneshot::channel();
        tokio::task::spawn_local(async move {
            main().await;
            let _nobody_waits = ended.send(());
        });
        wait
    }
}

/// A log as it is stored on its disk.
struct Written {
    files: Vec<(PathBuf, Vec<u8>)>,
    /// For every entry: the number of its file and the end of its frame.
    ends: Vec<(usize, usize)>,
}

/// Damages a valid log: the first byte selects how, the rest where.
pub fn recovery(data: &[u8]) {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    let good = WRITTEN.get_or_init(|| simulate(write()));
    let Some((kind, data)) = data.split_first() else { return };
    let mut files = good.files.clone();
    let last = files.len() - 1;
    let mut damage = (last, usize::MAX);
    match kind % 4 {
        0 => {
            damage = (last, FRAMES_AT);
            let area = &mut files[last].1[FRAMES_AT..];
            area.fill(0);
            let count = data.len().min(area.len());
            area[..count].copy_from_slice(&data[..count]);
        }
        1 | 2 => {
            for patch in data.chunks_exact(4) {
                let (file, bytes) = (usize::from(patch[0]) % files.len(), [patch[1], patch[2]]);
                let content = &mut files[file].1;
                let at = usize::from(u16::from_le_bytes(bytes)) % content.len();
                content[at] ^= patch[3];
                if patch[3] != 0 {
                    damage = damage.min((file, at));
                }
            }
            if kind % 4 == 2 {
                // Damage with matching checksums passes the first check.
                damage = (0, 0);
                files.iter_mut().for_each(|(_, content)| seal(content));
            }
        }
        _ => {
            let Some(cut) = data.first_chunk::<3>() else { return };
            let file = usize::from(cut[0]) % files.len();
            let content = &mut files[file].1;
            content.truncate(usize::from(u16::from_le_bytes([cut[1], cut[2]])) % content.len());
            damage = (file, content.len());
        }
    }
    let whole = good.ends.iter().filter(|end| **end <= damage).count() as u64;
    simulate(check(&files, whole, kind % 4));
}

async fn check(files: &[(PathBuf, Vec<u8>)], whole: u64, kind: u8) {
    let disk = disk_of(files);
    let state = match open(&disk) {
        Ok((log, state)) => {
            if kind % 2 == 1 {
                let expected: Vec<Record> = (0..whole).map(record).collect();
                let found = log.read(0..ENTRIES, usize::MAX).expect("a recovered log can be read");
                assert!(found.len() as u64 >= whole, "{} of {whole} entries", found.len());
                assert_eq!(found[..expected.len()], expected);
                let rest = found.iter().zip(0..).all(|(found, index)| *found == record(index));
                assert!(rest, "an entry was invented");
                append(&log, found.len() as u64).await.expect("a recovered log continues");
            }
            log.close().await;
            state
        }
        Err(error) => {
            assert!(matches!(error, LogError::Corrupt { .. }), "damage is not named: {error}");
            return;
        }
    };
    let (log, again) = open(&disk).expect("what was recovered once is recovered again");
    let index = |state: &LogState| state.last.map(|last| last.index);
    assert!(index(&again) >= index(&state));
    log.close().await;
}

/// A log in several files, flushed after every entry.
async fn write() -> Written {
    let disk = MemoryDisk::new();
    let (log, _) = open(&disk).expect("an empty disk");
    let mut ends = Vec::new();
    for index in 0..ENTRIES {
        if index % 7 == 0 {
            log.save_vote(Bytes::from(vec![index as u8; 17])).await.expect("a good disk");
        }
        append(&log, index).await.expect("a good disk");
        let (stats, file_bytes) = (log.stats(), SEGMENT_BYTES as usize);
        let file = stats.segments - 1;
        ends.push((file, stats.bytes as usize - file * file_bytes));
    }
    log.close().await;
    let paths = disk.list(Path::new(DIRECTORY)).expect("a good disk");
    let is_segment = |path: &PathBuf| path.to_string_lossy().contains("segment-");
    let read = |path: PathBuf| {
        let file = disk.open(&path).expect("a good disk");
        let mut content = vec![0; file.length().expect("a good disk") as usize];
        file.read_exact_at(&mut content, 0).expect("a good disk");
        (path, content)
    };
    let files: Vec<_> = paths.into_iter().filter(is_segment).map(read).collect();
    assert!(files.len() > 2, "one file is not enough");
    Written { files, ends }
}

const DIRECTORY: &str = "/log";

fn open(disk: &MemoryDisk) -> Result<(Log, LogState), LogError> {
    let options = LogOptions {
        segment_bytes: SEGMENT_BYTES,
        ring_bytes: 1 << 10,
        flush_bytes: 2 << 10,
        spare_segments_max: 1,
        ..LogOptions::default()
    };
    Log::open(Arc::new(disk.clone()), Path::new(DIRECTORY), options, &Tasks, Arc::new(|_| {}))
}

fn record(index: u64) -> Record {
    let position = LogPosition { index, term: 1, leader: 1 };
    let length = (index * 131 % 700) as usize;
    Record { position, payload: Bytes::from(vec![index as u8; length]) }
}

async fn append(log: &Log, index: u64) -> std::io::Result<()> {
    let (done, durable) = oneshot::channel();
    let tell = |outcome| drop(done.send(outcome));
    log.append(vec![record(index)], Box::new(tell));
    durable.await.unwrap_or_else(|_| Err(std::io::Error::other("the log is gone")))
}

fn disk_of(files: &[(PathBuf, Vec<u8>)]) -> MemoryDisk {
    let disk = MemoryDisk::new();
    for (path, content) in files {
        let file = disk.create(path).expect("an empty disk");
        file.write_all_at(content, 0).expect("a disk without a limit");
    }
    disk
}

fn simulate<T>(run: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, run)
}

/// Makes the checksums of header, frames and items match as far as their lengths are valid.
fn seal(content: &mut [u8]) {
    let header = crc32c::crc32c(&content[..32]);
    content[32..36].copy_from_slice(&header.to_le_bytes());
    let mut at = FRAMES_AT;
    while let Some(length) = length_at(content, at + 4) {
        let end = at + FRAME_HEADER_BYTES + length;
        if length == 0 || end > content.len() {
            return;
        }
        seal_items(&mut content[at + FRAME_HEADER_BYTES..end]);
        let crc = crc32c::crc32c(&content[at + 4..at + 24]);
        let crc = crc32c::crc32c_append(crc, &content[at + FRAME_HEADER_BYTES..end]);
        content[at + 24..at + FRAME_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        at = end;
    }
}

fn seal_items(mut rest: &mut [u8]) {
    while let Some(length) = length_at(rest, 4) {
        if ITEM_HEADER_BYTES + length > rest.len() {
            return;
        }
        let (item, after) = rest.split_at_mut(ITEM_HEADER_BYTES + length);
        let (header, body) = item.split_at_mut(ITEM_HEADER_BYTES);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..8]), body);
        header[8..].copy_from_slice(&crc.to_le_bytes());
        rest = after;
    }
}

fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*field) as usize)
}
