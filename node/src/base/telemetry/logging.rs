//! Log lines: text or JSON on standard error, with a level that can change while the node runs.

use std::io;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::base::config::{LogFormat, LogLevel};

/// Overrides the level with a filter such as `info,ironkv::consensus=debug`.
const FILTER_VARIABLE: &str = "IRONKV_LOG";

/// Changes the level of the running process.
#[derive(Debug, Clone)]
pub struct LevelHandle {
    /// `None` when the environment set a filter, which then cannot change.
    filter: Option<Handle<EnvFilter, Registry>>,
}

impl LevelHandle {
    /// Logs lines of this level and more important ones from now on.
    pub fn set(&self, level: LogLevel) {
        if let Some(handle) = &self.filter
            && let Err(error) = handle.reload(filter_of(level))
        {
            tracing::warn!(%error, "could not change the log level");
        }
    }
}

/// Sets up logging for the whole process; `None` when it is set up already.
pub fn start(format: LogFormat, level: LogLevel) -> Option<LevelHandle> {
    let given = std::env::var(FILTER_VARIABLE).ok().and_then(|text| text.parse().ok());
    let is_given = given.is_some();
    let (filter, handle) = reload::Layer::new(given.unwrap_or_else(|| filter_of(level)));
    let subscriber = Registry::default().with(filter).with(lines(format));
    tracing::subscriber::set_global_default(subscriber).ok()?;
    Some(LevelHandle { filter: (!is_given).then_some(handle) })
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => layer.with_ansi(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// Libraries log one level less than our code.
fn filter_of(level: LogLevel) -> EnvFilter {
    let (ours, theirs) = match level {
        LogLevel::Error => (LevelFilter::ERROR, "error"),
        LogLevel::Warn => (LevelFilter::WARN, "error"),
        LogLevel::Info => (LevelFilter::INFO, "warn"),
        LogLevel::Debug => (LevelFilter::DEBUG, "info"),
        LogLevel::Trace => (LevelFilter::TRACE, "debug"),
    };
    let filter = EnvFilter::builder().with_default_directive(ours.into()).parse_lossy("");
    let quiet = ["openraft", "h2", "hyper", "tonic", "tower"].into_iter();
    quiet
        .filter_map(|library| format!("{library}={theirs}").parse().ok())
        .fold(filter, EnvFilter::add_directive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_log_less_than_our_code() {
        let shown = filter_of(LogLevel::Info).to_string();
        assert!(shown.contains("openraft=warn") && shown.ends_with("info"), "{shown}");
    }
}
