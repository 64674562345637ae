//! WAIT and WAITAOF: which nodes have the write on disk, and how a wait ends.

use std::process::{Command, Stdio};
use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::reply::Reply;
use ironkv_tests::cluster::Cluster;
use ironkv_tests::process::is_root;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

async fn integer(client: &mut Client, line: &str) -> i64 {
    let reply = client.line(line).await.unwrap();
    reply.integer().unwrap_or_else(|| panic!("{line}: {reply:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_counts_the_other_voters_that_have_flushed_the_write_on_every_node() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let (follower, paused) = ((leader + 1) % 3, (leader + 2) % 3);
    // A learner has no vote and does not count.
    let learner = cluster.add_process().await;
    let seed = cluster.nodes[leader].peer_address.clone();
    cluster.nodes[learner].admin().join(&seed).await.unwrap();
    for index in [leader, follower, paused, learner] {
        let mut client = cluster.client(index).await;
        client.line("SET a 1").await.unwrap();
        let voters = if index == learner { 3 } else { 2 };
        assert_eq!(integer(&mut client, &format!("WAIT {voters} 0")).await, voters);
    }
    cluster.nodes[paused].process().pause();
    for index in [leader, follower] {
        let mut client = cluster.client(index).await;
        client.line("SET a 2").await.unwrap();
        let begun = Instant::now();
        assert_eq!(integer(&mut client, "WAIT 1 0").await, 1, "on node {index}");
        assert_eq!(integer(&mut client, "WAIT 0 0").await, 1, "on node {index}");
        assert_eq!(integer(&mut client, "WAIT -1 0").await, 1, "on node {index}");
        let early = begun.elapsed();
        assert_eq!(integer(&mut client, "WAIT 2 400").await, 1, "on node {index}");
        let late = begun.elapsed();
        assert!(late - early >= Duration::from_millis(400), "the timeout was {:?}", late - early);
        let aof = client.line("WAITAOF 1 2 100").await.unwrap();
        assert_eq!(format!("{aof:?}"), "[:1, :1]", "on node {index}");
        // Inside MULTI no command waits.
        for line in ["MULTI", "WAIT 2 0", "WAITAOF 1 2 0"] {
            client.line(line).await.unwrap();
        }
        let replies = client.line("EXEC").await.unwrap();
        assert_eq!(format!("{replies:?}"), "[:1, [:1, :1]]", "on node {index}");
    }
    let mut waiting = cluster.client(follower).await;
    waiting.line("SET a 3").await.unwrap();
    let all = tokio::spawn(async move { integer(&mut waiting, "WAIT 2 0").await });
    sleep(Duration::from_millis(300)).await;
    assert!(!all.is_finished(), "a node that is stopped has flushed");
    cluster.nodes[paused].process().resume();
    assert_eq!(all.await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_waits_for_the_last_write_of_its_client_and_not_for_others() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let (follower, paused) = ((leader + 1) % 3, (leader + 2) % 3);
    let mut clients = [cluster.client(leader).await, cluster.client(follower).await];
    for client in &mut clients {
        client.line("SET own 1").await.unwrap();
        assert_eq!(integer(client, "WAIT 2 0").await, 2);
    }
    cluster.nodes[paused].process().pause();
    cluster.retry(leader, "SET other 1").await;
    for (client, index) in clients.iter_mut().zip([leader, follower]) {
        // Without a limit: the writes of the others are not on the disk of the paused node.
        assert_eq!(integer(client, "WAIT 2 0").await, 2, "on node {index}");
        let aof = client.line("WAITAOF 1 2 0").await.unwrap();
        assert_eq!(format!("{aof:?}"), "[:1, :2]", "on node {index}");
        let mut silent = cluster.client(index).await;
        assert_eq!(integer(&mut silent, "WAIT 2 0").await, 2, "it has written nothing");
        for line in ["MULTI", "SET own 2", "EXEC"] {
            client.line(line).await.unwrap();
        }
        assert_eq!(integer(client, "WAIT 1 0").await, 1, "on node {index}");
        assert_eq!(integer(client, "WAIT 2 300").await, 1, "on node {index}");
    }
    cluster.nodes[paused].process().resume();
    for client in &mut clients {
        assert_eq!(integer(client, "WAIT 2 0").await, 2);
    }
}

async fn blocked(cluster: &Cluster, index: usize) -> Vec<String> {
    let list = cluster.client(index).await.line("CLIENT LIST").await.unwrap().text();
    let id = |line: &str| Some(line.split_whitespace().next()?.strip_prefix("id=")?.to_owned());
    list.lines().filter(|line| line.contains("cmd=wait")).filter_map(id).collect()
}

async fn until_blocked(cluster: &Cluster, index: usize, count: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let ids = blocked(cluster, index).await;
        if ids.len() == count {
            return ids;
        }
        assert!(Instant::now() < deadline, "{} clients wait, not {count}", ids.len());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_without_end_ends_with_its_client_by_a_kill_and_at_the_stop() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    for index in [leader, (leader + 1) % 3] {
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(&cluster.nodes[index].resp_address).await.unwrap();
            stream.write_all(b"WAIT 9 0\r\n").await.unwrap();
            waiting.push(stream);
        }
        until_blocked(&cluster, index, 3).await;
        drop(waiting.pop());
        let ids = until_blocked(&cluster, index, 2).await;
        let mut client = cluster.client(index).await;
        assert_eq!(integer(&mut client, &format!("CLIENT KILL ID {}", ids[0])).await, 1);
        until_blocked(&cluster, index, 1).await;
        cluster.nodes[index].process().terminate();
        let ended = cluster.nodes[index].process().ended_within(Duration::from_secs(20)).await;
        assert!(ended.is_some_and(|status| status.success()), "the stop waits for WAIT: {ended:?}");
        cluster.start_node(index).await;
        cluster.nodes[index].wait_ready().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_sent_during_a_wait_are_answered_afterwards() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    cluster.nodes[(leader + 1) % 3].process().pause();
    let mut client = cluster.client(leader).await;
    client.line("SET a 1").await.unwrap();
    let lines = ["WAIT 2 600", "INCR a", "WAIT 2 300", "INCR a"];
    let commands: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    let replies = client.pipeline(&commands).await.unwrap();
    let numbers: Vec<_> = replies.iter().map(Reply::integer).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(1), Some(3)]);
    cluster.nodes[(leader + 1) % 3].process().resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_own_flush_hangs_does_not_count_itself() {
    if !is_root() || Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: strace and root are needed");
        return;
    }
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let mut client = cluster.client(leader).await;
    let pid = cluster.nodes[leader].process().pid().to_string();
    let delay = "inject=fdatasync:delay_enter=1500000";
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", delay, "-p", &pid])
        .spawn()
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut seen = String::new();
    while seen != "[:0, :2]" && Instant::now() < deadline {
        assert!(!client.line("SET a 1").await.unwrap().is_error());
        seen = format!("{:?}", client.line("WAITAOF 0 2 300").await.unwrap());
    }
    let begun = Instant::now();
    let aof = client.line("WAITAOF 1 2 0").await.unwrap();
    let waited = begun.elapsed();
    strace.kill().unwrap();
    strace.wait().unwrap();
    assert_eq!(seen, "[:0, :2]", "the node reports that it has flushed");
    assert_eq!(format!("{aof:?}"), "[:1, :2]", "after {waited:?}");
    cluster.equal_digests().await;
}
