//! Registers and lists at full speed, reads and writes spread over all nodes: a read that goes back
//! by a few microseconds is visible only in such a history.

use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use ironkv_tests::process::is_long;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::load::{Context, Pace};
use crate::nemesis::{self, Fault};
use crate::workloads::{Lists, Registers};

/// Operations of one run; the long form is for a campaign.
fn operations_wanted() -> u64 {
    if is_long() { 1_000_000 } else { 40_000 }
}

/// Longest run: a machine without faults does a million in a minute.
const RUN_MAX: Duration = Duration::from_secs(600);

struct FullSpeed {
    context: Context,
    registers: Registers,
    lists: Lists,
    clients: Vec<JoinHandle<()>>,
}

impl FullSpeed {
    fn start(cluster: &Cluster) -> Self {
        let context = Context::new(cluster, Pace::FullSpeed);
        let registers = Registers::new(&context, RUN_MAX);
        let lists = Lists::new(&context);
        let mut clients = Vec::new();
        for _ in 0..18 {
            clients.push(tokio::spawn(registers.clone().run()));
        }
        for _ in 0..2 {
            clients.push(tokio::spawn(lists.clone().run()));
        }
        Self { context, registers, lists, clients }
    }

    async fn wait_for(&self, operations: u64) {
        let end = Instant::now() + RUN_MAX;
        while self.context.operations() < operations && Instant::now() < end {
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn check(self) {
        self.context.stop();
        for client in self.clients {
            client.await.expect("a client of the load panicked");
        }
        self.registers.check();
        self.lists.check();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_on_all_nodes_never_go_backwards_at_full_speed() {
    let cluster = Cluster::start_with(3, &[]).await;
    let load = FullSpeed::start(&cluster);
    load.wait_for(operations_wanted()).await;
    load.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_and_pauses_at_full_speed_keep_reads_linearizable() {
    let faults = [Fault::Transfer, Fault::PauseLeader, Fault::KillLeader];
    let mut cluster = Cluster::start_with(3, &[]).await;
    let load = FullSpeed::start(&cluster);
    let how_long = Duration::from_secs(if is_long() { 120 } else { 8 });
    nemesis::disturb(&mut cluster, &faults, how_long).await.assert_all_had_effect(&faults);
    nemesis::heal(&mut cluster).await;
    cluster.wait_writable().await;
    load.check().await;
    cluster.equal_digests().await;
}
