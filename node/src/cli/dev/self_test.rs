//! `ironkv dev test`: the promise, tried on the running cluster. Writes through a follower, kills
//! the leader with SIGKILL half-way, and reads every acknowledged write back from every node.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::layout::{Layout, Node};
use super::{bootstrap, process};
use crate::cli::connection::Connection;
use crate::cli::output::{self, Failure, Outcome};
use crate::cli::tls::Dialer;
use crate::resp::Reply;

/// A new leader is elected in one to two seconds; a loaded laptop may take longer.
const PATIENCE: Duration = Duration::from_secs(30);
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(layout: &Layout, writes: u32) -> Outcome {
    let leader = bootstrap::leader(layout).await?;
    let other = layout.nodes.iter().find(|node| node.number != leader.number);
    let door = other.unwrap_or(leader);
    let key = format!("ironkv:dev-test:{}", std::process::id());
    let mut acknowledged = Vec::new();
    let mut gap = Duration::ZERO;
    let mut connection = None;
    for number in 0..writes {
        if number == writes / 2 && other.is_some() {
            process::kill(leader)?;
            output::line(format!("killed node {}, the leader", leader.number));
        }
        let start = Instant::now();
        write_until_acknowledged(&layout.dialer, door, &mut connection, &key, number).await?;
        gap = gap.max(start.elapsed());
        acknowledged.push(number);
    }
    if other.is_some() {
        process::restart(layout, leader)?;
    }
    for node in &layout.nodes {
        verify(&layout.dialer, node, &key, &acknowledged).await?;
    }
    let mut connection =
        Connection::open(&layout.dialer, &door.resp_address(), REPLY_TIMEOUT).await?;
    connection.call(&[b"DEL", key.as_bytes()]).await?;
    output::line(format!(
        "{} writes acknowledged, all of them read back from {} nodes; longest wait {:.0} ms",
        acknowledged.len(),
        layout.nodes.len(),
        gap.as_secs_f64() * 1000.0,
    ));
    Ok(())
}

/// Writes one hash field. Writing the same field again is harmless, so a lost reply is retried
/// here: the caller knows what the server cannot.
async fn write_until_acknowledged(
    dialer: &Dialer,
    node: &Node,
    kept: &mut Option<Connection>,
    key: &str,
    number: u32,
) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    let text = number.to_string();
    let words = [b"HSET".as_slice(), key.as_bytes(), text.as_bytes(), text.as_bytes()];
    loop {
        let tried = async {
            if kept.is_none() {
                *kept = Some(Connection::open(dialer, &node.resp_address(), REPLY_TIMEOUT).await?);
            }
            kept.as_mut().expect("opened above").call(&words).await
        };
        match tried.await {
            Ok(Reply::Integer(_)) => return Ok(()),
            Ok(_) => {}
            Err(_) => *kept = None,
        }
        if Instant::now() > deadline {
            return Err(Failure::new(format!("no write was accepted for {PATIENCE:?}"))
                .try_next("look at `ironkv dev status` and `ironkv dev logs`"));
        }
        sleep(Duration::from_millis(10)).await;
    }
}

async fn verify(dialer: &Dialer, node: &Node, key: &str, acknowledged: &[u32]) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match count(dialer, node, key).await {
            Ok(Reply::Integer(found)) if usize::try_from(found) == Ok(acknowledged.len()) => {
                return Ok(());
            }
            Ok(Reply::Integer(found)) => {
                return Err(Failure::new(format!(
                    "node {} has {found} of {} acknowledged writes",
                    node.number,
                    acknowledged.len()
                )));
            }
            _ if Instant::now() < deadline => sleep(Duration::from_millis(100)).await,
            Ok(reply) => return Err(Failure::new(format!("node {}: {reply:?}", node.number))),
            Err(error) => return Err(Failure::new(format!("node {}: {error}", node.number))),
        }
    }
}

async fn count(dialer: &Dialer, node: &Node, key: &str) -> std::io::Result<Reply> {
    let mut connection = Connection::open(dialer, &node.resp_address(), REPLY_TIMEOUT).await?;
    connection.call(&[b"HLEN", key.as_bytes()]).await
}
