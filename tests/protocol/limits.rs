//! Limits of connections, time and memory, and passwords.

use std::time::Duration;

use ironkv_tests::clients::client::{Client, encode};
use ironkv_tests::cluster::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_too_many_gets_an_error() {
    let cluster = Cluster::start_with(1, &[("limits.clients_max", "8")]).await;
    let mut clients = Vec::new();
    let mut refusal = None;
    for _ in 0..12 {
        let mut client = cluster.client(0).await;
        match client.line("PING").await {
            Ok(reply) if reply.is_error() => refusal = Some(reply.text()),
            Ok(_) => clients.push(client),
            Err(_) => {}
        }
    }
    assert!(clients.len() <= 8, "{} connections were served", clients.len());
    assert_eq!(refusal.as_deref(), Some("ERR max number of clients reached"));
    drop(clients);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut client = cluster.client(0).await;
    assert_eq!(format!("{:?}", client.line("PING").await.unwrap()), "+PONG", "a free slot again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_client_is_disconnected_and_a_busy_one_is_not() {
    let cluster = Cluster::start_with(1, &[("limits.idle_timeout_s", "1")]).await;
    let mut idle = cluster.client(0).await;
    let mut busy = cluster.client(0).await;
    idle.line("PING").await.unwrap();
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        busy.line("PING").await.expect("a busy client stays");
    }
    assert!(idle.is_closed_by_server().await, "an idle client is still connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_disconnected() {
    let limits = [("limits.output_buffer", "normal 4mb 0 0")];
    let cluster = Cluster::start_with(1, &limits).await;
    let mut client = cluster.client(0).await;
    client.command(&["SET", "big", &"x".repeat(1 << 20)]).await.unwrap();
    let mut greedy = cluster.client(0).await;
    let mut broken = false;
    for _ in 0..400 {
        if greedy.send_raw(&encode(&["GET", "big"])).await.is_err() {
            broken = true;
            break;
        }
    }
    broken = broken || greedy.is_closed_by_server().await;
    assert!(broken, "400 MiB of replies wait for a client that does not read");
    assert_eq!(format!("{:?}", client.line("PING").await.unwrap()), "+PONG");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_too_slowly_for_too_long_is_disconnected() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(0).await;
    client.command(&["SET", "big", &"x".repeat(1 << 20)]).await.unwrap();
    let mut slow = cluster.client(0).await;
    let id = slow.line("CLIENT ID").await.unwrap().integer().unwrap();
    slow.send_raw(&encode(&["GET", "big"]).repeat(64)).await.unwrap();
    let connected = async |client: &mut Client| {
        let list = client.line(&format!("CLIENT LIST ID {id}")).await.unwrap();
        !list.text().trim().is_empty()
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(connected(&mut client).await, "no limit is set yet");
    let set = ["CONFIG", "SET", "client-output-buffer-limit", "normal 0 1mb 1"];
    assert_eq!(format!("{:?}", client.command(&set).await.unwrap()), "+OK");
    // It applies to clients that wait already. Clients that read their replies in time stay.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while connected(&mut client).await {
        assert!(tokio::time::Instant::now() < deadline, "the soft limit never counts");
        client.line("GET big").await.expect("a client that reads stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_asked_for() {
    let cluster = Cluster::start_with(1, &[("security.requirepass", "secret")]).await;
    let mut client = cluster.client(0).await;
    let mut check = async |line: &str, expected: &str| {
        let reply = client.line(line).await.unwrap();
        assert_eq!(format!("{reply:?}"), expected, "{line}");
    };
    check("GET a", "-NOAUTH Authentication required.").await;
    check("PING", "-NOAUTH Authentication required.").await;
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.";
    check("AUTH wrong", wrong).await;
    check("AUTH unknown secret", wrong).await;
    check("AUTH secret", "+OK").await;
    check("GET a", "null($-1)").await;
    check("AUTH default secret", "+OK").await;
    let mut other = cluster.client(0).await;
    let reply = other.line("HELLO 3 AUTH default secret").await.unwrap();
    assert!(!reply.is_error(), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_are_served_at_once() {
    let cluster = Cluster::start(1).await;
    let address = cluster.nodes[0].resp_address.clone();
    let tasks: Vec<_> = (0..1000)
        .map(|number| {
            let address = address.clone();
            tokio::spawn(async move {
                let limit = Duration::from_secs(30);
                let mut client = Client::connect_with_timeout(&address, limit).await.unwrap();
                for _ in 0..3 {
                    let key = format!("client:{number}");
                    client.command(&["SET", &key, "1"]).await.unwrap();
                    let reply = client.command(&["GET", &key]).await.unwrap();
                    assert_eq!(reply.text(), "1");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_pipeline_is_answered_whole() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(0).await;
    let commands: Vec<Vec<String>> = (0..20_000)
        .map(|n| vec!["SET".to_owned(), format!("k{}", n % 100), n.to_string()])
        .collect();
    let replies = client.pipeline(&commands).await.unwrap();
    assert!(replies.iter().all(|reply| format!("{reply:?}") == "+OK"));
    assert_eq!(client.line("GET k99").await.unwrap().text(), "19999");
}

/// The client sends everything before it reads; without the reply it would see only a broken pipe.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_too_long_is_refused_with_a_reply_that_arrives() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(0).await;
    let value = "x".repeat(100 << 20);
    client.send_raw(&encode(&["SET", "key", &value])).await.expect("all of it is read");
    let reply = client.receive().await.unwrap();
    assert_eq!(format!("{reply:?}"), "-ERR Protocol error: invalid bulk length");
    assert!(client.is_closed_by_server().await);
}
