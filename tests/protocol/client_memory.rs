//! The memory of connections is counted and bounded: commands queued by MULTI, and all together.

use std::time::Duration;

use ironkv_tests::clients::client::{Client, encode};
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};

/// A field of the line that CLIENT LIST has for a connection; `None` when it is closed.
async fn field(client: &mut Client, id: i64, name: &str) -> Option<u64> {
    let list = client.line(&format!("CLIENT LIST ID {id}")).await.unwrap().text();
    let value = list.split_whitespace().find_map(|field| field.strip_prefix(name));
    value.and_then(|value| value.strip_prefix('=')?.parse().ok())
}

async fn wait_until_closed(client: &mut Client, id: i64) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    while field(client, id, "id").await.is_some() {
        assert!(Instant::now() < deadline, "client {id} stays");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn id(client: &mut Client) -> i64 {
    client.line("CLIENT ID").await.unwrap().integer().unwrap()
}

async fn evicted(client: &mut Client) -> u64 {
    let text = client.line("INFO stats").await.unwrap().text();
    let value = text.lines().find_map(|line| line.strip_prefix("evicted_clients:"));
    value.unwrap().parse().unwrap()
}

async fn wait_for_evicted(client: &mut Client, wanted: u64) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    while evicted(client).await < wanted {
        assert!(Instant::now() < deadline, "not all are counted");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(evicted(client).await, wanted);
}

async fn ok(client: &mut Client, line: &str) {
    assert_eq!(format!("{:?}", client.line(line).await.unwrap()), "+OK", "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_many_small_commands_is_counted_with_its_overhead() {
    let cluster = Cluster::start_with(1, &[("limits.transaction_bytes_max", "1mb")]).await;
    let (mut client, mut other) = (cluster.client(0).await, cluster.client(0).await);
    let own = id(&mut client).await;
    ok(&mut client, "MULTI").await;
    let mut queued = 0;
    let refusal = loop {
        let reply = client.line("SET a b").await.unwrap();
        if reply.is_error() {
            break reply.text();
        }
        queued += 1;
        assert!(queued < 100_000, "five bytes each, and nothing more, are counted");
        if queued == 1000 {
            let held = field(&mut other, own, "multi-mem").await.unwrap();
            assert!(held > 100_000, "a thousand commands take {held} bytes");
        }
    };
    assert!(refusal.contains("limits.transaction_bytes_max"), "{refusal}");
    assert!(queued > 1000, "{queued}");
    // Dropped at once, and later commands are not kept either.
    assert_eq!(client.line("SET a c").await.unwrap().text(), "QUEUED");
    assert_eq!(field(&mut other, own, "multi-mem").await, Some(0));
    let aborted = client.line("EXEC").await.unwrap().text();
    assert!(aborted.starts_with("EXECABORT"), "{aborted}");
    assert_eq!(client.line("EXISTS a").await.unwrap().integer(), Some(0));
    ok(&mut client, "SET a d").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_clients_are_closed_when_all_together_use_too_much_memory() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(0).await;
    ok(&mut client, "CLIENT NO-EVICT ON").await;
    client.command(&["SET", "big", &"x".repeat(2 << 20)]).await.unwrap();

    // An incomplete command, a transaction, watched keys, and unread replies.
    let mut unfinished = cluster.client(0).await;
    let (unfinished_id, part) = (id(&mut unfinished).await, "x".repeat(600_000));
    let announced = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2000000\r\n{part}");
    unfinished.send_raw(announced.as_bytes()).await.unwrap();
    let mut queueing = cluster.client(0).await;
    let queueing_id = id(&mut queueing).await;
    ok(&mut queueing, "MULTI").await;
    queueing.command(&["SET", "b", &"x".repeat(500_000)]).await.unwrap();
    let mut watching = cluster.client(0).await;
    let watching_id = id(&mut watching).await;
    let keys: Vec<String> = (0..500).map(|key| format!("{key:0>200}")).collect();
    let mut words = vec!["WATCH"];
    words.extend(keys.iter().map(String::as_str));
    assert_eq!(format!("{:?}", watching.command(&words).await.unwrap()), "+OK");
    let mut deaf = cluster.client(0).await;
    let deaf_id = id(&mut deaf).await;
    deaf.send_raw(&encode(&["GET", "big"]).repeat(16)).await.unwrap();
    let mut small = cluster.client(0).await;
    let small_id = id(&mut small).await;

    let deadline = Instant::now() + SETTLE_LIMIT;
    for (id, name, least) in [
        (unfinished_id, "qbuf", 600_000),
        (queueing_id, "multi-mem", 500_000),
        (watching_id, "tot-mem", 100_000),
        (deaf_id, "omem", 1_000_000),
    ] {
        while field(&mut client, id, name).await.is_none_or(|bytes| bytes < least) {
            assert!(Instant::now() < deadline, "{name} of client {id}");
            sleep(Duration::from_millis(20)).await;
        }
        let all = field(&mut client, id, "tot-mem").await;
        assert!(all.is_some_and(|bytes| bytes >= least), "{name} is not in tot-mem: {all:?}");
    }
    assert_eq!(evicted(&mut client).await, 0);

    ok(&mut client, "CONFIG SET maxmemory-clients 2500kb").await;
    wait_until_closed(&mut client, deaf_id).await;
    for stays in [unfinished_id, queueing_id, watching_id, small_id] {
        assert!(field(&mut client, stays, "id").await.is_some(), "client {stays} is closed");
    }
    ok(&mut client, "CONFIG SET maxmemory-clients 400kb").await;
    for id in [unfinished_id, queueing_id] {
        wait_until_closed(&mut client, id).await;
    }
    for stays in [watching_id, small_id] {
        assert!(field(&mut client, stays, "id").await.is_some(), "client {stays} is closed");
    }
    assert!(queueing.is_closed_by_server().await);
    assert_eq!(format!("{:?}", small.line("PING").await.unwrap()), "+PONG");
    wait_for_evicted(&mut client, 3).await;
}

/// A share of an unset `maxmemory` is no limit; a share of a set one is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_may_be_a_share_of_maxmemory() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(0).await;
    ok(&mut client, "CONFIG SET maxmemory-clients 1%").await;
    let announce = async |bytes: usize| {
        let mut greedy = cluster.client(0).await;
        let id = id(&mut greedy).await;
        let part = "x".repeat(bytes);
        let announced = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2000000\r\n{part}");
        greedy.send_raw(announced.as_bytes()).await.unwrap();
        (greedy, id)
    };
    let (_without, without_id) = announce(100_000).await;
    let deadline = Instant::now() + SETTLE_LIMIT;
    while field(&mut client, without_id, "qbuf").await.is_none_or(|bytes| bytes < 100_000) {
        assert!(Instant::now() < deadline, "what was sent does not arrive");
        sleep(Duration::from_millis(20)).await;
    }
    ok(&mut client, "CONFIG SET maxmemory 40mb").await;
    let (_with, with_id) = announce(700_000).await;
    wait_until_closed(&mut client, with_id).await;
    assert!(field(&mut client, without_id, "id").await.is_some(), "the largest alone was enough");
    wait_for_evicted(&mut client, 1).await;
    let limit = client.line("CONFIG GET maxmemory-clients").await.unwrap();
    assert_eq!(limit.elements().unwrap()[1].text(), "1%");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asked_for_it_is_never_closed_for_the_memory_of_all() {
    let cluster = Cluster::start_with(1, &[("limits.clients_memory_max", "256kb")]).await;
    let mut client = cluster.client(0).await;
    ok(&mut client, "CLIENT NO-EVICT ON").await;
    ok(&mut client, "MULTI").await;
    let large = client.command(&["SET", "a", &"x".repeat(400_000)]).await.unwrap();
    assert_eq!(large.text(), "QUEUED");
    let mut other = cluster.client(0).await;
    // It uses the memory above the limit, and it is the largest client that may be closed.
    let sent = other.command(&["SET", "b", &"x".repeat(100_000)]).await;
    assert!(sent.is_err(), "{sent:?}");
    assert!(!client.line("EXEC").await.unwrap().is_error());
    assert_eq!(client.line("STRLEN a").await.unwrap().integer(), Some(400_000));
    ok(&mut client, "CLIENT NO-EVICT OFF").await;
    let closed = client.command(&["SET", "a", &"x".repeat(400_000)]).await;
    assert!(closed.is_err(), "{closed:?}");
}
