#![allow(clippy::unwrap_used)]

use bytes::Bytes;

use super::tests::{TestCluster, TestNode, eventually, run};
use crate::base::config::parameters;
use crate::base::ids::{DatabaseId, NodeId};
use crate::data::keyspace::Object;
use crate::data::types::Value;
use crate::services::cluster::RaftStatus;

/// Compares as often as possible.
async fn cluster() -> TestCluster {
    let cluster = TestCluster::start(3).await;
    let row = parameters::find("cluster-digest-interval-s").unwrap();
    for node in &cluster.nodes {
        node.config.set(&[(row, "1".to_owned())]).unwrap();
    }
    for number in 0..100 {
        let key = format!("key:{number}");
        run(&cluster.nodes[0].group, &["SET", &key, "value", "EX", "1000"]).await;
    }
    cluster
}

/// Waits until both followers were compared at a log index after `index`.
async fn compared(cluster: &TestCluster, index: u64) -> RaftStatus {
    let all = || async {
        let status = cluster.nodes[cluster.leader().await].group.status();
        let compared = &status.digests.compared;
        let fresh = compared.values().filter(|(at, _)| *at > index).count() == 2;
        fresh.then_some(status)
    };
    eventually("comparison of all", all).await
}

#[tokio::test]
async fn replicas_with_equal_data_are_compared_and_found_equal() {
    let cluster = cluster().await;
    let first = compared(&cluster, 0).await;
    let again = compared(&cluster, first.digests.index).await;
    assert_eq!((again.differing().count(), again.digests.differences), (0, 0));
}

fn damage(node: &TestNode) {
    let object = Object::new(Value::String(Bytes::from_static(b"other").into()), None, 1);
    node.group.keyspace().write().database_mut(DatabaseId(0)).insert("key:7", object);
}

#[tokio::test]
async fn a_replica_with_different_data_is_reported_until_its_data_is_equal_again() {
    let cluster = cluster().await;
    let leader = cluster.leader().await;
    let wrong = (leader + 1) % 3;
    let id = cluster.nodes[wrong].group.identity().unwrap().node_id;
    damage(&cluster.nodes[wrong]);
    let named = |expected: Vec<NodeId>| {
        let cluster = &cluster;
        async move {
            let differing = || async {
                let status = cluster.nodes[cluster.leader().await].group.status();
                (status.differing().collect::<Vec<_>>() == expected).then_some(status)
            };
            eventually("the difference", differing).await
        }
    };
    let status = named(vec![id]).await;
    assert!(status.digests.differences >= 1);
    let status = cluster.nodes[cluster.leader().await].group.admin_status();
    assert_eq!(status.differing_node_ids, [id.0]);
    run(&cluster.nodes[leader].group, &["DEL", "key:7"]).await;
    named(Vec::new()).await;
}
