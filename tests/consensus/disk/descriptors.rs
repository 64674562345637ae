//! Few file descriptors.

use std::time::Duration;

use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::Cluster;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::disks::log_file;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_to_every_port_leave_descriptors_for_the_log() {
    let mut cluster = Cluster::start(1).await;
    cluster.nodes[0].process().kill();
    // A low soft limit, which the node raises to the hard one.
    let script = "ulimit -Hn 300; ulimit -Sn 100; exec \"$0\" \"$@\"";
    cluster.nodes[0].wrap(["sh", "-c", script].map(str::to_owned).to_vec());
    cluster.start_node(0).await;
    cluster.wait_writable().await;
    let mut client = cluster.leader_client().await;
    let clients_max = client.line("CONFIG GET maxclients").await.unwrap();
    assert!(format!("{clients_max:?}").contains("98"), "{clients_max:?}");
    let refused = client.line("CONFIG SET maxclients 1000").await.unwrap().text();
    assert!(refused.contains("(300, ulimit -n)"), "{refused}");

    let mut silent = Vec::new();
    let node = &cluster.nodes[0];
    for address in [&node.http_address, &node.grpc_address, &node.resp_address] {
        for _ in 0..150 {
            // Those that are not accepted wait in the kernel.
            silent.extend(timeout(Duration::from_secs(1), TcpStream::connect(address)).await);
        }
    }
    let before = log_file(&cluster.nodes[0]);
    let value = "x".repeat(1 << 20);
    for number in 0..12 {
        let reply = client.command(&["SET", &format!("key:{number}"), &value]).await.unwrap();
        assert!(!reply.is_error(), "{}", reply.text());
    }
    assert_ne!(log_file(&cluster.nodes[0]), before, "the log went on in another segment");
    assert!(cluster.nodes[0].is_running(), "{}", cluster.nodes[0].log_tail());

    // Silent clients are disconnected, so that probes and peers are served.
    let probe = get(&cluster.nodes[0].http_address, "/livez");
    assert_eq!(timeout(Duration::from_secs(40), probe).await.unwrap().0, 200);
    cluster.wait_writable().await;
    drop(silent);
}
