//! Disks that hang, power cuts that lose unflushed data, and pauses of other nodes, at the same
//! time.

use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use ironkv_tests::faults::faulty_disk::{FaultyDisk, Hangs};
use ironkv_tests::process::is_long;
use tokio::time::{Instant, sleep};

use crate::load::Load;
use crate::nemesis;

/// Time before a power cut in which unflushed writes accumulate.
const GATHERING: Duration = Duration::from_millis(200);

/// Two or three faults at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// Shorter or longer than a leader may wait for its disk.
    LeaderHangs,
    /// The follower's disk hangs, and the other follower is paused.
    FollowerHangsBesidePause,
    /// A power cut of a follower while the other one is paused: it comes back without its unflushed
    /// data, and is the majority with the leader.
    FollowerCutBesidePause,
    /// A power cut of the leader while a follower is paused: what it acknowledged is on the third
    /// node.
    LeaderCutBesidePause,
    /// A power cut of a follower while the leader is paused: the third node and the restarted one
    /// elect.
    FollowerCutBesidePausedLeader,
    /// A power cut of all at once.
    AllCut,
}

const SCENES: [Scene; 6] = [
    Scene::FollowerCutBesidePausedLeader,
    Scene::LeaderCutBesidePause,
    Scene::LeaderHangs,
    Scene::FollowerCutBesidePause,
    Scene::FollowerHangsBesidePause,
    Scene::AllCut,
];

struct Machines {
    cluster: Cluster,
    disks: Vec<FaultyDisk>,
    /// Number of writes that power cuts undid.
    lost: usize,
}

impl Machines {
    async fn start() -> Self {
        let mut cluster = Cluster::start(3).await;
        let mut disks = Vec::new();
        for index in 0..3 {
            let node = &mut cluster.nodes[index];
            let disk = FaultyDisk::new(&node.directory, &node.data()).expect("a C compiler");
            node.process().kill();
            node.wrap(disk.wrapper());
            cluster.start_node(index).await;
            cluster.nodes[index].wait_ready().await;
            disks.push(disk);
        }
        Self { cluster, disks, lost: 0 }
    }

    async fn play(&mut self, scene: Scene) {
        let leader = self.cluster.leader().await;
        let first = 1 + rand::random_range(0..2);
        let (one, other) = ((leader + first) % 3, (leader + 3 - first) % 3);
        match scene {
            Scene::LeaderHangs => self.hang(leader).await,
            Scene::FollowerHangsBesidePause => {
                self.cluster.nodes[other].process().pause();
                self.hang(one).await;
            }
            Scene::FollowerCutBesidePause => {
                self.cluster.nodes[other].process().pause();
                self.cut_power(&[one]).await;
            }
            Scene::LeaderCutBesidePause => {
                self.cluster.nodes[other].process().pause();
                self.cut_power(&[leader]).await;
            }
            Scene::FollowerCutBesidePausedLeader => {
                self.cluster.nodes[leader].process().pause();
                self.cut_power(&[one]).await;
            }
            Scene::AllCut => self.cut_power(&[0, 1, 2]).await,
        }
        sleep(Duration::from_millis(rand::random_range(200..2500))).await;
        nemesis::heal(&mut self.cluster).await;
    }

    async fn hang(&self, index: usize) {
        let kinds = [Hangs::Flushes, Hangs::Everything];
        self.disks[index].hang(kinds[rand::random_range(0..2)]).expect("a writable directory");
        sleep(Duration::from_millis(rand::random_range(500..4000))).await;
        self.disks[index].hang(Hangs::Nothing).expect("a writable directory");
    }

    /// Cuts the power of these nodes at once; they start again with everything that was flushed
    /// and, at random, some of the rest.
    async fn cut_power(&mut self, indexes: &[usize]) {
        for index in indexes {
            self.disks[*index].hang(Hangs::Flushes).expect("a writable directory");
        }
        sleep(GATHERING).await;
        for index in indexes {
            self.cluster.nodes[*index].process().kill();
        }
        for index in indexes {
            self.disks[*index].hang(Hangs::Nothing).expect("a writable directory");
            self.lost += self.disks[*index].lose_unflushed().expect("files of a dead process");
            self.cluster.start_node(*index).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_hung_disks_and_pauses_at_once_lose_nothing() {
    let how_long = Duration::from_secs(if is_long() { 300 } else { 15 });
    let mut machines = Machines::start().await;
    let load = Load::start(&machines.cluster, how_long);
    let end = Instant::now() + how_long;
    let mut turn = 0;
    // Each scene at least once.
    while turn < SCENES.len() || Instant::now() < end {
        let scene = match SCENES.get(turn) {
            Some(scene) => *scene,
            None => SCENES[rand::random_range(0..SCENES.len())],
        };
        machines.play(scene).await;
        turn += 1;
    }
    let Machines { mut cluster, lost, .. } = machines;
    cluster.wait_writable().await;
    let recorded = load.finish(&mut cluster).await;
    cluster.equal_digests().await;
    recorded.check();
    assert!(lost > 0, "no power cut lost anything, so this tests nothing");
}
