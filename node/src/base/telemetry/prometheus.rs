//! The counters in Prometheus' text form.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{CommandSnapshot, HistogramSnapshot, Snapshot, Stat, Telemetry};

/// Upper bounds of the latency buckets that are shown, microseconds.
const BOUNDS_US: [u64; 12] =
    [16, 64, 128, 256, 512, 1024, 2048, 4096, 16_384, 65_536, 262_144, 1_048_576];

/// Shows all counters of a node.
pub fn encode_telemetry(telemetry: &Telemetry, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let metrics = &telemetry.metrics;
    let total = metrics.total();
    encode_stats(encoder, &total)?;
    encode_commands(encoder, metrics.command_names(), &total.commands)?;
    encode_errors(encoder, &total)?;
    let memory = telemetry.process.memory();
    let gauges = [
        ("connections", "Open client connections", metrics.connections() as f64),
        ("slow_log_entries", "Entries in the slow log", telemetry.slow_log.len() as f64),
        ("resident_memory_bytes", "Bytes of physical memory in use", memory.resident as f64),
        ("uptime_seconds", "Seconds since the start", telemetry.process.uptime().as_secs_f64()),
    ];
    for (name, help, value) in gauges {
        let gauge = ConstGauge::new(value);
        let inner = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
        gauge.encode(inner)?;
    }
    let time = telemetry.process.time();
    let seconds = ConstCounter::new(time.user_s + time.system_s);
    let help = "Processor time of the process";
    let inner = encoder.encode_descriptor("cpu_seconds", help, None, seconds.metric_type())?;
    seconds.encode(inner)
}

fn encode_stats(encoder: &mut DescriptorEncoder<'_>, total: &Snapshot) -> fmt::Result {
    for (stat, name, help) in Stat::ALL {
        let counter = ConstCounter::new(total.stat(stat));
        let inner = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
        counter.encode(inner)?;
    }
    Ok(())
}

fn encode_commands(
    encoder: &mut DescriptorEncoder<'_>,
    names: &[String],
    commands: &[CommandSnapshot],
) -> fmt::Result {
    let used: Vec<(&String, &CommandSnapshot)> = names
        .iter()
        .zip(commands)
        .filter(|(_, command)| command.calls + command.rejected > 0)
        .collect();
    let help = "Commands by name and outcome";
    let mut family = encoder.encode_descriptor("commands", help, None, MetricType::Counter)?;
    for (name, command) in &used {
        let outcomes = [
            ("ok", command.calls.saturating_sub(command.failed)),
            ("failed", command.failed),
            ("rejected", command.rejected),
        ];
        for (outcome, count) in outcomes {
            let labels = [("command", name.as_str()), ("outcome", outcome)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    let help = "Duration of commands";
    let kind = MetricType::Histogram;
    let mut family = encoder.encode_descriptor("command_duration_seconds", help, None, kind)?;
    for (name, command) in used.iter().filter(|(_, command)| command.calls > 0) {
        let seconds = command.busy_ns as f64 / 1e9;
        let labels = [("command", name.as_str())];
        encode_histogram(family.encode_family(&labels)?, &command.latency, seconds)?;
    }
    Ok(())
}

fn encode_histogram(
    mut encoder: MetricEncoder<'_>,
    latency: &HistogramSnapshot,
    seconds: f64,
) -> fmt::Result {
    let mut below = 0;
    let mut buckets = Vec::with_capacity(BOUNDS_US.len() + 1);
    for bound in BOUNDS_US {
        let reached = latency.count_below_us(bound);
        buckets.push((bound as f64 / 1e6, reached - below));
        below = reached;
    }
    let count = latency.count();
    buckets.push((f64::INFINITY, count - below));
    encoder.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
}

fn encode_errors(encoder: &mut DescriptorEncoder<'_>, total: &Snapshot) -> fmt::Result {
    let help = "Error replies by code";
    let mut family = encoder.encode_descriptor("error_replies", help, None, MetricType::Counter)?;
    for (code, count) in &total.errors {
        let labels = [("code", code.as_str())];
        ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::base::config::TelemetryConfig;
    use prometheus_client::collector::Collector;
    use prometheus_client::registry::Registry;
    use std::sync::Arc;
    use std::time::Duration;

    #[derive(Debug)]
    struct TelemetryCollector(Arc<Telemetry>);

    impl Collector for TelemetryCollector {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            encode_telemetry(&self.0, &mut encoder)
        }
    }

    #[test]
    fn counters_are_shown_by_name_and_outcome() {
        let names = vec!["get".to_owned(), "set".to_owned()];
        let telemetry = Telemetry::new(&TelemetryConfig::default(), names, None);
        let thread = telemetry.metrics.thread();
        thread.called(0, Duration::from_micros(100), false);
        thread.called(0, Duration::from_secs(9), true);
        thread.error("ERR");
        thread.add(Stat::BytesIn, 7);
        let mut registry = Registry::with_prefix("ironkv");
        registry.register_collector(Box::new(TelemetryCollector(telemetry)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "ironkv_commands_total{command=\"get\",outcome=\"ok\"} 1",
            "ironkv_commands_total{command=\"get\",outcome=\"failed\"} 1",
            "ironkv_command_duration_seconds_bucket{le=\"0.000128\",command=\"get\"} 1",
            "ironkv_command_duration_seconds_bucket{le=\"+Inf\",command=\"get\"} 2",
            "ironkv_command_duration_seconds_count{command=\"get\"} 2",
            "ironkv_error_replies_total{code=\"ERR\"} 1",
            "ironkv_net_input_bytes_total 7",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
        assert!(!text.contains("command=\"set\""), "unused commands are left out");
    }
}
