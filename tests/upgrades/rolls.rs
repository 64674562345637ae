//! Rolls from one version to the other and back, while clients work.

use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use tokio::time::sleep;

use crate::load::Load;
use crate::versions::{
    Version, downgrade_check, feature_level, lead, leader_last, reached, released_cluster, replace,
};

/// Time between two steps of a roll.
const BETWEEN: Duration = Duration::from_secs(2);

async fn end(load: Load, cluster: &mut Cluster) {
    cluster.wait_writable().await;
    let recorded = load.finish(cluster).await;
    cluster.equal_digests().await;
    recorded.check();
}

/// Writes through every node, each of which may have to forward the write to the other version.
async fn write_through_all(cluster: &mut Cluster) {
    for index in 0..cluster.nodes.len() {
        let reply = cluster.retry(index, &format!("SET through:{index} value")).await;
        assert_eq!(reply.text(), "OK", "node {index}");
        cluster.retry(index, &format!("CONFIG SET maxmemory-samples {}", index + 3)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_rolled_forward_under_load_and_its_level_rises_at_the_end() {
    let mut cluster = released_cluster(3, &[]).await;
    let load = Load::start(&cluster, Duration::from_secs(40));
    let order = leader_last(&mut cluster).await;
    for (step, index) in order.iter().enumerate() {
        replace(&mut cluster, *index, Version::New).await;
        if step == 2 {
            break;
        }
        // The other version, then this one.
        for leader in [order[2], *index] {
            lead(&mut cluster, leader).await;
            write_through_all(&mut cluster).await;
            sleep(BETWEEN).await;
        }
        assert_eq!(feature_level(&cluster, *index).await, 1);
        let (possible, reason) = downgrade_check(&cluster, *index);
        assert!(possible, "{reason}");
        lead(&mut cluster, order[2]).await;
    }
    reached(&cluster, 2).await;
    sleep(BETWEEN).await;
    let (possible, reason) = downgrade_check(&cluster, order[0]);
    assert!(!possible && reason.contains("runs at feature level 2"), "{reason}");
    end(load, &mut cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_rolled_back_under_load_while_its_level_is_held_down() {
    let mut cluster = released_cluster(3, &[]).await;
    let load = Load::start(&cluster, Duration::from_secs(40));
    for index in leader_last(&mut cluster).await {
        replace(&mut cluster, index, Version::NewHeld).await;
    }
    write_through_all(&mut cluster).await;
    sleep(BETWEEN).await;
    // The older version reads what the new one has written.
    for index in 0..3 {
        cluster.nodes[index].admin().checkpoint().await.unwrap();
        assert_eq!(feature_level(&cluster, index).await, 1);
    }
    let (possible, reason) = downgrade_check(&cluster, 0);
    assert!(possible, "{reason}");
    for index in leader_last(&mut cluster).await {
        replace(&mut cluster, index, Version::Released).await;
        write_through_all(&mut cluster).await;
    }
    sleep(BETWEEN).await;
    end(load, &mut cluster).await;
}
