//! Disks that hang, decay, or lose what was flushed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ironkv::base::disk::{Disk, MemoryDisk};
use ironkv::consensus::Group;

use crate::host::NODES;
use crate::nemesis::decay::segments;
use crate::world::{LONG, World};

const LOG: &str = "/data/group-0/log";

/// Longer than a stall may last, plus a leadership transfer and an election.
const STALL: Duration = Duration::from_secs(8);

/// Puts an entry into the log.
pub(crate) async fn write(group: Group, value: u32) -> Result<(), String> {
    let value = value.to_string();
    let written = group.change_parameters(&[("maxmemory-samples", value.as_bytes())]).await;
    written.map_err(|error| error.to_string())
}

/// The newest segment of a log, and where the last frame in it ends.
fn end_of_log(disk: &MemoryDisk) -> (PathBuf, u64) {
    segments(disk).pop().expect("a frame")
}

/// Makes a disk lose the last frame of the log although it was flushed.
fn lose_the_last_frame(disk: &MemoryDisk) {
    let (segment, end) = end_of_log(disk);
    disk.flip(&segment, end, 0xff).expect("a file");
    let _there_may_be_none = disk.remove(&Path::new(LOG).join("flushed"));
    disk.sync_directory(Path::new(LOG)).expect("a directory");
}

#[test]
fn a_leader_whose_disk_hangs_transfers_its_leadership_and_may_lead_again_when_the_disk_works() {
    for seed in 0..4 {
        let mut world = World::calm(seed);
        let old = world.leader();
        let other = (old + 1) % NODES.len();
        world.hosts[old].disk.hang(true);
        let written = world.ask(other, |group| write(group, 6));
        assert_eq!(written, Ok(()), "seed {seed}: the others are a majority");
        world.step(STALL).expect("no node fails");
        let leads = world.ask(other, async |group| group.leader().map(|leader| leader.node_id));
        let own = world.ask(old, async |group| group.identity().map(|it| it.node_id));
        assert!(leads.is_some() && leads != own, "seed {seed}: the disk hangs and it still leads");
        let written = world.ask(other, |group| write(group, 7));
        assert_eq!(written, Ok(()), "seed {seed}: writes continue");
        let stalled = world.ask(old, async |group| group.status().disk_stalled);
        assert!(stalled, "seed {seed}: it does not report it");
        world.hosts[old].disk.hang(false);
        world.step(STALL).expect("no node fails");
        let (stalled, unflushed) = world.ask(old, async |group| {
            let status = group.status();
            (status.disk_stalled, status.log_unflushed_bytes)
        });
        assert!(!stalled && unflushed == 0, "seed {seed}: it does not recover");
        // With only one other node left, it must vote or lead.
        world.isolate(other);
        world.step(LONG).expect("no node fails");
        let written = world.ask(old, |group| write(group, 8));
        assert_eq!(written, Ok(()), "seed {seed}: it takes no part any more");
    }
}

#[test]
fn a_follower_that_lost_what_it_acknowledged_is_detected_and_gets_it_again() {
    for seed in 0..4 {
        let mut world = World::calm(seed);
        let leading = world.leader();
        let follower = (leading + 1) % NODES.len();
        let written = world.ask(leading, |group| write(group, 6));
        assert_eq!(written, Ok(()));
        // So short that the mark does not refuse the start.
        world.step(Duration::from_millis(200)).expect("no node fails");
        world.crash(follower, seed);
        lose_the_last_frame(&world.hosts[follower].disk);
        world.sim.bounce(NODES[follower]);
        world.step(LONG).expect("no node fails");
        assert_eq!(world.leader(), leading, "seed {seed}: another leader starts from zero");
        let found = world.ask(leading, async |group| group.status().log_reversions);
        assert_eq!(found, 1, "seed {seed}: it is not detected exactly once");
        let written = world.ask(leading, |group| write(group, 7));
        assert_eq!(written, Ok(()));
        world.step(LONG).expect("no node fails");
        let [ahead, behind] =
            [leading, follower].map(|host| world.ask(host, async |group| group.status().last_log));
        assert_eq!(ahead, behind, "seed {seed}: it never gets what it lost");
    }
}

#[test]
fn a_node_that_must_drop_what_it_applied_stops_and_never_serves_again() {
    for seed in 0..4 {
        let mut world = World::calm(seed);
        let leading = world.leader();
        let (kept, lost) = ((leading + 1) % NODES.len(), [leading, (leading + 2) % NODES.len()]);
        let written = world.ask(leading, |group| write(group, 6));
        assert_eq!(written, Ok(()));
        world.step(Duration::from_millis(200)).expect("no node fails");
        world.isolate(kept);
        for host in lost {
            world.crash(host, seed);
            lose_the_last_frame(&world.hosts[host].disk);
            world.sim.bounce(NODES[host]);
        }
        world.step(LONG).expect("no node fails");
        for value in 7..10 {
            let written = world.ask(lost[0], move |group| write(group, value));
            assert_eq!(written, Ok(()), "seed {seed}: the majority continues without its entry");
        }
        world.repair();
        let ended = world.step(2 * LONG).expect_err("it continues with another history");
        assert!(ended.contains("was committed here"), "seed {seed}: {ended}");
        world.sim.bounce(NODES[kept]);
        let ended = world.step(LONG).expect_err("it serves again");
        assert!(ended.contains("contradicts its cluster"), "seed {seed}: {ended}");
    }
}

#[test]
fn a_leader_never_sends_entries_that_its_disk_has_damaged() {
    for seed in 0..4 {
        let mut world = World::calm(seed);
        let leading = world.leader();
        let behind = (leading + 1) % NODES.len();
        world.isolate(behind);
        // More than is kept in memory.
        for value in 0..200_u32 {
            let written = world.ask(leading, move |group| write(group, 1 + value % 60));
            assert_eq!(written, Ok(()));
        }
        let (segment, end) = end_of_log(&world.hosts[leading].disk);
        // So far apart that they are not both in the header of a frame, which is not sent.
        for offset in [0, 40] {
            let place = 4096 + (end - 4096) / 4 + offset;
            world.hosts[leading].disk.flip(&segment, place, 0x10).expect("a file");
        }
        world.repair();
        let ended = world.step(2 * LONG).expect_err("nothing is noticed, so this shows nothing");
        assert!(ended.contains("is damaged at byte"), "seed {seed}: {ended}");
    }
}
