//! Log lines: text or JSON on standard error, with a level that can change while the node runs. A
//! thread of its own writes them: when standard error is a pipe that is not read, that thread
//! waits, and lines are dropped and counted; no other thread ever waits.

use std::backtrace::Backtrace;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::base::config::{LogFormat, LogLevel};
use crate::base::limits::LOG_LINES_WAITING_MAX;

/// Overrides the level with a filter such as `info,ironkv::consensus=debug`.
const FILTER_VARIABLE: &str = "IRONKV_LOG";

/// How long the end of the process waits for a standard error that takes nothing.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// The thread that writes, until the end.
static WRITER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Changes the level of the running process.
#[derive(Debug, Clone)]
pub struct LevelHandle {
    /// `None` when the environment set a filter, which then cannot change.
    filter: Option<Handle<EnvFilter, Registry>>,
    dropped: ErrorCounter,
}

impl LevelHandle {
    /// Lines that were dropped because standard error took nothing.
    pub fn lines_dropped(&self) -> u64 {
        self.dropped.dropped_lines() as u64
    }

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
    let (writer, thread) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LOG_LINES_WAITING_MAX)
        .thread_name("log")
        .finish(io::stderr());
    let dropped = writer.error_counter();
    let subscriber = Registry::default().with(filter).with(lines(format, writer));
    tracing::subscriber::set_global_default(subscriber).ok()?;
    *WRITER.lock() = Some(thread);
    if cfg!(panic = "abort") {
        // The default hook would write before the lines that wait, and could wait forever.
        std::panic::set_hook(Box::new(|panic| {
            let backtrace = Backtrace::capture();
            tracing::error!(%panic, %backtrace, "this is a bug; the process ends");
            finish();
        }));
    }
    Some(LevelHandle { filter: (!is_given).then_some(handle), dropped })
}

/// To be called at every end of the process: writes the lines that still wait. Later lines are
/// lost.
pub fn finish() {
    if let Some(thread) = WRITER.lock().take() {
        write_at_end(move || drop(thread));
    }
}

/// Writes to standard error or output at the end of the process, which a pipe that is not read must
/// not prevent.
pub fn write_at_end(write: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        write();
        // The process waits no longer after the timeout.
        let _ = done.send(());
    });
    let _ = wait.recv_timeout(END_TIMEOUT);
}

fn lines<S>(format: LogFormat, writer: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => layer.with_ansi(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// Targets whose lines an operator needs only at the levels `debug` and `trace`, and what is shown
/// of them otherwise. The Raft library warns of every heartbeat that a dead member misses, and
/// reports every request after the end of its core, which is usual at a stop, as an error.
const NOISY: [[&str; 2]; 2] = [["openraft", "error"], ["openraft::raft::raft_inner", "off"]];

/// Libraries log one level less than our code.
fn filter_of(level: LogLevel) -> EnvFilter {
    let (ours, theirs, is_detailed) = match level {
        LogLevel::Error => (LevelFilter::ERROR, "error", false),
        LogLevel::Warn => (LevelFilter::WARN, "error", false),
        LogLevel::Info => (LevelFilter::INFO, "warn", false),
        LogLevel::Debug => (LevelFilter::DEBUG, "info", true),
        LogLevel::Trace => (LevelFilter::TRACE, "debug", true),
    };
    let filter = EnvFilter::builder().with_default_directive(ours.into()).parse_lossy("");
    let libraries = ["h2", "hyper", "tonic", "tower"].map(|library| [library, theirs]);
    let noisy = NOISY.map(|[target, less]| [target, if is_detailed { theirs } else { less }]);
    let quiet = libraries.into_iter().chain(noisy);
    quiet
        .filter_map(|[target, level]| format!("{target}={level}").parse().ok())
        .fold(filter, EnvFilter::add_directive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_log_less_than_our_code() {
        let shown = filter_of(LogLevel::Info).to_string();
        assert!(shown.contains("openraft=error") && shown.ends_with("info"), "{shown}");
        assert!(shown.contains("openraft::raft::raft_inner=off"), "{shown}");
        let shown = filter_of(LogLevel::Debug).to_string();
        assert!(shown.contains("openraft::raft::raft_inner=info"), "{shown}");
    }
}
