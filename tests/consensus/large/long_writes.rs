//! One write that takes long to run, and where this is reported.

use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::Cluster;

const MEMBERS: usize = 40_000;
const MEMBERS_PER_COMMAND: usize = 1000;

async fn longest_apply_us(cluster: &Cluster, node: usize) -> u64 {
    let text = get(&cluster.nodes[node].http_address, "/metrics").await.1;
    let found = text.lines().find_map(|line| line.strip_prefix("ironkv_apply_max_us "));
    found.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no figure in {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_write_is_in_the_slow_log_where_it_was_asked_for_and_in_a_metric_everywhere() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let asked = (leader + 1) % 3;
    for node in 0..3 {
        cluster.retry(node, "CONFIG SET slowlog-log-slower-than -1").await;
    }
    for first in (0..MEMBERS).step_by(MEMBERS_PER_COMMAND) {
        let pairs =
            (first..first + MEMBERS_PER_COMMAND).map(|number| format!("{number} m{number}"));
        let line = format!("ZADD many {}", pairs.collect::<Vec<_>>().join(" "));
        cluster.retry(asked, &line).await;
    }
    for node in 0..3 {
        cluster.retry(node, "CONFIG SET slowlog-log-slower-than 0").await;
        cluster.retry(node, "SLOWLOG RESET").await;
    }
    let union = cluster.retry(asked, "ZUNIONSTORE union 2 many many").await;
    assert_eq!(union.integer(), Some(MEMBERS as i64));
    let mut longest_us = 0;
    for node in 0..3 {
        let mut reader = cluster.client(node).await;
        let slow = format!("{:?}", reader.line("SLOWLOG GET 10").await.unwrap());
        assert_eq!(slow.contains("ZUNIONSTORE"), node == asked, "node {node}: {slow}");
        let apply_us = longest_apply_us(&cluster, node).await;
        // Forty thousand members cannot be stored faster.
        assert!(apply_us > 2000, "node {node} applied it in {apply_us} us");
        longest_us = longest_us.max(apply_us);
    }
    // The slow log shows the time on the leader, without forwarding and the log.
    let mut client = cluster.client(asked).await;
    let entries = client.line("SLOWLOG GET 10").await.unwrap();
    let took = entries.elements().unwrap().iter().find_map(|entry| {
        let entry = entry.elements()?;
        format!("{:?}", entry[3]).contains("ZUNIONSTORE").then(|| entry[2].integer())?
    });
    let took = took.expect("the time of the entry");
    assert!((1000..=longest_us as i64).contains(&took), "{took} us, and applied in {longest_us}");
}
