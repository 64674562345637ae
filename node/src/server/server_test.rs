#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};

use tokio::time::Instant;

use super::*;
use crate::base::threads::RealThreads;
use crate::commands::run::NodeServices;
use crate::dispatch::testing::{FakeStore, set_parameter};

struct Bench {
    server: Option<RespServer>,
    address: SocketAddr,
    node: Arc<NodeServices>,
}

impl Bench {
    fn start() -> Self {
        let store = FakeStore::default();
        let node = store.node();
        let address = "127.0.0.1:0".parse().unwrap();
        let listeners = Listeners::bind(address, 2, 64).unwrap();
        let (address, metrics) = (listeners.address(), &node.telemetry.metrics);
        let server = RespServer::start(vec![listeners], &RealThreads, &store, &node, metrics);
        Self { server: Some(server), address, node }
    }

    fn connect(&self) -> std::net::TcpStream {
        let stream = std::net::TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let stop = self.server.take().unwrap().stop(Duration::from_secs(5));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let start = Instant::now();
        runtime.block_on(stop);
        assert!(start.elapsed() < Duration::from_secs(4), "a connection did not end");
    }
}

/// Sends bytes and expects these bytes in return.
fn check(stream: &mut std::net::TcpStream, send: &str, expected: &str) {
    stream.write_all(send.as_bytes()).unwrap();
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).unwrap();
    let received = String::from_utf8_lossy(&received);
    // Without the whole texts: some of them are megabytes long.
    assert!(received == expected, "after {send:.100}: {received:.100}");
}

fn check_closed(stream: &mut std::net::TcpStream) {
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0, "the connection is still open");
}

#[test]
fn a_client_talks_inline_and_in_resp() {
    let bench = Bench::start();
    let mut client = bench.connect();
    check(&mut client, "PING\r\n", "+PONG\r\n");
    check(&mut client, "set k 'hello world'\n", "+OK\r\n");
    check(&mut client, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$11\r\nhello world\r\n");
    check(&mut client, "*1\r\n$4\r\nQUIT\r\n", "+OK\r\n");
    check_closed(&mut client);
}

#[test]
fn a_pipeline_cut_anywhere_is_answered_in_order() {
    let bench = Bench::start();
    let mut client = bench.connect();
    let request = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n7\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    for part in request.as_bytes().chunks(5) {
        client.write_all(part).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    check(&mut client, &request.repeat(500), &"+OK\r\n$1\r\n7\r\n".repeat(501));
}

#[test]
fn large_values_come_back_whole() {
    let bench = Bench::start();
    let mut client = bench.connect();
    let value = "v".repeat(5 << 20);
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len());
    check(&mut client, &set, "+OK\r\n");
    check(&mut client, "GET k\r\n", &format!("${}\r\n{value}\r\n", value.len()));
}

#[test]
fn a_broken_stream_is_answered_and_closed() {
    let bench = Bench::start();
    let mut client = bench.connect();
    let error = "-ERR Protocol error: expected '$', got ':'\r\n";
    check(&mut client, "PING\r\n*1\r\n:1\r\nPING\r\n", &format!("+PONG\r\n{error}"));
    check_closed(&mut client);
}

#[test]
fn one_client_too_many_gets_an_error() {
    let bench = Bench::start();
    bench.node.clients.set_limit(1);
    let mut first = bench.connect();
    check(&mut first, "PING\r\n", "+PONG\r\n");
    let mut second = bench.connect();
    check(&mut second, "", "-ERR max number of clients reached\r\n");
    check_closed(&mut second);
    drop(first);
}

#[test]
fn a_killed_client_is_gone_and_the_killer_stays() {
    let bench = Bench::start();
    let (mut killer, mut victim) = (bench.connect(), bench.connect());
    check(&mut victim, "CLIENT SETNAME victim\r\n", "+OK\r\n");
    check(&mut killer, "CLIENT KILL TYPE normal\r\n", ":1\r\n");
    check_closed(&mut victim);
    check(&mut killer, "PING\r\n", "+PONG\r\n");
    check(&mut killer, "CLIENT KILL TYPE normal SKIPME no\r\n", ":1\r\n");
    check_closed(&mut killer);
}

#[test]
fn an_idle_client_is_disconnected() {
    let bench = Bench::start();
    set_parameter(&bench.node, "timeout", "1");
    let mut client = bench.connect();
    check(&mut client, "PING\r\n", "+PONG\r\n");
    let start = Instant::now();
    check_closed(&mut client);
    assert!(start.elapsed() > Duration::from_millis(500));
}

#[test]
fn an_address_in_use_is_refused_even_by_sockets_that_share_ports() {
    let address = "127.0.0.1:0".parse().unwrap();
    let first = Listeners::bind(address, 2, 16).unwrap();
    let error = Listeners::bind(first.address(), 2, 16).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn hello_switches_the_protocol_of_its_own_reply() {
    let bench = Bench::start();
    let mut client = bench.connect();
    check(&mut client, "GET k\r\nHELLO 3\r\n", "$-1\r\n%7\r\n$6\r\nserver\r\n");
}
