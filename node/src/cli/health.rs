//! `ironkv health`: sends a node a linearizable read, once or repeatedly.
//!
//! A check is a read of a key. It succeeds only when the node has a leader with a quorum, so it
//! proves more than an open port or a PING. A follower that sends clients to the leader
//! (`routing.redirect: moved`) gets a read of its own state, which it answers only while it has
//! contact to such a leader.

use std::io;
use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep};

use super::client::connection::Connection;
use super::client::hints;
use super::client::tls::{Dialer, TlsFlags};
use super::output::{self, Failure, Outcome};
use crate::resp::Reply;

#[derive(Debug, Args)]
pub(super) struct Health {
    /// RESP address of the node.
    #[arg(long, default_value = "127.0.0.1:6379")]
    address: String,
    /// Password sent with AUTH.
    #[arg(long, env = "IRONKV_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Number of checks; 0 checks until it is interrupted.
    #[arg(long, short = 'n', default_value_t = 1)]
    count: u64,
    /// Milliseconds between two checks.
    #[arg(long, default_value_t = 1000)]
    delay_ms: u64,
    /// Milliseconds after which a check counts as failed.
    #[arg(long, default_value_t = 2000)]
    timeout_ms: u64,
    /// Also write a key (`ironkv:health`, gone after a minute) and read it back. Where the node
    /// sends clients to the leader the key is written there.
    #[arg(long)]
    write: bool,
    /// Print only the summary.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    tls: TlsFlags,
}

/// The results of all checks.
#[derive(Debug)]
struct Tally {
    done: u64,
    failed: u64,
    latency_us: Histogram<u64>,
}

impl Health {
    pub(super) fn run(self) -> Outcome {
        let dialer = self.tls.dialer()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut tally =
                Tally { done: 0, failed: 0, latency_us: Histogram::new_with_max(60_000_000, 3)? };
            tokio::select! {
                () = self.check_all(&dialer, &mut tally) => {}
                outcome = tokio::signal::ctrl_c() => outcome?,
            }
            output::line(tally.summary());
            if tally.failed == 0 && tally.done > 0 {
                return Ok(());
            }
            Err(Failure::new(format!("{} of {} checks failed", tally.failed, tally.done))
                .try_next("see every node with `ironkv cluster status`"))
        })
    }

    async fn check_all(&self, dialer: &Dialer, tally: &mut Tally) {
        let mut connection = None;
        while self.count == 0 || tally.done < self.count {
            if tally.done > 0 {
                sleep(Duration::from_millis(self.delay_ms)).await;
            }
            let start = Instant::now();
            let outcome = self.check(dialer, &mut connection).await;
            let elapsed = start.elapsed();
            tally.done += 1;
            let line = match outcome {
                Ok(()) => {
                    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
                    tally.latency_us.saturating_record(micros);
                    format!("{} ok {:.3} ms", self.address, elapsed.as_secs_f64() * 1000.0)
                }
                Err(error) => {
                    tally.failed += 1;
                    connection = None;
                    let reason = self.explain(dialer, error).await;
                    format!("{} failed: {reason}", self.address)
                }
            };
            if !self.quiet {
                output::line(line);
            }
        }
    }

    async fn open(
        &self,
        dialer: &Dialer,
        address: &str,
        limit: Duration,
    ) -> io::Result<Connection> {
        let mut opened = Connection::open(dialer, address, limit).await?;
        opened.authenticate(self.password.as_deref()).await?;
        Ok(opened)
    }

    async fn check(&self, dialer: &Dialer, kept: &mut Option<Connection>) -> io::Result<()> {
        let limit = Duration::from_millis(self.timeout_ms);
        let connection = match kept {
            Some(connection) => connection,
            None => kept.insert(self.open(dialer, &self.address, limit).await?),
        };
        if self.write {
            let reply = connection.call(&WRITE).await?;
            match moved_to(&reply) {
                None => accept(reply)?,
                Some(leader) => {
                    accept(self.open(dialer, leader, limit).await?.call(&WRITE).await?)?;
                }
            }
        }
        let reply = connection.call(&READ).await?;
        if moved_to(&reply).is_none() {
            return accept(reply);
        }
        accept(connection.call(&[b"READONLY"]).await?)?;
        accept(connection.call(&READ).await?)
    }

    /// A node without a leader lets requests wait for one, for longer than a check may take. Its
    /// status it returns at once.
    async fn explain(&self, dialer: &Dialer, error: io::Error) -> String {
        if error.kind() != io::ErrorKind::TimedOut {
            return match hints::advice(&error) {
                Some(advice) => format!("{error} ({advice})"),
                None => error.to_string(),
            };
        }
        let state = async {
            let mut connection = self.open(dialer, &self.address, STATE_TIMEOUT).await?;
            connection.call(&[b"CLUSTER", b"INFO"]).await
        };
        let waited = format!("no answer within {} ms", self.timeout_ms);
        match state.await {
            Ok(Reply::Bulk(info) | Reply::Verbatim(_, info)) if has_no_leader(&info) => {
                format!("{waited}: it hears no leader that has a majority, and waits for one")
            }
            Ok(_) => format!("{waited}: it hears its leader, but requests take longer"),
            Err(_) => format!("{waited}, not even about its state: it may be frozen"),
        }
    }
}

const WRITE: [&[u8]; 5] = [b"SET", b"ironkv:health", b"ok", b"EX", b"60"];
const READ: [&[u8]; 2] = [b"GET", b"ironkv:health"];
const STATE_TIMEOUT: Duration = Duration::from_millis(500);

/// The address of the leader, if the reply redirects to it.
fn moved_to(reply: &Reply) -> Option<&str> {
    let Reply::Error(error) = reply else { return None };
    error.0.strip_prefix("MOVED ")?.split(' ').nth(1)
}

fn has_no_leader(info: &[u8]) -> bool {
    memchr::memmem::find(info, b"cluster_state:fail").is_some()
}

fn accept(reply: Reply) -> io::Result<()> {
    match reply {
        Reply::Error(error) => Err(io::Error::other(error.0.into_owned())),
        _ => Ok(()),
    }
}

impl Tally {
    fn summary(&self) -> String {
        let ms = |quantile| self.latency_us.value_at_quantile(quantile) as f64 / 1000.0;
        let good = self.done - self.failed;
        let rate = 100.0 * good as f64 / self.done.max(1) as f64;
        format!(
            "{good} of {} checks succeeded ({rate:.1} %); \
             latency ms: p50 {:.3}  p99 {:.3}  max {:.3}",
            self.done,
            ms(0.5),
            ms(0.99),
            ms(1.0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::ReplyError;

    #[test]
    fn a_redirect_names_the_leader() {
        let moved = Reply::Error(ReplyError::new("MOVED 2736 127.0.0.1:6381"));
        assert_eq!(moved_to(&moved), Some("127.0.0.1:6381"));
        assert_eq!(moved_to(&Reply::Error(ReplyError::new("MASTERDOWN no"))), None);
        assert!(has_no_leader(b"cluster_enabled:1\r\ncluster_state:fail\r\n"));
    }
}
