//! What a node reports about itself: logs, counters, slow commands, latency spikes.

pub mod histogram;
pub mod latency;
pub mod logging;
pub mod metrics;
pub mod process;
pub mod prometheus;
pub mod slowlog;
pub mod snapshot;
pub mod stat;

use std::sync::Arc;

pub use histogram::{Histogram, HistogramSnapshot};
pub use latency::LatencyMonitor;
pub use logging::LevelHandle;
pub use metrics::{Metrics, ThreadMetrics};
pub use process::Process;
pub use slowlog::{SlowEntry, SlowLog};
pub use snapshot::{CommandSnapshot, Snapshot};
pub use stat::Stat;

use super::config::TelemetryConfig;

/// Everything one node measures.
#[derive(Debug)]
pub struct Telemetry {
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Commands that took long.
    pub slow_log: SlowLog,
    /// Pauses.
    pub latency: LatencyMonitor,
    /// The process.
    pub process: Process,
    level: Option<LevelHandle>,
}

impl Telemetry {
    /// Starts to measure; `command_names` as for [`Metrics::new`]. `level` changes the log level;
    /// it is `None` where other code has set up logging.
    pub fn new(
        config: &TelemetryConfig,
        command_names: Vec<String>,
        level: Option<LevelHandle>,
    ) -> Arc<Self> {
        let telemetry = Self {
            metrics: Metrics::new(command_names),
            slow_log: SlowLog::default(),
            latency: LatencyMonitor::default(),
            process: Process::start(),
            level,
        };
        telemetry.apply(config);
        Arc::new(telemetry)
    }

    /// Applies changed parameters.
    pub fn apply(&self, config: &TelemetryConfig) {
        self.slow_log.configure(config.slow_command_us, config.slow_commands_max);
        self.latency.set_threshold_ms(config.latency_threshold_ms);
        if let Some(level) = &self.level {
            level.set(config.level);
        }
    }
}
