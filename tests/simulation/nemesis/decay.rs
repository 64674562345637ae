//! Flipped bits in files of a node that becomes leader later: they are detected when they are read
//! and never served, and the acknowledged writes survive.

use std::path::{Path, PathBuf};

use ironkv::base::disk::{Disk, MemoryDisk};
use ironkv::consensus::{Change, Expected};
use ironkv::resp::Reply;

use crate::host::NODES;
use crate::random::Random;
use crate::world::{FORMING, LONG, World};

const GROUP: &str = "/data/group-0";

/// Where frames begin in a segment.
const FRAMES_AT: u64 = 4096;

/// So close to its end, a log may be torn by a power cut, rather than damaged.
const TAIL_BYTES: u64 = 16_384;

/// Enough keys to fill the log several times.
const KEYS: usize = 48;
const VALUE_BYTES: usize = 65_000;

/// The checkpoint files of a disk.
pub(crate) fn checkpoints(disk: &MemoryDisk) -> Vec<PathBuf> {
    let mut files = disk.list(Path::new(GROUP)).expect("a directory");
    files.retain(|path| path.extension().is_some_and(|extension| extension == "redb"));
    files
}

/// Each segment of a log with the position after its last byte that is not zero, in order.
pub(crate) fn segments(disk: &MemoryDisk) -> Vec<(PathBuf, u64)> {
    let files = disk.list(&Path::new(GROUP).join("log")).expect("a log");
    let segments = files.into_iter().filter(|path| path.to_string_lossy().contains("/segment-"));
    let end = |path: PathBuf| {
        let file = disk.open(&path).ok()?;
        let mut bytes = vec![0; file.length().ok()? as usize];
        file.read_exact_at(&mut bytes, 0).ok()?;
        let end = bytes.iter().rposition(|byte| *byte != 0)? as u64;
        (end > FRAMES_AT).then_some((path, end))
    };
    segments.filter_map(end).collect()
}

/// Flips a bit somewhere in the log or in a checkpoint; returns whether there was anything to flip.
pub(crate) fn decay(disk: &MemoryDisk, random: &mut Random) -> bool {
    let mut places: Vec<(PathBuf, u64, u64)> = Vec::new();
    for path in checkpoints(disk) {
        let length = disk.open(&path).and_then(|file| file.length()).unwrap_or(0);
        places.push((path, 0, length));
    }
    for (path, end) in segments(disk) {
        places.push((path, FRAMES_AT, end.saturating_sub(TAIL_BYTES)));
    }
    places.retain(|(_, from, to)| from < to);
    if places.is_empty() {
        return false;
    }
    let (path, from, to) = &places[random.below(places.len() as u64) as usize];
    let offset = from + random.below(to - from);
    disk.flip(path, offset, 1 << random.below(8)).is_ok()
}

fn value(number: usize) -> String {
    format!("{number:0VALUE_BYTES$}")
}

/// Three nodes that keep no log behind a checkpoint.
fn forgetful(seed: u64) -> World {
    let mut world = World::new(&mut Random::new(seed));
    world.record.running.set(false);
    for host in &world.hosts {
        let flag = ("log.retained_bytes".to_owned(), "0".to_owned());
        host.flags.borrow_mut().push(flag);
    }
    world.step(FORMING).expect("a cluster forms");
    world
}

fn write_keys(world: &mut World, host: usize) {
    for number in 0..KEYS {
        let key = format!("key:{number}");
        assert_eq!(world.run(host, &["SET", &key, &value(number)]), Reply::OK);
    }
}

fn check_keys(world: &mut World, host: usize, seed: u64) {
    for number in 0..KEYS {
        let found = world.run(host, &["GET", &format!("key:{number}")]);
        let wanted = Reply::Bulk(value(number).into());
        assert!(found == wanted, "seed {seed}: key {number} is lost or changed on {}", NODES[host]);
    }
}

