//! How long a writer waits while another client reads a million members. For an optimised program:
//!
//! `IRONKV_BIN=target/release/ironkv cargo test -p ironkv-tests --test consensus -- \
//!  --ignored --nocapture long_reads`

#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::Cluster;
use tokio::time::{Instant, sleep};

const MEMBERS: usize = 1_000_000;
const MEMBERS_PER_COMMAND: usize = 1000;
const REPLY_TIMEOUT: Duration = Duration::from_secs(120);

/// One part of a run: without the long read, then with it.
const PART: Duration = Duration::from_secs(10);

/// A writer writes, and pauses for so long, so that the machine is not the limit.
const PAUSE: Duration = Duration::from_millis(2);

/// The measurements of the writers, microseconds.
struct Part {
    median: u128,
    p99: u128,
    max: u128,
    /// The longest apply so far; a write that waits for the lock makes it longer.
    apply_max: u64,
}

async fn longest_apply_us(cluster: &Cluster) -> u64 {
    let text = get(&cluster.nodes[0].http_address, "/metrics").await.1;
    let found = text.lines().find_map(|line| line.strip_prefix("ironkv_apply_max_us "));
    found.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no figure in {text}"))
}

async fn write(mut client: Client) -> Vec<u128> {
    let mut took = Vec::new();
    let end = Instant::now() + PART;
    while Instant::now() < end {
        let began = Instant::now();
        client.line("SET written value").await.unwrap();
        took.push(began.elapsed().as_micros());
        sleep(PAUSE).await;
    }
    took
}

async fn part(cluster: &Cluster) -> Part {
    let mut writers = Vec::new();
    for _ in 0..4 {
        let client = cluster.client(0).await;
        writers.push(tokio::spawn(write(client)));
    }
    let mut took = Vec::new();
    for writer in writers {
        took.extend(writer.await.unwrap());
    }
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    let apply_max = longest_apply_us(cluster).await;
    Part { median: at(50), p99: at(99), max: at(100), apply_max }
}

#[ignore = "takes minutes; for measurements"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_beside_reads_of_a_million_members() {
    println!("| read | reads | apply max us | write p50 us | p99 us | max us |");
    for (fill, read) in [
        ("SADD many", "SMEMBERS many"),
        ("RPUSH many", "LRANGE many 0 -1"),
        ("ZADD many", "ZRANGE many 0 -1"),
    ] {
        // A thread for each connection, so that the lock is what is measured.
        let mut cluster = Cluster::start_with(1, &[("threads.io", "8")]).await;
        let mut client = cluster.client_with_timeout(0, REPLY_TIMEOUT).await;
        for first in (0..MEMBERS).step_by(MEMBERS_PER_COMMAND) {
            let mut line = fill.to_owned();
            for number in first..first + MEMBERS_PER_COMMAND {
                let score =
                    if fill.starts_with('Z') { format!(" {number}") } else { String::new() };
                line += &format!("{score} member:{number}");
            }
            assert!(!client.line(&line).await.unwrap().is_error());
        }
        // A start resets the measurements, and so the longest apply.
        cluster.nodes[0].admin().checkpoint().await.unwrap();
        cluster.nodes[0].process().kill();
        cluster.start_node(0).await;
        cluster.wait_writable().await;
        let mut client = cluster.client_with_timeout(0, REPLY_TIMEOUT).await;
        let alone = part(&cluster).await;
        let (reads, running) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
        let reader = {
            let (reads, running) = (reads.clone(), running.clone());
            tokio::spawn(async move {
                while running.load(Ordering::Relaxed) {
                    let reply = client.line(read).await.unwrap();
                    assert_eq!(reply.elements().map(<[_]>::len), Some(MEMBERS));
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let beside = part(&cluster).await;
        running.store(false, Ordering::Relaxed);
        reader.await.unwrap();
        let reads = reads.load(Ordering::Relaxed);
        for (count, Part { median, p99, max, apply_max }) in [(0, &alone), (reads, &beside)] {
            println!("| {read} | {count} | {apply_max} | {median} | {p99} | {max} |");
        }
    }
}
