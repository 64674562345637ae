//! Metrics for Prometheus.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The metrics of this process.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    reconciles: Histogram,
    running: Gauge,
    waiting: Gauge,
    errors: Family<Reason, Counter>,
    steps: Family<StepName, Counter>,
    last: Gauge<f64, AtomicU64>,
    clusters: Gauge,
    leader: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StepName {
    step: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ironkv_operator");
        let this = Self {
            registry: Arc::default(),
            reconciles: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
            running: Gauge::default(),
            waiting: Gauge::default(),
            errors: Family::default(),
            steps: Family::default(),
            last: Gauge::default(),
            clusters: Gauge::default(),
            leader: Gauge::default(),
        };
        registry.register_with_unit(
            "reconcile_duration",
            "Duration of reconciles",
            Unit::Seconds,
            this.reconciles.clone(),
        );
        registry.register("reconciles_running", "Running reconciles", this.running.clone());
        registry.register(
            "queue_depth",
            "Triggers of watches that wait for a reconcile",
            this.waiting.clone(),
        );
        registry.register("reconcile_errors", "Failed reconciles", this.errors.clone());
        registry.register("steps", "Executed steps", this.steps.clone());
        registry.register_with_unit(
            "last_reconcile_timestamp",
            "Unix time of the end of the last reconcile",
            Unit::Seconds,
            this.last.clone(),
        );
        registry.register(
            "clusters",
            "IronKVCluster resources that the operator manages",
            this.clusters.clone(),
        );
        registry.register(
            "leader",
            "1 while this process is active, 0 while it stands by",
            this.leader.clone(),
        );
        Self { registry: Arc::new(registry), ..this }
    }
}

impl Metrics {
    /// The metrics in the text format of OpenMetrics.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Records that a reconcile begins.
    pub(crate) fn begin(&self) {
        self.running.inc();
    }

    /// Records that a reconcile has ended.
    pub(crate) fn end(&self, duration: Duration, unix_s: f64) {
        self.running.dec();
        self.reconciles.observe(duration.as_secs_f64());
        self.last.set(unix_s);
    }

    /// Records that a reconcile has failed.
    pub(crate) fn error(&self, reason: &str) {
        self.errors.get_or_create(&Reason { reason: reason.to_owned() }).inc();
    }

    /// Records that a step was executed.
    pub(crate) fn step(&self, step: &'static str) {
        self.steps.get_or_create(&StepName { step }).inc();
    }

    /// Records the number of triggers that wait.
    pub(crate) fn set_waiting(&self, count: usize) {
        self.waiting.set(count as i64);
    }

    /// Records the number of clusters that the operator manages.
    pub(crate) fn set_clusters(&self, count: usize) {
        self.clusters.set(count as i64);
    }

    /// Records whether this process holds the lease.
    pub(crate) fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_reason() {
        let metrics = Metrics::default();
        metrics.error("ApplyFailed");
        metrics.error("ApplyFailed");
        let text = metrics.text().unwrap();
        let line = "ironkv_operator_reconcile_errors_total{reason=\"ApplyFailed\"} 2";
        assert!(text.contains(line), "{text}");
    }
}
