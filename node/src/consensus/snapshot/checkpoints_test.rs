#![allow(clippy::unwrap_used)]

use super::*;
use crate::base::clock::SystemClock;
use crate::base::disk::MemoryDisk;
use crate::base::threads::RealThreads;
use crate::consensus::network::convert::log_id_from_position;
use crate::consensus::storage::log::LogPosition;

fn cut(index: u64) -> Cut {
    let applied = Some(log_id_from_position(&LogPosition { index, term: 1, leader: 1 }));
    Cut {
        keyspace: Keyspace::default(),
        state: ReplicatedState { applied, ..ReplicatedState::default() },
    }
}

fn open(disk: &MemoryDisk) -> Arc<Checkpoints> {
    let directory = Path::new("/data/group-0");
    let meta = Arc::new(Meta::open(disk, directory).unwrap());
    Arc::new(Checkpoints::new(
        Arc::new(disk.clone()),
        directory,
        GroupId::FIRST,
        meta,
        Arc::new(SystemClock),
        LiveConfig::defaults(),
        &RealThreads,
    ))
}

#[tokio::test]
async fn too_many_open_files_delay_a_checkpoint_and_take_none_away() {
    for openings in 0..8 {
        let disk = MemoryDisk::new();
        let checkpoints = open(&disk);
        checkpoints.write(cut(1)).await.unwrap();
        disk.refuse_opening_after(Some(openings));
        let written = checkpoints.write(cut(2)).await;
        disk.refuse_opening_after(None);
        if let Err(error) = &written {
            assert!(matches!(error, WriteError::Unopened(_)), "{openings}: {error}");
        }
        let index = if written.is_ok() { 2 } else { 1 };
        let found = open(&disk).restore().unwrap().state.applied.unwrap();
        assert_eq!(found.index, index, "{openings}");
        checkpoints.write(cut(3)).await.unwrap();
        assert_eq!(open(&disk).restore().unwrap().state.applied.unwrap().index, 3);
    }
}

#[test]
fn a_checkpoint_is_taken_to_grow_as_its_keys_in_memory_do() {
    for (last, memory_bytes, estimate) in [
        (None, 500, 500),
        (Some((1000, 0)), 500, 500),
        (Some((1000, 2000)), 4000, 2000),
        (Some((1000, 2000)), 0, 0),
        (Some((u64::MAX, 1)), u64::MAX, u64::MAX),
    ] {
        let last = last.map(|(file_bytes, memory_bytes)| Measure { file_bytes, memory_bytes });
        assert_eq!(estimate_bytes(last, memory_bytes), estimate, "{last:?}");
    }
}
