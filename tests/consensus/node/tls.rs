//! TLS between nodes: both sides present a certificate, and all of them can be replaced under load.

use std::time::Duration;

use ironkv_tests::clients::admin::Admin;
use ironkv_tests::clients::certificates::{Authority, trusting};
use ironkv_tests::cluster::Cluster;
use tokio::time::{Instant, sleep};

use crate::load::writer::Writer;

/// Files are checked every two seconds.
const RELOAD_LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_elect_replicate_and_forward_over_tls() {
    let mut cluster = Cluster::start_with_peer_tls(3).await;
    let follower = cluster.follower().await;
    let mut client = cluster.client(follower).await;
    let big = "x".repeat(4 << 20);
    assert_eq!(format!("{:?}", client.command(&["SET", "big", &big]).await.unwrap()), "+OK");
    let writer = Writer::start(&cluster);
    writer.wait_for(50).await;
    let leader = cluster.leader().await;
    cluster.nodes[leader].process().kill();
    cluster.leader_except(leader).await;
    writer.wait_for(50).await;
    cluster.start_node(leader).await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_without_a_valid_certificate_are_refused() {
    let mut cluster = Cluster::start_with_peer_tls(1).await;
    let authority = cluster.authority.take().unwrap();
    let (address, stranger) = (cluster.nodes[0].grpc_address.clone(), Authority::new());
    let anonymous = Admin::with_tls(&address, authority.client(None));
    let wrong = Admin::with_tls(&address, trusting(&[&authority], Some(&stranger.issue())));
    for (admin, who) in [(Admin::at(&address), "plain"), (anonymous, "none"), (wrong, "stranger")] {
        let answer = admin.status().await;
        assert!(answer.is_err(), "{who} is answered: {answer:?}");
    }

    // A node that trusts the cluster but has a foreign certificate, and the reverse.
    cluster.authority = Some(stranger);
    let outsider = cluster.add_process().await;
    let seed = cluster.nodes[0].peer_address.clone();
    let refused = cluster.nodes[outsider].admin().join(&seed).await.unwrap_err();
    assert!(refused.message().contains("UnknownIssuer"), "{refused}");
    let deadline = Instant::now() + RELOAD_LIMIT;
    let stranger = cluster.authority.take().unwrap();
    let files = cluster.nodes[outsider].peer_files.as_mut().unwrap();
    files.write(&stranger.peer_files(&[&stranger, &authority]));
    loop {
        let refused = cluster.nodes[outsider].admin().join(&seed).await.unwrap_err();
        if !refused.message().contains("UnknownIssuer") {
            break;
        }
        assert!(Instant::now() < deadline, "{refused}");
    }
    assert!(cluster.nodes[0].log_tail().contains("refused a connection"), "{}", cluster.logs());
    assert_eq!(cluster.nodes[0].admin().status().await.unwrap().members.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authority_and_certificates_are_replaced_under_writes() {
    let mut cluster = Cluster::start_with_peer_tls(3).await;
    let old = cluster.authority.take().unwrap();
    let new = Authority::new();
    let writer = Writer::start(&cluster);
    writer.wait_for(50).await;
    // All nodes trust both, then all present the new one, then none trusts the old one.
    let steps = [(&old, vec![&old, &new]), (&new, vec![&old, &new]), (&new, vec![&new])];
    for (step, (own, trusted)) in steps.iter().enumerate() {
        for index in 0..3 {
            let node = &mut cluster.nodes[index];
            node.admin_tls = Some(trusting(&[&old, &new], Some(&own.issue())));
            node.peer_files.as_mut().unwrap().write(&own.peer_files(trusted));
            let deadline = Instant::now() + RELOAD_LIMIT;
            let text = "read the certificate for peers again";
            while node.process().output().matches(text).count() <= step {
                assert!(Instant::now() < deadline, "{}", node.log_tail());
                sleep(Duration::from_millis(50)).await;
            }
            // A restart makes all its connections again, with the new files.
            node.process().kill();
            cluster.start_node(index).await;
            cluster.settle().await;
            writer.wait_for(20).await;
        }
    }
    let stale =
        Admin::with_tls(&cluster.nodes[0].grpc_address, trusting(&[&new], Some(&old.issue())));
    assert!(stale.status().await.is_err(), "the old authority is still trusted");
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}
