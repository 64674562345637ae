//! What a node reports when it cannot start.

use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use ironkv_tests::process::Process;

async fn refusal(cluster: &mut Cluster, index: usize) -> String {
    cluster.nodes[index].spawn();
    let ended = cluster.nodes[index].process().ended_within(Duration::from_secs(20)).await;
    let output = cluster.nodes[index].process.as_ref().map(Process::output).unwrap_or_default();
    let status = ended.unwrap_or_else(|| panic!("it starts nevertheless:\n{output}"));
    assert!(!status.success(), "it ends with {status}:\n{output}");
    assert!(!output.contains("panicked"), "a panic is no message:\n{output}");
    output
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_named() {
    let mut cluster = Cluster::start(1).await;
    let other = Cluster::start(1).await;
    let taken = other.nodes[0].resp_address.clone();
    let port = taken.rsplit_once(':').unwrap().1.to_owned();
    cluster.nodes[0].process().kill();
    let settings = cluster.settings_of(0, &[("listen.resp_port", &port)]);
    cluster.nodes[0].configure(&settings).unwrap();
    let output = refusal(&mut cluster, 0).await;
    assert!(output.contains(&port), "which port? {output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_serves_one_process() {
    let mut cluster = Cluster::start(2).await;
    let data = cluster.nodes[0].data().display().to_string();
    cluster.nodes[1].process().kill();
    let settings = cluster.settings_of(1, &[("data.directory", &data)]);
    cluster.nodes[1].configure(&settings).unwrap();
    let output = refusal(&mut cluster, 1).await;
    assert!(output.contains(&data), "which directory? {output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key_of_the_configuration_is_named() {
    let mut cluster = Cluster::start(1).await;
    cluster.nodes[0].process().kill();
    let settings = cluster.settings_of(0, &[("raft.hartbeat_ms", "100")]);
    cluster.nodes[0].configure(&settings).unwrap();
    let output = refusal(&mut cluster, 0).await;
    assert!(output.contains("hartbeat_ms"), "{output}");
}
