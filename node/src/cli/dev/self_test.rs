//! `ironkv dev test`: tests the durability guarantee on the running cluster. Writes through a
//! follower, kills the leader with SIGKILL half-way, and reads every acknowledged write back from
//! every node.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::layout::{Layout, Node};
use super::{bootstrap, process};
use crate::cli::client::connection::Connection;
use crate::cli::client::tls::Dialer;
use crate::cli::output::{self, Failure, Outcome};
use crate::resp::Reply;

/// A new leader is elected in one to two seconds; a loaded laptop may take longer.
const TIMEOUT: Duration = Duration::from_secs(30);
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to one node.
struct Route<'a> {
    dialer: &'a Dialer,
    node: &'a Node,
    password: Option<&'a str>,
}

impl Route<'_> {
    async fn open(&self) -> io::Result<Connection> {
        let address = self.node.resp_address();
        let mut connection = Connection::open(self.dialer, &address, REPLY_TIMEOUT).await?;
        match connection.authenticate(self.password).await {
            // A password that was set at run time is lost when the node is killed.
            Err(error) if !error.to_string().contains("without any password") => Err(error),
            _ => Ok(connection),
        }
    }
}

pub(super) async fn run(layout: &Layout, writes: u32, password: Option<&str>) -> Outcome {
    if process::stopped(layout).len() == layout.nodes.len() {
        return Err(Failure::new("no node of this cluster runs")
            .try_next("start them with `ironkv dev start`"));
    }
    let leader = bootstrap::leader(layout).await?;
    let other = layout
        .nodes
        .iter()
        .find(|node| node.number != leader.number && process::running(node).is_some());
    let route = |node| Route { dialer: &layout.dialer, node, password };
    let target = route(other.unwrap_or(leader));
    let key = format!("ironkv:dev-test:{}", std::process::id());
    let mut gap = Duration::ZERO;
    let mut connection = None;
    for number in 0..writes {
        if number == writes / 2 && other.is_some() {
            process::kill(leader)?;
            output::line(format!("killed node {}, the leader", leader.number));
        }
        let start = Instant::now();
        write_until_acknowledged(&target, &mut connection, &key, number).await?;
        gap = gap.max(start.elapsed());
    }
    if other.is_some() {
        process::restart(layout, leader)?;
    }
    for node in &layout.nodes {
        verify(&route(node), &key, writes).await?;
    }
    target.open().await?.call(&[b"DEL", key.as_bytes()]).await?;
    output::line(format!(
        "{writes} writes acknowledged, all of them read back from {} nodes; longest wait {:.0} ms",
        layout.nodes.len(),
        gap.as_secs_f64() * 1000.0,
    ));
    Ok(())
}

/// Writes one hash field. Writing the same field again is harmless, so a lost reply is retried
/// here, which the server could not do.
async fn write_until_acknowledged(
    route: &Route<'_>,
    kept: &mut Option<Connection>,
    key: &str,
    number: u32,
) -> Outcome {
    let deadline = Instant::now() + TIMEOUT;
    let text = number.to_string();
    let words = [b"HSET".as_slice(), key.as_bytes(), text.as_bytes(), text.as_bytes()];
    loop {
        let tried = async {
            if kept.is_none() {
                *kept = Some(route.open().await?);
            }
            kept.as_mut().expect("opened above").call(&words).await
        };
        let why = match tried.await {
            Ok(Reply::Integer(_)) => return Ok(()),
            Ok(Reply::Error(error)) => error.0.into_owned(),
            Ok(reply) => format!("{reply:?}"),
            Err(error) => {
                *kept = None;
                error.to_string()
            }
        };
        if ["NOAUTH", "WRONGPASS", "NOPERM"].iter().any(|code| why.starts_with(code)) {
            return Err(Failure::new(why).try_next("give the password with --password"));
        }
        if Instant::now() > deadline {
            return Err(Failure::new(format!("no write was accepted for {TIMEOUT:?}: {why}"))
                .try_next("look at `ironkv dev status` and `ironkv dev logs`"));
        }
        sleep(Duration::from_millis(10)).await;
    }
}

async fn verify(route: &Route<'_>, key: &str, written: u32) -> Outcome {
    let deadline = Instant::now() + TIMEOUT;
    let number = route.node.number;
    loop {
        match count(route, key).await {
            Ok(Reply::Integer(found)) if found == i64::from(written) => return Ok(()),
            Ok(Reply::Integer(found)) => {
                return Err(Failure::new(format!(
                    "node {number} has {found} of {written} acknowledged writes"
                )));
            }
            _ if Instant::now() < deadline => sleep(Duration::from_millis(100)).await,
            Ok(reply) => return Err(Failure::new(format!("node {number}: {reply:?}"))),
            Err(error) => return Err(Failure::new(format!("node {number}: {error}"))),
        }
    }
}

async fn count(route: &Route<'_>, key: &str) -> io::Result<Reply> {
    route.open().await?.call(&[b"HLEN", key.as_bytes()]).await
}
