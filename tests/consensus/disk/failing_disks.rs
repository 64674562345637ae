//! Disks that fail to write, hang, or decay.

use std::time::Duration;

use ironkv_tests::clients::admin::leads;
use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use ironkv_tests::faults::disk;
use ironkv_tests::faults::strace::{self, Interference};
use ironkv_tests::process::Process;

use crate::disk::disks::log_file;

const ENDS_WITHIN: Duration = Duration::from_secs(60);

fn can_trace() -> bool {
    let available = strace::is_available();
    if !available {
        eprintln!("SKIPPED: failing system calls need strace");
    }
    available
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_flush_that_failed_the_node_ends_and_writes_the_end_of_its_log_again_at_its_start()
{
    if !can_trace() {
        return;
    }
    let mut cluster = Cluster::start(1).await;
    let mut client = cluster.leader_client().await;
    client.line("SET before 1").await.unwrap();
    let pid = cluster.nodes[0].process().pid();
    let failing = Interference::with(pid, "fdatasync:error=EIO").unwrap();
    let answer = client.line("SET during 2").await;
    assert!(answer.is_err(), "acknowledged without a flush: {answer:?}");
    let ended = cluster.nodes[0].process().ended_within(ENDS_WITHIN).await;
    drop(failing);
    assert!(ended.is_some_and(|status| !status.success()), "it continues after EIO: {ended:?}");
    assert!(cluster.nodes[0].log_tail().contains("disk failed"), "{}", cluster.nodes[0].log_tail());

    let calls = cluster.nodes[0].directory.join("calls");
    cluster.nodes[0].wrapper = strace::wrapper(&calls);
    cluster.start_node(0).await;
    cluster.wait_writable().await;
    let mut client = cluster.leader_client().await;
    assert_eq!(client.line("GET before").await.unwrap().text(), "1");
    let calls = std::fs::read_to_string(calls).unwrap();
    let of_log: Vec<_> = calls.lines().filter(|call| call.contains("/log/")).collect();
    let first = |call: &str, file: &str| {
        of_log.iter().position(|line| line.contains(call) && line.contains(file))
    };
    let (written, flushed) = (first("pwrite64(", "/segment-"), first("fdatasync(", "/segment-"));
    let marked = first("pwrite64(", "/flushed>");
    assert!(
        written.is_some() && written < flushed && flushed < marked,
        "the end of the log was not written again, then flushed, then marked: {of_log:#?}"
    );
}

/// Delays every flush by much longer than a test takes.
const HANGS: &str = "fdatasync:delay_enter=600000000";

/// A figure of a node's `/metrics`.
pub(crate) async fn figure(cluster: &Cluster, node: usize, name: &str) -> u64 {
    let text = get(&cluster.nodes[node].http_address, "/metrics").await.1;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_disk_hangs_gives_its_leadership_up_and_serves_again_when_it_answers() {
    if !can_trace() {
        return;
    }
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let pid = cluster.nodes[leader].process().pid();
    let hanging = Interference::with(pid, HANGS).unwrap();
    let follower = (leader + 1) % 3;
    let mut client = cluster.client(follower).await;
    // The disks of the others commit it, and the leader's disk does not answer for it.
    let _any = client.line("SET during 1").await;
    cluster.leader_except(leader).await;
    let mut client = cluster.leader_client().await;
    assert_eq!(client.line("SET after 2").await.unwrap().text(), "OK");
    assert_eq!(figure(&cluster, leader, "ironkv_disk_stalled").await, 1);
    assert!(cluster.nodes[leader].is_running(), "a disk that hangs may answer again");
    // Its core cannot store another leader, but it does not claim to lead any more.
    let status = cluster.nodes[leader].admin().status().await.unwrap();
    assert!(!leads(&status) && !status.ready, "{status:?}");
    let refused = cluster.client(leader).await.line("SET here 3").await.unwrap();
    assert!(refused.text().starts_with("CLUSTERDOWN"), "{refused:?}");
    drop(hanging);
    let deadline = tokio::time::Instant::now() + SETTLE_LIMIT;
    while figure(&cluster, leader, "ironkv_disk_stalled").await != 0 {
        assert!(tokio::time::Instant::now() < deadline, "it does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unflushed_bytes_stay_within_their_bound_on_leader_and_follower() {
    const BOUND: u64 = 4 << 20;
    if !can_trace() {
        return;
    }
    let bound = BOUND.to_string();
    let settings = [("log.unflushed_bytes_max", bound.as_str()), ("log.stall_ms_max", "0")];
    let mut cluster = Cluster::start_with(3, &settings).await;
    let leader = cluster.leader().await;
    let follower = (leader + 1) % 3;
    let value = "x".repeat(256 << 10);
    let mut client = cluster.client(leader).await;

    let pid = cluster.nodes[follower].process().pid();
    let hanging = Interference::with(pid, HANGS).unwrap();
    for number in 0..128 {
        let reply = client.command(&["SET", &format!("key:{number}"), &value]).await.unwrap();
        assert!(!reply.is_error(), "two of three disks work: {}", reply.text());
    }
    let held = figure(&cluster, follower, "ironkv_log_unflushed_bytes").await;
    // One message may pass when its beginning just fits, and a message may have the maximum size.
    assert!(held <= BOUND + (6 << 20), "the follower holds {held} bytes");
    drop(hanging);
    cluster.equal_digests().await;

    let pid = cluster.nodes[leader].process().pid();
    let hanging = Interference::with(pid, HANGS).unwrap();
    let mut refusal = None;
    for number in 0..128 {
        let reply = client.command(&["SET", &format!("key:{number}"), &value]).await.unwrap();
        if reply.is_error() {
            refusal = Some(reply.text());
            break;
        }
    }
    let refusal = refusal.expect("more than its bound is not taken");
    assert!(refusal.contains("nothing of this one was executed"), "unclear: {refusal}");
    let held = figure(&cluster, leader, "ironkv_log_unflushed_bytes").await;
    let bounds = BOUND..=BOUND + (6 << 20);
    assert!(bounds.contains(&held), "the leader holds {held} bytes");
    drop(hanging);
    cluster.wait_writable().await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_last_record_is_refused_after_an_orderly_stop() {
    let mut cluster = Cluster::start(1).await;
    let mut client = cluster.leader_client().await;
    for number in 0..50 {
        client.line(&format!("SET key:{number} {number}")).await.unwrap();
    }
    cluster.nodes[0].process().terminate();
    let ended = cluster.nodes[0].process().ended_within(ENDS_WITHIN).await;
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    let path = log_file(&cluster.nodes[0]);
    disk::flip_bit(&path, disk::written_end(&path).unwrap() - 1).unwrap();
    cluster.nodes[0].spawn();
    let ended = cluster.nodes[0].process().ended_within(ENDS_WITHIN).await;
    let output = cluster.nodes[0].process.as_ref().map(Process::output).unwrap_or_default();
    assert!(ended.is_some_and(|status| !status.success()), "it cuts off what it knew:\n{output}");
    let last = output.lines().rev().take(10).collect::<Vec<_>>().join("\n");
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    assert!(last.contains(&name) && last.contains("was flushed"), "what is broken? {last}");
}
