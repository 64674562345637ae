//! Snapshots that break, are superseded, or are not what they claim.

use std::time::Duration;

use bytes::Bytes;
use ironkv_proto::raft::v1::raft_service_client::RaftServiceClient;
use ironkv_proto::raft::v1::{SnapshotChunk, SnapshotHold, SnapshotProgressRequest, Vote};
use ironkv_proto::types::v1::Route;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

const SETTINGS: [(&str, &str); 3] = [
    ("checkpoint.log_bytes_min", "2mb"),
    ("log.cache_bytes", "1mb"),
    ("log.retained_bytes", "1mb"),
];

async fn write_megabytes(cluster: &mut Cluster, megabytes: usize) {
    let mut client = cluster.leader_client().await;
    let value = "v".repeat(64 << 10);
    for number in 0..megabytes * 16 {
        let reply = client.command(&["SET", &format!("big:{number}"), &value]).await.unwrap();
        assert!(!reply.is_error(), "SET {number} answers {reply:?}");
    }
}

/// A client that sends messages to a node like its leader.
struct FalseLeader {
    client: RaftServiceClient<Channel>,
    route: Route,
    vote: Vote,
}

impl FalseLeader {
    async fn of(cluster: &mut Cluster, node: usize) -> Self {
        let leader = cluster.leader().await;
        let leader = cluster.nodes[leader].admin().status().await.unwrap();
        let status = cluster.nodes[node].admin().status().await.unwrap();
        let route = Route {
            cluster_id: Bytes::from(status.cluster_id.unwrap()),
            group_id: 0,
            target_node_id: status.node_id,
            ..Route::default()
        };
        let vote = Vote { term: leader.term, node_id: leader.node_id, committed: true };
        let address = format!("http://{}", cluster.nodes[node].grpc_address);
        let channel = Endpoint::from_shared(address).unwrap().connect_lazy();
        Self { client: RaftServiceClient::new(channel), route, vote }
    }

    async fn progress(&mut self, name: &str) -> (u64, SnapshotHold) {
        let (route, name) = (Some(self.route.clone()), name.to_owned());
        let request = SnapshotProgressRequest { route, name, bytes: 8 << 20 };
        let answer = self.client.snapshot_progress(request).await.unwrap().into_inner();
        (answer.offset, answer.hold())
    }

    /// Sends `content` as the end of a file, from `offset` on.
    async fn send(&mut self, name: &str, offset: u64, content: &[u8]) -> Result<(), Status> {
        let bytes = offset + content.len() as u64;
        let chunk = SnapshotChunk {
            route: Some(self.route.clone()),
            vote: Some(self.vote),
            name: name.to_owned(),
            bytes,
            offset,
            data: Bytes::copy_from_slice(content),
            checksum: crc32c::crc32c(content),
            meta: self.far_ahead(),
        };
        self.client.install_snapshot(futures::stream::iter([chunk])).await.map(drop)
    }

    /// The state of a snapshot far ahead of every log: version, the last entry, no membership.
    fn far_ahead(&self) -> Bytes {
        let mut meta = vec![1, 1];
        for number in [self.vote.term, self.vote.node_id, 1 << 40] {
            meta.extend(number.to_le_bytes());
        }
        // No log id of a membership, no voters, no nodes; time, cluster, removed ids, last id.
        meta.push(0);
        meta.extend([0; 4 + 4 + 8 + 4 + 4 + 8]);
        meta.into()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_no_checkpoint_is_refused_and_ends_no_node() {
    let mut cluster = Cluster::start(3).await;
    let follower = cluster.follower().await;
    let mut leader = FalseLeader::of(&mut cluster, follower).await;
    for content in [&b"rubbish"[..], &[0; 100_000]] {
        assert_eq!(leader.progress("1-a").await, (0, SnapshotHold::Unspecified));
        let refused = leader.send("1-a", 0, content).await.unwrap_err();
        assert_eq!(refused.code(), Code::DataLoss, "{refused:?}");
    }
    cluster.leader_client().await.line("SET a 1").await.unwrap();
    assert_eq!(cluster.retry(follower, "GET a").await.text(), "1");
    assert!(cluster.nodes[follower].is_running());
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piece_whose_beginning_is_gone_is_refused_at_once() {
    let mut cluster = Cluster::start(3).await;
    let follower = cluster.follower().await;
    let mut leader = FalseLeader::of(&mut cluster, follower).await;
    let refused = leader.send("1-a", 4 << 20, b"the end").await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted, "{refused:?}");
    assert!(refused.message().contains("ask for the progress"), "{refused:?}");
    assert_eq!(leader.progress("1-a").await, (0, SnapshotHold::Unspecified));
}

/// Requests about other snapshots, cuts, newer checkpoints and new leaders while a snapshot is sent
/// to a node that is far behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_catches_up_through_broken_and_superseded_snapshots_without_ending() {
    let mut cluster = Cluster::start_with(3, &SETTINGS).await;
    write_megabytes(&mut cluster, 24).await;
    let follower = cluster.follower().await;
    cluster.nodes[follower].process().kill();
    write_megabytes(&mut cluster, 24).await;
    let leader = cluster.leader().await;
    cluster.nodes[leader].admin().checkpoint().await.expect("a checkpoint on request");
    cluster.start_node(follower).await;
    let deadline = Instant::now() + Duration::from_secs(8);
    let mut round = 0_u64;
    while Instant::now() < deadline {
        round += 1;
        cluster.links.isolate(&[follower], 3);
        sleep(Duration::from_millis(20)).await;
        cluster.links.heal();
        sleep(Duration::from_millis(40 + round * 37 % 200)).await;
        let leader = cluster.leader().await;
        let mut other = FalseLeader::of(&mut cluster, follower).await;
        let (_, _) = other.progress(&format!("9-other-{round}")).await;
        if round.is_multiple_of(3) {
            let mut client = cluster.client(leader).await;
            let _ = client.line(&format!("SET round {round}")).await;
            let _ = cluster.nodes[leader].admin().checkpoint().await;
        }
        if round.is_multiple_of(8) {
            let id = cluster.node_id(if leader == 0 { 1 } else { 0 }).await;
            let _ = cluster.nodes[leader].admin().transfer(id).await;
        }
        let node = &mut cluster.nodes[follower];
        assert!(node.is_running(), "it ended:\n{}", node.log_tail());
    }
    let caught_up = tokio::time::timeout(SETTLE_LIMIT, cluster.equal_digests()).await;
    assert!(caught_up.is_ok(), "it never catches up:\n{}", cluster.nodes[follower].log_tail());
    assert!(cluster.nodes[follower].is_running());
}
