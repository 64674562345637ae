//! Leadership that is transferred on request repeatedly, while clients write.

use std::time::Duration;

use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::Instant;
use tonic::Code;

use crate::load::reader::Reader;
use crate::load::writer::Writer;

/// Requests a transfer until it succeeds; an unknown outcome is a failure.
async fn transfer(cluster: &mut Cluster, round: usize, explicit: bool) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let leader = cluster.leader().await;
        let target = if explicit { cluster.node_id((leader + 1) % 3).await } else { 0 };
        let Err(refused) = cluster.nodes[leader].admin().transfer(target).await else { return };
        // A new leader has no contact to the others yet, and another node may become leader first.
        let plain = matches!(refused.code(), Code::FailedPrecondition | Code::Unavailable);
        assert!(plain, "transfer {round}: {refused}\n{}", cluster.logs());
        assert!(Instant::now() < deadline, "transfer {round} is always refused: {refused}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_consecutive_transfers_under_load_have_a_known_outcome() {
    // A request that waits without reason waits for this time.
    let mut cluster = Cluster::start_with(3, &[("raft.request_timeout_ms", "60000")]).await;
    let writers: Vec<Writer> = (0..3).map(|_| Writer::start(&cluster)).collect();
    let reader = Reader::start(&cluster, &writers[0]);
    for round in 0..20 {
        writers[0].wait_for(20).await;
        transfer(&mut cluster, round, round % 2 == 0).await;
    }
    for writer in writers {
        writer.wait_for(5).await;
        let mut client = cluster.leader_client().await;
        writer.finish(&mut client).await;
    }
    let without_answer = reader.finish().await;
    assert!(without_answer < 5, "{without_answer} reads hung although every node was up");
    cluster.equal_digests().await;
}