#[test]
fn a_decayed_checkpoint_of_a_later_leader_is_not_installed_and_is_written_again() {
    for seed in 0..2 {
        let mut world = forgetful(seed);
        let old = world.leader();
        let (decayed, behind) = ((old + 1) % NODES.len(), (old + 2) % NODES.len());
        world.isolate(behind);
        write_keys(&mut world, old);
        world.step(LONG).expect("no node fails");
        let last = world.ask(behind, async |group| group.status().last_log);
        let purged = world.ask(decayed, async |group| group.status().purged);
        assert!(purged > last, "seed {seed}: the log is still there, so this shows nothing");
        let disk = world.hosts[decayed].disk.clone();
        let file = checkpoints(&disk).pop().expect("a checkpoint");
        let middle = disk.open(&file).and_then(|file| file.length()).expect("a file") / 2;
        disk.flip(&file, middle, 0x10).expect("a file");
        world.crash(old, seed);
        world.repair();
        // The two are a majority only when each has all entries.
        assert_eq!(world.run(behind, &["SET", "after", "v"]), Reply::OK);
        assert_eq!(world.leader_of(&[decayed, behind]), decayed, "seed {seed}");
        check_keys(&mut world, behind, seed);
        world.sim.bounce(NODES[old]);
        world.step(LONG).expect("no node fails");
        check_keys(&mut world, old, seed);
        // The data on the disk is valid now.
        world.crash(decayed, seed);
        world.sim.bounce(NODES[decayed]);
        world.step(LONG).expect("it starts");
        check_keys(&mut world, decayed, seed);
    }
}

#[test]
fn a_decayed_checkpoint_is_noticed_at_a_start_and_the_others_give_everything_again() {
    for seed in 0..2 {
        let mut world = forgetful(seed);
        let leader = world.leader();
        let decayed = (leader + 1) % NODES.len();
        write_keys(&mut world, leader);
        world.step(LONG).expect("no node fails");
        let disk = world.hosts[decayed].disk.clone();
        let file = checkpoints(&disk).pop().expect("a checkpoint");
        disk.flip(&file, 5000, 0x01).expect("a file");
        world.crash(decayed, seed);
        world.sim.bounce(NODES[decayed]);
        let refused = world.step(LONG).expect_err("it serves what decayed");
        assert!(refused.contains("is damaged"), "seed {seed}: {refused}");
        replace(&mut world, decayed, leader);
        check_keys(&mut world, decayed, seed);
    }
}

#[test]
fn a_decayed_log_of_a_later_leader_ends_it_before_it_is_sent_and_nothing_is_lost() {
    for seed in 0..2 {
        let mut world = World::calm(seed);
        let old = world.leader();
        let (decayed, behind) = ((old + 1) % NODES.len(), (old + 2) % NODES.len());
        world.isolate(behind);
        write_keys(&mut world, old);
        world.step(LONG).expect("no node fails");
        let disk = world.hosts[decayed].disk.clone();
        let (segment, end) = segments(&disk).swap_remove(0);
        // So far apart that they are not both in the header of a frame, which is not sent.
        for offset in [0, 40] {
            let place = FRAMES_AT + (end - FRAMES_AT) / 2 + offset;
            disk.flip(&segment, place, 0x10).expect("a file");
        }
        let id = world.ask(decayed, async |group| group.identity().map(|own| own.node_id));
        let handed = world.ask(old, move |group| async move {
            group.transfer_leader(id, Expected::Any, false).await
        });
        assert_eq!(handed, Ok(()), "seed {seed}");
        assert_eq!(world.leader(), decayed, "seed {seed}");
        world.repair();
        let ended = world.step(2 * LONG).expect_err("nothing is noticed, so this shows nothing");
        assert!(ended.contains("is damaged at byte"), "seed {seed}: {ended}");
        world.step(LONG).expect("the others continue");
        check_keys(&mut world, behind, seed);
        world.sim.bounce(NODES[decayed]);
        let refused = world.step(LONG).expect_err("it starts again on a decayed log");
        assert!(refused.contains("damaged"), "seed {seed}: {refused}");
        replace(&mut world, decayed, old);
        check_keys(&mut world, decayed, seed);
    }
}

/// Removes a node from the cluster and lets it join again with an empty disk.
fn replace(world: &mut World, host: usize, by: usize) {
    let id = world.hosts[host].membership.node_id().expect("it was a member");
    let removed = world.ask(by, move |group| async move {
        for _ in 0..100 {
            if group.change(Change::Remove(id), Expected::Any, false).await.is_ok() {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        false
    });
    assert!(removed, "it cannot be removed");
    world.hosts[host].membership.note_removed();
    world.replace_removed();
    world.step(LONG).expect("it joins");
}
