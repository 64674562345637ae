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
use super::client::password::PasswordFlags;
use super::client::tls::{Dialer, TlsFlags};
use super::client::{hints, redirect};
use super::output::{self, Failure, Outcome};
use crate::resp::Reply;

#[derive(Debug, Args)]
pub(super) struct Health {
    /// RESP address of the node.
    #[arg(long, default_value = "127.0.0.1:6379")]
    address: String,
    #[command(flatten)]
    password: PasswordFlags,
    /// Number of checks; 0 checks until it is interrupted.
    #[arg(long, short = 'n', default_value_t = 1)]
    count: u64,
    /// Milliseconds between two checks.
    #[arg(long, default_value_t = 1000)]
    delay_ms: u64,
    /// Milliseconds after which a check counts as failed.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
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

/// What each check needs.
#[derive(Debug)]
struct Check {
    flags: Health,
    dialer: Dialer,
    password: Option<String>,
}

/// The results of all checks.
#[derive(Debug)]
struct Tally {
    done: u64,
    failed: u64,
    latency_us: Histogram<u64>,
    /// What to try after the last failure.
    advice: Option<&'static str>,
}

impl Health {
    pub(super) fn run(self) -> Outcome {
        let dialer = self.tls.dialer()?;
        let check = Check { password: self.password.read()?, dialer, flags: self };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let latency_us = Histogram::new_with_max(60_000_000, 3)?;
            let mut tally = Tally { done: 0, failed: 0, latency_us, advice: None };
            tokio::select! {
                () = check.all(&mut tally) => {}
                outcome = tokio::signal::ctrl_c() => outcome?,
            }
            output::line(tally.summary());
            if tally.failed == 0 && tally.done > 0 {
                return Ok(());
            }
            let failed = format!("{} of {} checks failed", tally.failed, tally.done);
            Err(match tally.advice {
                Some(advice) => Failure::new(failed).try_next(advice),
                None => Failure::new(failed),
            })
        })
    }
}

impl Check {
    async fn all(&self, tally: &mut Tally) {
        let mut connection = None;
        while self.flags.count == 0 || tally.done < self.flags.count {
            if tally.done > 0 {
                sleep(Duration::from_millis(self.flags.delay_ms)).await;
            }
            let start = Instant::now();
            let outcome = self.check(&mut connection).await;
            let elapsed = start.elapsed();
            tally.done += 1;
            let line = match outcome {
                Ok(()) => {
                    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
                    tally.latency_us.saturating_record(micros);
                    format!("{} ok {:.3} ms", self.flags.address, elapsed.as_secs_f64() * 1000.0)
                }
                Err(error) => {
                    tally.failed += 1;
                    connection = None;
                    tally.advice = hints::advice(&error);
                    let reason = self.explain(error).await;
                    format!("{} failed: {reason}", self.flags.address)
                }
            };
            if !self.flags.quiet {
                output::line(line);
            }
        }
    }

    async fn open(&self, address: &str, limit: Duration) -> io::Result<Connection> {
        let mut opened = Connection::open(&self.dialer, address, limit).await?;
        opened.authenticate(self.password.as_deref()).await?;
        Ok(opened)
    }

    async fn check(&self, kept: &mut Option<Connection>) -> io::Result<()> {
        let limit = Duration::from_millis(self.flags.timeout_ms);
        let connection = match kept {
            Some(connection) => connection,
            None => kept.insert(self.open(&self.flags.address, limit).await?),
        };
        if self.flags.write {
            let reply = connection.call(&WRITE).await?;
            match moved_to(&reply) {
                None => accept(reply)?,
                Some(leader) => {
                    accept(self.open(leader, limit).await?.call(&WRITE).await?)?;
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
    async fn explain(&self, error: io::Error) -> String {
        if error.kind() != io::ErrorKind::TimedOut {
            return error.to_string();
        }
        let state = async {
            let mut connection = self.open(&self.flags.address, STATE_TIMEOUT).await?;
            connection.call(&[b"CLUSTER", b"INFO"]).await
        };
        let waited = format!("no answer within {} ms", self.flags.timeout_ms);
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
    redirect::moved_to(error)
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
        let count = format!("{good} of {} checks succeeded ({rate:.1} %)", self.done);
        if good == 0 {
            return count;
        }
        format!("{count}; latency ms: p50 {:.3}  p99 {:.3}  max {:.3}", ms(0.5), ms(0.99), ms(1.0),)
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
