//! Log lines on standard error: text or JSON.

use std::io;

use clap::ValueEnum;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text for people.
    Text,
    /// JSON for machines.
    Json,
}

/// Sets up logging; `level` is a filter such as `info` or `info,kube=debug`.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), String> {
    let filter: EnvFilter =
        level.parse().map_err(|error| format!("--log-level {level}: {error}"))?;
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Registry::default().with(filter).with(lines).try_init().map_err(|error| error.to_string())
}
