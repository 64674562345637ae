//! `ironkv bench`: loads any RESP server and prints throughput and latency percentiles.
//!
//! Latency is counted from the time at which a request was due, not from the time at which it could
//! be sent: with `--rate`, a stall counts for every request that it delayed (coordinated omission,
//! Tene 2013).

mod client;
mod report;
mod workload;

use std::rc::Rc;
use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};
use tokio::task::LocalSet;

use crate::base::config::join;
use crate::cli::client::hints::no_reply;
use crate::cli::client::tls::TlsFlags;
use crate::cli::output::{self, Failure, Outcome};
use client::Client;
use report::Report;
use workload::Workload;

/// The default number of keys.
const KEYS: u64 = 1_000_000;

/// Which commands are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Test {
    /// SET of a random key.
    Set,
    /// GET of a random key.
    Get,
    /// GET and SET in the proportion of `--read-percent`.
    Mixed,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Bench {
    /// Server to load.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// RESP port of the server.
    #[arg(long, short, default_value_t = 6379)]
    port: u16,
    /// Password sent with AUTH.
    #[arg(long, env = "IRONKV_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// What to send; several tests run one after the other.
    #[arg(long, short, value_enum, value_delimiter = ',', default_value = "set,get")]
    test: Vec<Test>,
    /// Number of simultaneous connections.
    #[arg(long, short, default_value_t = 50, value_parser = value_parser!(u32).range(1..))]
    clients: u32,
    /// Commands that are sent before waiting for the replies.
    #[arg(long, short = 'P', default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    pipeline: u32,
    /// Bytes of each value.
    #[arg(long, short = 'd', default_value_t = 100)]
    value_bytes: usize,
    /// Number of different keys.
    #[arg(long, short = 'r', default_value_t = KEYS, value_parser = value_parser!(u64).range(1..))]
    keys: u64,
    /// Percentage of GET in the mixed test.
    #[arg(long, default_value_t = 90, value_parser = value_parser!(u8).range(0..=100))]
    read_percent: u8,
    /// Number of commands in each test.
    #[arg(long, short = 'n', default_value_t = 100_000, conflicts_with = "seconds")]
    requests: u64,
    /// Duration of each test, instead of a number of commands.
    #[arg(long, short = 's')]
    seconds: Option<f64>,
    /// Commands per second of all clients together; as fast as possible when absent.
    #[arg(long)]
    rate: Option<u64>,
    /// Seed for the keys; the same seed sends the same keys.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object for each test.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tls: TlsFlags,
}

impl Bench {
    pub(super) fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            for &test in &self.test {
                let report = self.measure(test).await?;
                output::line(if self.json { report.json() } else { report.text() });
                report.outcome()?;
            }
            Ok(())
        })
    }

    async fn measure(&self, test: Test) -> Result<Report, Failure> {
        let workload = Rc::new(Workload::new(self, test));
        let mut tasks = Vec::new();
        let (dialer, address) = (self.tls.dialer()?, join(&self.host, self.port));
        for number in 0..self.clients {
            let client = Client::connect(&dialer, &address, self.password.as_deref())
                .await
                .map_err(|error| no_reply(&address, &error))?;
            tasks.push((number, client));
        }
        workload.start();
        let progress = report::progress(&workload);
        let tasks: Vec<_> = tasks
            .into_iter()
            .map(|(number, client)| {
                tokio::task::spawn_local(client.drive(workload.clone(), number))
            })
            .collect();
        let mut report = Report::new(test, &workload);
        for task in tasks {
            match task.await {
                Ok(Ok(samples)) => report.add(&samples),
                Ok(Err(error)) => report.lost(&error),
                Err(error) => return Err(Failure::new(error)),
            }
        }
        report.finish(workload.elapsed());
        progress.abort();
        Ok(report)
    }

    /// Maximum duration of a test that is limited by time.
    fn duration(&self) -> Option<Duration> {
        self.seconds.map(|seconds| Duration::from_secs_f64(seconds.clamp(0.001, 1e6)))
    }
}
