//! The same bytes to Redis and to IronKV must get the same bytes back, and the same end of the
//! connection.

use std::time::Duration;

use ironkv_tests::clients::client::encode;
use ironkv_tests::cluster::Cluster;
use ironkv_tests::redis::Redis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Silence after which the answer counts as complete.
const QUIET: Duration = Duration::from_millis(250);

/// How long an expected answer may take on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How often a request is sent until two servers give the same answer: one that is slow for a
/// moment seems to be silent.
const ATTEMPTS: usize = 3;

/// The received bytes, and whether the server closed the connection.
type Answer = (Vec<u8>, bool);

/// The answer to a request that is sent in pieces. An answer that is shorter than `expected` is
/// waited for longer.
async fn exchange(address: &str, pieces: &[&[u8]], expected: &Answer) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        // A server that has closed already answers with a reset; what it sent is read below.
        let _sent = stream.write_all(piece).await;
        if pieces.len() > 1 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let mut answer = Vec::new();
    loop {
        let is_due = answer.len() < expected.0.len() || expected.1;
        match timeout(if is_due { ANSWER_LIMIT } else { QUIET }, stream.read_buf(&mut answer)).await
        {
            Ok(Ok(0) | Err(_)) => return (answer, true),
            Ok(Ok(_)) => {}
            Err(_) => return (answer, false),
        }
    }
}

/// Requests of every form; each on its own connection.
fn shapes() -> Vec<Vec<u8>> {
    let mut shapes: Vec<Vec<u8>> = [
        "PING\r\n",
        "PING\n",
        "\r\n\r\nPING\r\n",
        "   PING   hello  \r\n",
        "SET raw \"a b\\x41\\n\"\r\nGET raw\r\n",
        "SET raw 'it\\'s'\r\nGET raw\r\n",
        "SET raw \"unbalanced\r\nPING\r\n",
        "SET raw 'a'b\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "*1\r\n$4\r\nping\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n",
        "*0\r\nPING\r\n",
        "*-1\r\nPING\r\n",
        "*-10\r\nPING\r\n",
        "*1\r\n$0\r\n\r\n",
        "*3\r\n$3\r\nSET\r\n$3\r\nraw\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$3\r\nraw\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$-5\r\n",
        "*1\r\n$abc\r\n",
        "*1\r\n:4\r\nPING\r\n",
        "*1\r\nPING\r\n",
        "*abc\r\n",
        "*\r\n",
        "*1048577\r\n",
        "*2147483647\r\n",
        "*2147483648\r\n",
        "*99999999999999999999\r\n",
        "*1\r\n$536870913\r\n",
        "*1\r\n$99999999999999999999\r\n",
        "*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\n",
        "HELLO 3\r\nPING\r\n",
        "HELLO 4\r\n",
        "HELLO x\r\n",
        "QUIT\r\nPING\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
        "nosuchcommand a b c\r\n",
        "*2\r\n$3\r\nfoo\r\n$5\r\na\r\n b\r\n",
        "MULTI\r\nPING\r\nEXEC\r\n",
        "CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\n",
        "CLIENT REPLY SKIP\r\nPING\r\nPING\r\n",
        "PI\0NG\r\n",
        "PING\r\nPING a\0b\r\nPING\r\n",
        "\0\r\nPING\r\n",
        "*1\0\r\n$4\r\nPING\r\n",
        "*1\r\n$4\0\r\nPING\r\n",
        "*1\r\n$4\r\nPI\0G\r\n",
        "MULTI\r\nPING\r\nCLIENT KILL TYPE normal SKIPME no\r\nSET raw killed\r\nEXEC\r\nPING\r\n",
        "GET raw\r\n",
        "CLIENT KILL TYPE normal SKIPME no\r\nPING\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    shapes.push([b"a".repeat(64 << 10), b"\r\n".to_vec()].concat());
    shapes.push(b"a".repeat(70 << 10));
    shapes.push([b"a\0b\r\n".to_vec(), b"a".repeat(70 << 10)].concat());
    shapes.push([b"*1\r\n$".to_vec(), b"1".repeat(70 << 10)].concat());
    shapes.push([b"*".to_vec(), b"1".repeat(70 << 10)].concat());
    shapes.push(encode(&["NOSUCH", &"x".repeat(300), &"y".repeat(300)]));
    shapes.push((0..200).flat_map(|_| encode(&["PING"])).collect());
    shapes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shape_of_request_is_answered_as_redis_answers_it() {
    let redis = Redis::start(&[]).await;
    let cluster = Cluster::start(1).await;
    let mut differences = Vec::new();
    for shape in shapes() {
        let (mut theirs, mut ours) = (Answer::default(), Answer::default());
        // HELLO returns version and id, which differ.
        let hello = shape.starts_with(b"HELLO 3");
        let differ =
            |theirs: &Answer, ours: &Answer| (theirs != ours && !hello) || theirs.1 != ours.1;
        for _ in 0..ATTEMPTS {
            theirs = exchange(redis.address(), &[&shape], &Answer::default()).await;
            let expected = if hello { Answer::default() } else { theirs.clone() };
            ours = exchange(&cluster.nodes[0].resp_address, &[&shape], &expected).await;
            if !differ(&theirs, &ours) {
                break;
            }
        }
        if differ(&theirs, &ours) {
            let show = |(bytes, closed): &(Vec<u8>, bool)| {
                let text = bytes[..bytes.len().min(200)].escape_ascii().to_string();
                format!("{text}{}", if *closed { " (closed)" } else { "" })
            };
            let request = shape[..shape.len().min(80)].escape_ascii();
            differences.push(format!(
                "{request}\n  Redis  {}\n  IronKV {}",
                show(&theirs),
                show(&ours)
            ));
        }
    }
    assert!(differences.is_empty(), "{}:\n{}", differences.len(), differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_cut_anywhere_is_understood() {
    let cluster = Cluster::start(1).await;
    let request = [encode(&["SET", "cut", "a\r\nb"]), encode(&["GET", "cut"])].concat();
    let expected = (b"+OK\r\n$4\r\na\r\nb\r\n".to_vec(), false);
    for cut in 1..request.len() {
        let (head, tail) = request.split_at(cut);
        let answer = exchange(&cluster.nodes[0].resp_address, &[head, tail], &expected).await;
        assert!(answer == expected, "{cut}: {}", answer.0.escape_ascii());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_harms_no_other_client() {
    let mut cluster = Cluster::start(1).await;
    let mut witness = cluster.client(0).await;
    let address = cluster.nodes[0].resp_address.clone();
    let starts: [&[u8]; 5] = [b"", b"*3\r\n$3\r\nSET\r\n", b"*", b"$", b"*1\r\n$10\r\n"];
    for round in 0..100 {
        let length = rand::random_range(1..400);
        let mut noise = starts[round % starts.len()].to_vec();
        noise.extend((0..length).map(|_| rand::random::<u8>()));
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let _sent = stream.write_all(&noise).await;
        drop(stream);
    }
    assert_eq!(format!("{:?}", witness.line("PING").await.unwrap()), "+PONG");
    assert!(cluster.nodes[0].is_running());
    assert!(!cluster.nodes[0].log_tail().contains("panicked"), "{}", cluster.nodes[0].log_tail());
}
