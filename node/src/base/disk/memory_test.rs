#![allow(clippy::unwrap_used)]

use super::*;

fn path(name: &str) -> PathBuf {
    PathBuf::from("/data").join(name)
}

fn read_all(disk: &MemoryDisk, name: &str) -> Option<Vec<u8>> {
    let file = disk.open(&path(name)).ok()?;
    let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    Some(bytes)
}

#[test]
fn what_was_flushed_survives_every_crash() {
    for seed in 0..200 {
        let disk = MemoryDisk::new();
        let file = disk.create(&path("a")).unwrap();
        file.write_all_at(b"safe", 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_directory(Path::new("/data")).unwrap();
        file.write_all_at(b"lost", 4).unwrap();
        disk.crash(seed);
        let bytes = read_all(&disk, "a").unwrap();
        assert_eq!(&bytes[..4], b"safe");
        assert!(file.sync_data().is_err(), "a handle from before the crash must be invalid");
    }
}

#[test]
fn writes_that_were_not_flushed_are_lost_kept_and_torn() {
    let outcomes: std::collections::BTreeSet<Vec<u8>> = (0..200)
        .map(|seed| {
            let disk = MemoryDisk::new();
            let file = disk.create(&path("a")).unwrap();
            file.write_all_at(&[0; 1536], 0).unwrap();
            file.sync_data().unwrap();
            disk.sync_directory(Path::new("/data")).unwrap();
            file.write_all_at(&[1; 1536], 0).unwrap();
            disk.crash(seed);
            let bytes = read_all(&disk, "a").unwrap();
            vec![bytes[0], bytes[600], bytes[1535]]
        })
        .collect();
    assert!(outcomes.contains(&vec![0, 0, 0]));
    assert!(outcomes.contains(&vec![1, 1, 1]));
    assert!(outcomes.contains(&vec![0, 1, 0]), "sectors survive in any combination");
    assert!(outcomes.contains(&vec![1, 0, 0]));
}

#[test]
fn names_that_were_not_flushed_may_be_lost() {
    let outcomes: std::collections::BTreeSet<_> = (0..50)
        .map(|seed| {
            let disk = MemoryDisk::new();
            disk.create(&path("a")).unwrap();
            disk.rename(&path("a"), &path("b")).unwrap();
            disk.crash(seed);
            disk.list(Path::new("/data")).unwrap()
        })
        .collect();
    assert_eq!(outcomes.len(), 3, "nothing, before the rename, after it: {outcomes:?}");
}

#[test]
fn a_full_disk_refuses_growth_and_still_takes_writes_in_place() {
    let disk = MemoryDisk::new();
    let file = disk.create(&path("a")).unwrap();
    file.set_length(100).unwrap();
    disk.set_capacity(Some(100));
    file.write_all_at(&[1; 100], 0).unwrap();
    let refused = file.write_all_at(&[1], 100).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.free_bytes(Path::new("/data")).unwrap(), 0);
}

#[test]
fn injected_failures_come_at_the_chosen_operation() {
    let disk = MemoryDisk::new();
    let file = disk.create(&path("a")).unwrap();
    disk.fail_sync_after(1);
    file.sync_data().unwrap();
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(EIO));
    disk.cut_power_after(1);
    file.write_all_at(b"x", 0).unwrap();
    file.write_all_at(b"y", 0).unwrap_err();
}

#[test]
fn data_of_a_failed_flush_is_visible_until_a_power_cut_and_never_flushed_again() {
    let outcomes: std::collections::BTreeSet<Vec<u8>> = (0..50)
        .map(|earlier_operations| {
            let disk = MemoryDisk::new();
            let file = disk.create(&path("a")).unwrap();
            disk.sync_directory(Path::new("/data")).unwrap();
            (0..earlier_operations).for_each(|_| file.sync_data().unwrap());
            file.write_all_at(b"old", 0).unwrap();
            file.sync_data().unwrap();
            disk.fail_sync_after(0);
            file.write_all_at(b"new", 0).unwrap();
            file.sync_data().unwrap_err();
            assert_eq!(read_all(&disk, "a").unwrap(), b"new");
            file.sync_data().unwrap();
            disk.crash(1);
            read_all(&disk, "a").unwrap()
        })
        .collect();
    assert!(outcomes.contains(&b"old"[..]) && outcomes.contains(&b"new"[..]), "{outcomes:?}");
}

#[test]
fn data_that_is_written_again_after_a_failed_flush_is_durable_after_the_next_one() {
    for seed in 0..50 {
        let disk = MemoryDisk::new();
        let file = disk.create(&path("a")).unwrap();
        disk.sync_directory(Path::new("/data")).unwrap();
        disk.fail_sync_after(0);
        file.write_all_at(b"new", 0).unwrap();
        file.sync_data().unwrap_err();
        file.write_all_at(b"new", 0).unwrap();
        file.sync_data().unwrap();
        disk.crash(seed);
        assert_eq!(read_all(&disk, "a").unwrap(), b"new");
    }
}
