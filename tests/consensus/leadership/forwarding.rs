//! The stream of requests from a follower to its leader: an unknown request is refused alone, and a
//! stream that breaks at any byte loses nothing and sends nothing twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ironkv_proto::forward::v1::forward_reply::Result as Answer;
use ironkv_proto::forward::v1::forward_request::Work;
use ironkv_proto::forward::v1::forward_service_client::ForwardServiceClient;
use ironkv_proto::forward::v1::refused::Reason;
use ironkv_proto::forward::v1::{ForwardRequest, ReadIndex};
use ironkv_proto::types::v1::Route;
use ironkv_tests::clients::client::Client;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tonic::transport::Endpoint;

use crate::load::steady::REPLY_TIMEOUT;

/// A newer follower may send work that this program does not know; its field is skipped when the
/// message is decoded, so the request arrives without work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_of_an_unknown_kind_is_refused_alone_and_its_stream_continues() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let status = cluster.nodes[leader].admin().status().await.unwrap();
    let route = Route {
        cluster_id: Bytes::from(status.cluster_id.unwrap()),
        group_id: 0,
        target_node_id: status.node_id,
        ..Route::default()
    };
    let request = |id: u64, work: Option<Work>| ForwardRequest {
        route: Some(route.clone()),
        id,
        work,
        time_left_ms: 10_000,
        takes_pieces: true,
    };
    let read = || Some(Work::ReadIndex(ReadIndex { quorum: false }));
    let requests = [request(1, read()), request(2, None), request(3, read())];
    let address = format!("http://{}", cluster.nodes[leader].grpc_address);
    let channel = Endpoint::from_shared(address).unwrap().connect_lazy();
    let mut client = ForwardServiceClient::new(channel);
    // The stream stays open after the last request.
    let requests = futures::stream::iter(requests);
    let requests = futures::StreamExt::chain(requests, futures::stream::pending());
    let mut answers = client.forward(requests).await.unwrap().into_inner();
    let mut by_id = HashMap::new();
    while by_id.len() < 3 {
        let answer = tokio::time::timeout(SETTLE_LIMIT, answers.message()).await.unwrap();
        let answer = answer.unwrap().expect("the stream continues");
        by_id.insert(answer.id, answer.result.expect("a result"));
    }
    for id in [1, 3] {
        assert!(matches!(by_id[&id], Answer::ReadIndex(_)), "{by_id:?}");
    }
    let Answer::Refused(refused) = &by_id[&2] else { panic!("{by_id:?}") };
    assert_eq!(refused.reason(), Reason::Invalid);
    for part in ["ERR not executed", "another version", "unknown kind"] {
        assert!(refused.detail.contains(part), "{}", refused.detail);
    }
}

/// Appends its own numbers to a list, one after the other.
struct Appender {
    acknowledged: JoinHandle<(Vec<String>, Vec<String>)>,
    done: Arc<AtomicUsize>,
}

impl Appender {
    fn start(address: String, number: usize, stop: Arc<AtomicBool>) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let counted = done.clone();
        let acknowledged = tokio::spawn(async move {
            let (mut acknowledged, mut unknown) = (Vec::new(), Vec::new());
            let mut client = None;
            // Long, so that most breaks are in the middle of a message.
            let padding = "p".repeat(if number.is_multiple_of(2) { 300_000 } else { 100 });
            for value in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let mut connected = match client.take() {
                    Some(client) => client,
                    None => Client::connect_with_timeout(&address, REPLY_TIMEOUT).await.unwrap(),
                };
                let element = format!("{number}-{value}");
                let set = ["SET", &format!("padding-{number}"), &padding];
                let append = ["RPUSH", "list", &element];
                let commands = [set.to_vec(), append.to_vec()];
                match connected.pipeline(&commands).await.as_deref() {
                    Ok([set, append]) => {
                        for reply in [set, append] {
                            assert!(!reply.is_error(), "{reply:?}");
                        }
                        acknowledged.push(element);
                        client = Some(connected);
                    }
                    _ => unknown.push(element),
                }
                counted.fetch_add(1, Ordering::Relaxed);
            }
            (acknowledged, unknown)
        });
        Self { acknowledged, done }
    }

    async fn wait_for(&self, more: usize) {
        let wanted = self.done.load(Ordering::Relaxed) + more;
        let reached = async {
            while self.done.load(Ordering::Relaxed) < wanted {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SETTLE_LIMIT, reached).await.expect("an appender continues");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_reset_at_any_byte_loses_nothing_and_executes_nothing_twice() {
    const RESETS: usize = 40;
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let stop = Arc::new(AtomicBool::new(false));
    let followers = [(leader + 1) % 3, (leader + 2) % 3];
    let appenders: Vec<Appender> = (0..6)
        .map(|number| {
            let address = cluster.nodes[followers[number / 3]].resp_address.clone();
            Appender::start(address, number, stop.clone())
        })
        .collect();
    for round in 0..RESETS {
        for appender in &appenders {
            appender.wait_for(2).await;
        }
        sleep(Duration::from_micros(137 * (round as u64 % 17))).await;
        cluster.links.reset(leader);
    }
    stop.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut unknown) = (Vec::new(), Vec::new());
    for appender in appenders {
        let (own, lost) = appender.acknowledged.await.expect("no panic");
        acknowledged.extend(own);
        unknown.extend(lost);
    }
    let mut client = cluster.leader_client().await;
    let list = client.line("LRANGE list 0 -1").await.unwrap();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for element in list.elements().unwrap() {
        *counts.entry(element.text()).or_default() += 1;
    }
    eprintln!("{} acknowledged, {} unknown", acknowledged.len(), unknown.len());
    for element in &acknowledged {
        assert_eq!(counts.remove(element), Some(1), "{element} was acknowledged");
    }
    for element in &unknown {
        assert!(counts.remove(element).is_none_or(|count| count == 1), "{element} is there twice");
    }
    assert!(counts.is_empty(), "no client sent {counts:?}");
    // Otherwise no stream broke while something was in flight.
    assert!(!unknown.is_empty());
    cluster.equal_digests().await;
}
