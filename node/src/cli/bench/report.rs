//! The results of one test and how they are printed.

use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use super::Test;
use super::client::Samples;
use super::workload::Workload;
use crate::cli::client::hints::advice;
use crate::cli::output::{Failure, Outcome};

/// The merged results of all clients.
#[derive(Debug)]
pub(super) struct Report {
    test: Test,
    clients: u64,
    pipeline: u64,
    value_bytes: usize,
    elapsed: Duration,
    latency_us: Option<Histogram<u64>>,
    errors: u64,
    lost: u64,
    first_error: Option<String>,
    advice: Option<&'static str>,
}

impl Report {
    pub(super) const fn new(test: Test, workload: &Workload) -> Self {
        Self {
            test,
            clients: workload.clients,
            pipeline: workload.pipeline,
            value_bytes: workload.value_bytes(),
            elapsed: Duration::ZERO,
            latency_us: None,
            errors: 0,
            lost: 0,
            first_error: None,
            advice: None,
        }
    }

    pub(super) fn add(&mut self, samples: &Samples) {
        self.errors += samples.errors;
        self.first_error = self.first_error.take().or_else(|| samples.first_error.clone());
        match &mut self.latency_us {
            Some(all) => all.add(&samples.latency_us).expect("all histograms have one range"),
            None => self.latency_us = Some(samples.latency_us.clone()),
        }
    }

    /// A client whose connection ended early.
    pub(super) fn lost(&mut self, error: &std::io::Error) {
        self.lost += 1;
        self.advice = self.advice.or_else(|| advice(error));
        self.first_error.get_or_insert_with(|| error.to_string());
    }

    pub(super) const fn finish(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
    }

    fn replies(&self) -> u64 {
        self.latency_us.as_ref().map_or(0, Histogram::len)
    }

    /// Replies that are not errors.
    fn succeeded(&self) -> u64 {
        self.replies().saturating_sub(self.errors)
    }

    /// A test with refused commands fails: its results are not those of the requested load.
    pub(super) fn outcome(&self) -> Outcome {
        if self.errors + self.lost == 0 {
            return Ok(());
        }
        let failure = Failure::new(format!(
            "{} of {} replies were errors and {} of {} connections were lost; first: {}",
            self.errors,
            self.replies(),
            self.lost,
            self.clients,
            self.first_error.as_deref().unwrap_or("unknown"),
        ));
        Err(match self.advice {
            Some(advice) => failure.try_next(advice),
            None => failure,
        })
    }

    fn per_second(&self) -> f64 {
        self.succeeded() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn percentile_us(&self, quantile: f64) -> u64 {
        self.latency_us.as_ref().map_or(0, |all| all.value_at_quantile(quantile))
    }

    const fn name(&self) -> &'static str {
        match self.test {
            Test::Set => "SET",
            Test::Get => "GET",
            Test::Mixed => "mixed",
        }
    }

    pub(super) fn text(&self) -> String {
        let ms = |quantile| self.percentile_us(quantile) as f64 / 1000.0;
        format!(
            "{}: {:.0} commands/s ({} replies in {:.2} s; {} clients, pipeline {}, {} B values)\n  \
             latency ms: p50 {:.3}  p90 {:.3}  p99 {:.3}  p99.9 {:.3}  max {:.3}",
            self.name(),
            self.per_second(),
            self.replies(),
            self.elapsed.as_secs_f64(),
            self.clients,
            self.pipeline,
            self.value_bytes,
            ms(0.5),
            ms(0.9),
            ms(0.99),
            ms(0.999),
            ms(1.0),
        )
    }

    pub(super) fn json(&self) -> String {
        serde_json::json!({
            "test": self.name(),
            "clients": self.clients,
            "pipeline": self.pipeline,
            "value_bytes": self.value_bytes,
            "replies": self.replies(),
            "succeeded": self.succeeded(),
            "seconds": self.elapsed.as_secs_f64(),
            "per_second": self.per_second(),
            "p50_us": self.percentile_us(0.5),
            "p90_us": self.percentile_us(0.9),
            "p99_us": self.percentile_us(0.99),
            "p999_us": self.percentile_us(0.999),
            "max_us": self.percentile_us(1.0),
            "errors": self.errors,
            "connections_lost": self.lost,
        })
        .to_string()
    }
}

/// A progress bar on standard error, shown only on a terminal.
pub(super) fn progress(workload: &Rc<Workload>) -> JoinHandle<()> {
    let workload = workload.clone();
    tokio::task::spawn_local(async move {
        let timed = workload.duration.map(|duration| duration.as_millis() as u64);
        let bar = ProgressBar::new(timed.unwrap_or(workload.requests));
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
            bar.set_style(style);
        }
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let elapsed = workload.elapsed();
            let at = if timed.is_some() { elapsed.as_millis() as u64 } else { workload.done() };
            bar.set_position(at);
            let rate = workload.done() as f64 / elapsed.as_secs_f64().max(1e-9);
            bar.set_message(format!("{rate:.0} commands/s"));
        }
    })
}
