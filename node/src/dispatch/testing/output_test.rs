//! How much of the replies is in memory at a time.
#![allow(clippy::unwrap_used)]

use std::rc::Rc;

use bytes::BytesMut;

use super::output::OUTPUT_PART_BYTES;
use super::testing::{FakeStore, set_parameter};
use super::*;
use crate::base::ids::ClientId;
use crate::base::threads::RealThreads;
use crate::resp::{Decoder, ReplyError};
use crate::services::sessions::Client;

struct Bench {
    node: Arc<NodeServices>,
    dispatcher: Dispatcher<FakeStore>,
    session: Session,
}

/// What the connection saw of a batch.
#[derive(Default)]
struct Sent {
    bytes: usize,
    largest: usize,
    end: Vec<u8>,
    overflowed: bool,
}

impl Bench {
    fn new() -> Self {
        let store = FakeStore::default();
        let node = store.node();
        let metrics = node.telemetry.metrics.thread();
        let dispatcher = Dispatcher::new(store, node.clone(), metrics, 7);
        let client = Client::new(ClientId(1), "a:1".to_owned(), "b:2".to_owned());
        Self { node, dispatcher, session: Session::new(Arc::new(client), true) }
    }

    /// Runs lines as one batch, as a connection does.
    async fn run(&mut self, lines: &[&str], limit: ReplyLimit) -> Sent {
        let mut buffer = BytesMut::from(format!("{}\n", lines.join("\n")).as_bytes());
        let (mut decoder, mut batch) = (Decoder::new(1 << 20), Batch::default());
        decoder.set_authenticated(true);
        decoder.decode(&mut buffer, &mut batch).unwrap();
        let (outlet, mut sent, mut next) = (Rc::new(Outlet::default()), Sent::default(), 0);
        while next < batch.len() {
            let mut out = Output::new(BytesMut::new(), limit, Rc::clone(&outlet));
            let progress = {
                let run = self.dispatcher.run(&mut self.session, &batch, next, &mut out);
                let mut run = std::pin::pin!(run);
                loop {
                    let mut replies = tokio::select! {
                        progress = &mut run => break progress,
                        replies = outlet.filled() => replies,
                    };
                    sent.note(&replies);
                    replies.clear();
                    outlet.sent(replies);
                }
            };
            sent.note(out.replies());
            sent.overflowed |= out.has_overflowed();
            if progress.flow == Flow::Close {
                break;
            }
            next = progress.next;
        }
        sent
    }

    async fn append(&mut self, key: &str, bytes: usize) {
        let text = "x".repeat(60_000);
        for _ in 0..bytes / text.len() {
            self.run(&[&format!("append {key} {text}")], ReplyLimit::default()).await;
        }
    }
}

impl Sent {
    fn note(&mut self, replies: &[u8]) {
        self.bytes += replies.len();
        self.largest = self.largest.max(replies.len());
        if !replies.is_empty() {
            self.end = replies.to_vec();
        }
    }
}

#[tokio::test]
async fn a_pipeline_holds_one_part_and_one_reply_at_most() {
    let mut bench = Bench::new();
    bench.append("v", 600_000).await;
    for lines in
        [vec!["get v"; 100], [vec!["get v"; 50], vec!["set a 1"], vec!["get v"; 50]].concat()]
    {
        let sent = bench.run(&lines, ReplyLimit::default()).await;
        assert!(sent.bytes > 60_000_000, "{} bytes", sent.bytes);
        assert!(sent.largest < OUTPUT_PART_BYTES + 601_000, "{} bytes at once", sent.largest);
    }
}

#[tokio::test]
async fn one_reply_that_is_too_long_becomes_an_error_and_the_next_is_answered() {
    let mut bench = Bench::new();
    bench.append("v", 60_000).await;
    let member = format!("sadd s {}", "y".repeat(60_000));
    bench.run(&[&member], ReplyLimit::default()).await;
    let limit = ReplyLimit::Refuses(100_000);
    for line in ["srandmember s -3000", "mget v v v"] {
        let sent = bench.run(&[line, "ping"], limit).await;
        let text = String::from_utf8(sent.end).unwrap();
        assert_eq!(text, format!("-{}\r\n+PONG\r\n", ReplyError::REPLY_TOO_LONG.0), "{line}");
    }
    // Of a transaction, only what is too much.
    let sent = bench.run(&["multi", "get v", "get v", "ping", "exec"], limit).await;
    let text = String::from_utf8(sent.end).unwrap();
    let end = format!("-{}\r\n+PONG\r\n", ReplyError::REPLY_TOO_LONG.0);
    assert!(text.ends_with(&end) && sent.bytes < 61_000, "{} bytes", sent.bytes);
}

#[tokio::test]
async fn more_than_the_hard_limit_ends_the_connection() {
    let mut bench = Bench::new();
    bench.append("v", 60_000).await;
    let limit = ReplyLimit::Closes(100_000);
    for lines in [
        &["mget v v v", "set done 1"][..],
        &["multi", "get v", "get v", "get v", "exec", "set done 1"],
        &["multi", "set a 1", "get v", "get v", "get v", "exec", "set done 1"],
    ] {
        let sent = bench.run(lines, limit).await;
        assert!(sent.overflowed && sent.bytes < 1000, "{lines:?}: {} bytes", sent.bytes);
    }
    let sent = bench.run(&["get v", "get a"], limit).await;
    assert!(!sent.overflowed && sent.end.ends_with(b"$1\r\n1\r\n"));
}

#[tokio::test]
async fn a_large_reply_counts_as_memory_of_the_client_before_it_is_made() {
    let mut bench = Bench::new();
    bench.append("v", 600_000).await;
    set_parameter(&bench.node, "maxmemory-clients", "1mb");
    let client = bench.node.clients.connect("a:1".to_owned(), "b:2".to_owned()).unwrap();
    bench.session = Session::new(client, true);
    let sent = bench.run(&["get v"], ReplyLimit::default()).await;
    assert!(sent.bytes > 600_000 && !bench.session.client.is_killed());
    let sent = bench.run(&["mget v v v", "ping"], ReplyLimit::default()).await;
    assert!(sent.bytes == 0 && bench.session.client.is_evicted());
}

#[tokio::test]
async fn the_longest_reads_leave_the_thread_to_other_clients() {
    let mut bench = Bench::new();
    bench.dispatcher = bench.dispatcher.with_long_reads(LongReads::start(&RealThreads));
    for first in (0..2000).step_by(500) {
        let members: Vec<String> = (first..first + 500).map(|n: u32| n.to_string()).collect();
        bench.run(&[&format!("sadd k {}", members.join(" "))], ReplyLimit::default()).await;
    }
    let short = bench.run(&["scard k", "sintercard 100 k", "ping"], ReplyLimit::default()).await;
    assert!(short.end.ends_with(b"+PONG\r\n"));
    let keys = "k ".repeat(1000);
    let long = format!("sintercard 1000 {keys}");
    let lines = ["set a 1", "scard k", &long, "scard k"];
    let sent = bench.run(&lines, ReplyLimit::default()).await;
    assert_eq!(String::from_utf8(sent.end).unwrap(), "+OK\r\n:2000\r\n:2000\r\n:2000\r\n");
    let lines = ["multi", &long, "scard k", "exec"];
    let sent = bench.run(&lines, ReplyLimit::default()).await;
    assert!(sent.end.ends_with(b"*2\r\n:2000\r\n:2000\r\n"));
    assert!(!bench.session.client.has(ClientFlag::Blocked));
}
