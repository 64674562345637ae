//! Standard error of a node.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use rustix::fs::OFlags;
use tokio::time::{Instant, timeout};

/// A pipe of 64 KiB takes no further line when it holds this much, or soon after.
const FULL_BYTES: u64 = 56 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standard_error_that_is_not_read_stops_no_node() {
    let mut cluster = Cluster::start(1).await;
    cluster.nodes[0].process().kill();
    let settings = cluster.settings_of(0, &[("telemetry.level", "trace")]);
    cluster.nodes[0].configure(&settings).unwrap();
    let pipe = cluster.nodes[0].directory.join("stderr");
    let script = format!("mkfifo '{0}'; exec 2<>'{0}'; exec \"$0\" \"$@\"", pipe.display());
    cluster.nodes[0].wrap(vec!["sh".to_owned(), "-c".to_owned(), script]);
    cluster.start_node(0).await;
    cluster.wait_writable().await;

    let mut open = File::options();
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    let unread = open.read(true).custom_flags(flags).open(&pipe).unwrap();
    let mut client = cluster.leader_client().await;
    let deadline = Instant::now() + SETTLE_LIMIT;
    while rustix::io::ioctl_fionread(&unread).unwrap() < FULL_BYTES {
        assert!(Instant::now() < deadline, "the pipe does not fill up");
        let set = timeout(Duration::from_secs(10), client.line("SET key value")).await;
        assert_eq!(set.unwrap().unwrap().text(), "OK");
    }
    for _ in 0..500 {
        let set = timeout(Duration::from_secs(10), client.line("SET key value")).await;
        assert_eq!(set.expect("the node answers").unwrap().text(), "OK");
    }
    let (_, metrics) = get(&cluster.nodes[0].http_address, "/metrics").await;
    assert!(metrics.contains("ironkv_log_lines_dropped_total "), "{metrics}");

    cluster.nodes[0].process().terminate();
    let ended = cluster.nodes[0].process().ended_within(Duration::from_secs(30)).await;
    assert!(ended.is_some_and(|status| status.success()), "it does not end: {ended:?}");
}
