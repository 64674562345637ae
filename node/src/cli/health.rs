//! `ironkv health`: asks a node for a linearizable answer, once or again and again.
//!
//! A check is a read of a key that does not exist. It succeeds only when the node has a leader with
//! a quorum behind it, so it tells more than an open port or a PING.

use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::output::{self, Failure, Outcome};
use super::tls::{Dialer, TlsFlags};
use crate::resp::Reply;

#[derive(Debug, Args)]
pub(super) struct Health {
    /// RESP address of the node.
    #[arg(long, default_value = "127.0.0.1:6379")]
    address: String,
    /// Password sent with AUTH.
    #[arg(long, env = "IRONKV_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Checks to make; 0 goes on until interrupted.
    #[arg(long, short = 'n', default_value_t = 1)]
    count: u64,
    /// Milliseconds between two checks.
    #[arg(long, default_value_t = 1000)]
    delay_ms: u64,
    /// Milliseconds after which a check has failed.
    #[arg(long, default_value_t = 2000)]
    timeout_ms: u64,
    /// Also write a key (`ironkv:health`) and read it back.
    #[arg(long)]
    write: bool,
    /// Print only the summary.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    tls: TlsFlags,
}

/// What all checks gave.
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
            let line = match &outcome {
                Ok(()) => {
                    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
                    tally.latency_us.saturating_record(micros);
                    format!("{} ok {:.3} ms", self.address, elapsed.as_secs_f64() * 1000.0)
                }
                Err(error) => {
                    tally.failed += 1;
                    connection = None;
                    format!("{} failed: {error}", self.address)
                }
            };
            if !self.quiet {
                output::line(line);
            }
        }
    }

    async fn check(&self, dialer: &Dialer, kept: &mut Option<Connection>) -> std::io::Result<()> {
        let connection = match kept {
            Some(connection) => connection,
            None => {
                let limit = Duration::from_millis(self.timeout_ms);
                let mut opened = Connection::open(dialer, &self.address, limit).await?;
                opened.authenticate(self.password.as_deref()).await?;
                kept.insert(opened)
            }
        };
        if self.write {
            accept(connection.call(&[b"SET", b"ironkv:health", b"ok"]).await?)?;
        }
        accept(connection.call(&[b"GET", b"ironkv:health"]).await?)
    }
}

fn accept(reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Error(error) => Err(std::io::Error::other(error.0.into_owned())),
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
