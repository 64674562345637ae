//! Settings that change at run time, by `CONFIG SET` and by the file.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::reply::Reply;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};

async fn set(client: &mut Client, parameters: &str) {
    let reply = client.line(&format!("CONFIG SET {parameters}")).await.unwrap();
    assert_eq!(format!("{reply:?}"), "+OK", "{parameters}");
}

/// Waits until a field of INFO has the wanted value.
async fn info(client: &mut Client, field: &str, wanted: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let text = client.line("INFO everything").await.unwrap().text();
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        if wanted(value.unwrap_or_else(|| panic!("no {field} in INFO"))) {
            return;
        }
        assert!(Instant::now() < deadline, "{field} stays {value:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn write_megabytes(client: &mut Client, megabytes: usize) {
    for number in 0..megabytes {
        let value = "x".repeat(1 << 20);
        let reply = client.command(&["SET", &format!("big:{number}"), &value]).await.unwrap();
        assert_eq!(format!("{reply:?}"), "+OK");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mode_of_reads_changes_at_once() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    cluster.client(leader).await.line("SET a 1").await.unwrap();
    cluster.settle().await;
    cluster.links.isolate(&[follower], 3);
    let mut client = cluster.client(follower).await;
    set(&mut client, "reads-mode stale reads-stale-lag-max-ms 600000").await;
    assert_eq!(client.line("GET a").await.unwrap().text(), "1", "a stale read of its own state");
    set(&mut client, "reads-stale-lag-max-ms 1").await;
    let late = client.line("GET a").await.unwrap();
    assert!(late.text().starts_with("MASTERDOWN"), "older than it may be: {late:?}");
    set(&mut client, "reads-mode quorum raft-request-timeout-ms 500").await;
    let alone = client.line("GET a").await.unwrap();
    assert!(alone.text().starts_with("CLUSTERDOWN"), "without a quorum: {alone:?}");
    cluster.links.heal();
    assert_eq!(cluster.retry(follower, "GET a").await.text(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_file_reaches_the_running_group() {
    let mut cluster = Cluster::start(3).await;
    let follower = cluster.follower().await;
    cluster.leader_client().await.line("SET a 1").await.unwrap();
    cluster.settle().await;
    cluster.links.isolate(&[follower], 3);
    let changes = [("reads.mode", "stale"), ("reads.stale_lag_max_ms", "600000")];
    let settings = cluster.settings_of(follower, &changes);
    cluster.nodes[follower].configure(&settings).unwrap();
    assert_eq!(cluster.retry(follower, "GET a").await.text(), "1");
    cluster.links.heal();
}

/// Waits until the status reports this about the configuration: keys that wait for a restart, and
/// whether the file is refused.
async fn unapplied(cluster: &Cluster, pending: &[&str], refused: bool) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let status = cluster.nodes[0].admin().status().await.unwrap();
        if status.pending_restart == pending && status.configuration_error.is_some() == refused {
            return;
        }
        assert!(Instant::now() < deadline, "not {pending:?}: {status:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_reports_changes_of_a_mounted_file_without_effect() {
    let mut cluster = Cluster::start(1).await;
    let (path, directory) = (cluster.nodes[0].config(), cluster.nodes[0].directory.clone());
    let running = std::fs::read_to_string(&path).unwrap();
    // As Kubernetes mounts a file: a link to a directory that is replaced as a whole, here by one
    // whose file has the same time and the same length.
    let mount = |version: &str, text: &str| {
        std::fs::create_dir_all(directory.join(version)).unwrap();
        let mut file = std::fs::File::create(directory.join(version).join("config.yaml")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        std::os::unix::fs::symlink(version, directory.join("next")).unwrap();
        std::fs::rename(directory.join("next"), directory.join("..data")).unwrap();
    };
    mount("first", &running);
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("..data/config.yaml", &path).unwrap();
    cluster.nodes[0].process().terminate();
    cluster.nodes[0].process().ended_within(SETTLE_LIMIT).await.unwrap();
    cluster.start_node(0).await;
    unapplied(&cluster, &[], false).await;
    let changed = running.replace("spare_segments: 1", "spare_segments: 2");
    assert_ne!(changed, running);
    mount("second", &changed);
    unapplied(&cluster, &["log.spare_segments"], false).await;
    mount("third", &running.replace("spare_segments: 1", "spare_segments: x"));
    unapplied(&cluster, &["log.spare_segments"], true).await;
    mount("fourth", &running);
    unapplied(&cluster, &[], false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_of_the_cluster_are_set_by_any_node_and_only_where_they_differ() {
    let mut cluster = Cluster::start(3).await;
    let follower = cluster.follower().await;
    let admin = cluster.nodes[follower].admin();
    let own = admin.status().await.unwrap().cluster_id.unwrap();
    let wanted = [
        ("maxmemory", "100mb"),
        ("maxmemory-policy", "allkeys-lru"),
        ("hash-max-listpack-entries", "512"),
    ];
    let changed = admin.set_parameters(&wanted, &own).await.unwrap();
    assert_eq!(changed, ["maxmemory", "maxmemory-policy"]);
    for index in 0..3 {
        let reply = cluster.retry(index, "CONFIG GET maxmemory*").await;
        let text = format!("{reply:?}");
        assert!(text.contains("104857600") && text.contains("allkeys-lru"), "{index}: {text}");
    }
    cluster.settle().await;
    let leader = cluster.leader().await;
    let before = cluster.nodes[leader].admin().status().await.unwrap().last_log;
    assert_eq!(admin.set_parameters(&wanted, "").await.unwrap(), [""; 0]);
    let after = cluster.nodes[leader].admin().status().await.unwrap().last_log;
    assert_eq!(after, before, "nothing goes through the log when nothing changes");
    let mixed = [("maxmemory", "1mb"), ("port", "1"), ("maxmemory-policy", "wrong")];
    let refused = admin.set_parameters(&mixed, "").await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    let text = refused.message();
    assert!(text.contains("port: ") && text.contains("maxmemory-policy: "), "{text}");
    assert_eq!(admin.set_parameters(&wanted, "").await.unwrap(), [""; 0], "nothing was changed");
    let other = admin.set_parameters(&wanted, &"0".repeat(32)).await.unwrap_err();
    assert!(other.message().contains(&own), "{other:?}");
}

/// The two values that one CONFIG SET sets, as a node has them at one time.
async fn pair(client: &mut Client) -> Option<(String, String)> {
    let reply = client.line("CONFIG GET hash-max-listpack-*").await.ok()?;
    let words: Vec<String> = reply.elements()?.iter().map(Reply::text).collect();
    let of = |name: &str| words.chunks(2).find(|row| row[0] == name).map(|row| row[1].clone());
    Some((of("hash-max-listpack-entries")?, of("hash-max-listpack-value")?))
}

/// Reads the values from a node until `stop` is set; returns how often.
async fn watch_pairs(mut client: Client, stop: Arc<AtomicBool>) -> usize {
    let mut seen = 0;
    while !stop.load(Ordering::Relaxed)
        && let Some((entries, value)) = pair(&mut client).await
    {
        assert_eq!(entries, value, "one of two parameters was set");
        seen += 1;
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_parameters_are_set_together_or_not_at_all_though_the_leader_dies() {
    let mut cluster = Cluster::start(3).await;
    let follower = cluster.follower().await;
    let mut client = cluster.client(follower).await;
    set(&mut client, "hash-max-listpack-entries 1000 hash-max-listpack-value 1000").await;
    for round in 0..3 {
        let leader = cluster.leader().await;
        let survivors: Vec<usize> = (0..3).filter(|index| *index != leader).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let mut watchers = Vec::new();
        for index in &survivors {
            let client = cluster.client(*index).await;
            watchers.push(tokio::spawn(watch_pairs(client, stop.clone())));
        }
        let mut setter = cluster.client(survivors[round % 2]).await;
        let stopped = stop.clone();
        let setting = tokio::spawn(async move {
            let (mut last, mut number) = (0, 2000 * (round + 1));
            while !stopped.load(Ordering::Relaxed) {
                number += 1;
                let parameters =
                    format!("hash-max-listpack-entries {number} hash-max-listpack-value {number}");
                match setter.line(&format!("CONFIG SET {parameters}")).await {
                    Ok(reply) if !reply.is_error() => last = number,
                    Ok(reply) if reply.text().starts_with("UNKNOWN") => {}
                    Ok(reply) => assert!(reply.text().starts_with("CLUSTERDOWN"), "{reply:?}"),
                    Err(_) => break,
                }
            }
            last
        });
        sleep(Duration::from_millis(300 + 7 * round as u64)).await;
        cluster.nodes[leader].process().kill();
        cluster.leader_except(leader).await;
        sleep(Duration::from_millis(300)).await;
        stop.store(true, Ordering::Relaxed);
        let last = setting.await.expect("a setter");
        for watcher in watchers {
            assert!(watcher.await.expect("a watcher") > 5);
        }
        cluster.start_node(leader).await;
        cluster.settle().await;
        for index in 0..3 {
            let seen = pair(&mut cluster.client(index).await).await.expect("an answer");
            assert_eq!(seen.0, seen.1, "node {index}");
            let entries: usize = seen.0.parse().unwrap();
            assert!(entries >= last, "node {index} has {entries}, {last} was acknowledged");
        }
    }
    let mut client = cluster.client(follower).await;
    let refused = client.line("CONFIG SET maxmemory 1mb maxmemory-policy wrong").await.unwrap();
    let text = refused.text();
    assert!(text.contains("possibly related to argument 'maxmemory-policy'"), "{text}");
    let unchanged = client.line("CONFIG GET maxmemory").await.unwrap();
    assert_eq!(unchanged.elements().unwrap()[1].text(), "0");
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_shows_at_once_a_parameter_of_the_cluster_that_was_set_on_it() {
    let mut cluster = Cluster::start(3).await;
    let follower = cluster.follower().await;
    let mut client = cluster.client(follower).await;
    for round in 0..200 {
        let samples = (round % 10 + 1).to_string();
        set(&mut client, &format!("maxmemory-samples {samples}")).await;
        let shown = client.line("CONFIG GET maxmemory-samples").await.unwrap();
        let shown = shown.elements().and_then(|pair| pair.last()).map(Reply::text);
        assert_eq!(shown.as_deref(), Some(samples.as_str()), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_smaller_log_limit_brings_a_checkpoint() {
    let mut cluster = Cluster::start(1).await;
    let mut client = cluster.leader_client().await;
    write_megabytes(&mut client, 3).await;
    info(&mut client, "rdb_saves", |count| count == "0").await;
    set(&mut client, "checkpoint-log-bytes-min 1mb checkpoint-log-percent-of-data 0").await;
    info(&mut client, "rdb_saves", |count| count != "0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_checkpoint_keeps_to_the_rate_and_follows_its_change() {
    let mut cluster = Cluster::start(1).await;
    let mut client = cluster.leader_client().await;
    write_megabytes(&mut client, 4).await;
    set(&mut client, "checkpoint-bytes-per-second-max 64kb").await;
    let admin = cluster.nodes[0].admin();
    let started = Instant::now();
    let checkpoint = tokio::spawn(async move { admin.checkpoint().await });
    info(&mut client, "rdb_bgsave_in_progress", |running| running == "1").await;
    // Four megabytes take a minute at this rate; the test does not wait for them.
    for number in 0..20 {
        sleep(Duration::from_millis(100)).await;
        let reply = client.line(&format!("SET meanwhile {number}")).await.unwrap();
        assert_eq!(format!("{reply:?}"), "+OK");
    }
    info(&mut client, "rdb_bgsave_in_progress", |running| running == "1").await;
    set(&mut client, "checkpoint-bytes-per-second-max 0").await;
    checkpoint.await.unwrap().expect("a checkpoint without a limit is finished");
    assert!(started.elapsed() < Duration::from_secs(50), "the new pace came too late");
    // The next one is slow again, and the process stops nevertheless.
    set(&mut client, "checkpoint-bytes-per-second-max 64kb").await;
    let admin = cluster.nodes[0].admin();
    let cut_off = tokio::spawn(async move { admin.checkpoint().await });
    info(&mut client, "rdb_bgsave_in_progress", |running| running == "1").await;
    cluster.nodes[0].process().terminate();
    let ended = cluster.nodes[0].process().ended_within(Duration::from_secs(20)).await;
    assert!(ended.is_some_and(|status| status.success()), "it does not stop: {ended:?}");
    let _unfinished = cut_off.await.unwrap();
    cluster.start_node(0).await;
    cluster.wait_writable().await;
    let mut client = cluster.leader_client().await;
    assert_eq!(client.line("GET meanwhile").await.unwrap().text(), "19");
}
