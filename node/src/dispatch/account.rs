//! Statistics, slow log and latency monitor: what is recorded about every command.

use bytes::Bytes;
use tokio::time::{Duration, Instant};

use super::call::Call;
use super::dispatcher::Dispatcher;
use crate::base::telemetry::Stat;
use crate::commands::declare::{Flags, Resolved};
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::Client;

/// Placeholder for redacted arguments in the slow log.
const REDACTED: Bytes = Bytes::from_static(b"(redacted)");

const SECRET_PARAMETERS: [&[u8]; 4] =
    [b"requirepass", b"masterauth", b"tls-key-file-pass", b"tls-client-key-file-pass"];

/// How long a command took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// The time that its client sees: it includes the wait of a write for the log.
    pub(super) elapsed: Duration,
    /// The part of `elapsed` during which it ran, on the node that executed it first.
    pub(super) ran: Duration,
}

impl Timing {
    /// The times of a command that did not wait.
    pub(super) const fn without_wait(elapsed: Duration) -> Self {
        Self { elapsed, ran: elapsed }
    }
}

impl<S> Dispatcher<S> {
    /// Records a command that ran. As in Redis, the slow log and the latency monitor show for how
    /// long it prevented others from running, and not for how long it waited.
    pub(super) fn record(
        &self,
        client: &Client,
        call: Call<'_>,
        Timing { elapsed, ran }: Timing,
        reply: &Reply,
    ) {
        let error = error_of(reply);
        self.metrics.called(usize::from(call.found.id.0), elapsed, error.is_some());
        if let Some(error) = error {
            self.metrics.error(error.code());
            if *error == ReplyError::WRONG_PASSWORD {
                self.metrics.add(Stat::AuthFailures, 1);
            }
        }
        let telemetry = &self.node.telemetry;
        if telemetry.slow_log.wants(ran) && !call.has(Flags::SKIP_SLOW_LOG) {
            self.record_slow(client, call, ran);
        }
        if telemetry.latency.wants(ran) {
            let event = if call.has(Flags::FAST) { "fast-command" } else { "command" };
            telemetry.latency.record(event, ran, self.node.clock.unix_ms());
        }
    }

    /// Records a command that ran from `start` until now.
    pub(super) fn record_since(
        &self,
        client: &Client,
        call: Call<'_>,
        start: Instant,
        reply: &Reply,
    ) {
        self.record(client, call, Timing::without_wait(start.elapsed()), reply);
    }

    /// Records a command that was refused before it ran.
    pub(super) fn record_refused(&self, found: Option<Resolved>, error: &ReplyError) {
        if let Some(found) = found {
            self.metrics.rejected(usize::from(found.id.0));
        }
        self.metrics.error(error.code());
    }

    fn record_slow(&self, client: &Client, call: Call<'_>, elapsed: Duration) {
        let (unix_ms, name) = (self.node.clock.unix_ms(), client.details().name);
        let slow_log = &self.node.telemetry.slow_log;
        slow_log.record(elapsed, unix_ms, &redacted(call), client.address(), &name);
    }
}

/// The arguments of a command without passwords.
fn redacted(call: Call<'_>) -> Vec<Bytes> {
    // A command that is allowed before AUTH may carry a password.
    if call.has(Flags::NO_AUTH) && call.argv.len() > 1 {
        return vec![call.argv[0].clone(), REDACTED];
    }
    let mut argv = call.argv.to_vec();
    if call.has(Flags::SETS_PARAMETERS) {
        for pair in argv.chunks_exact_mut(2).skip(1) {
            let name = pair[0].to_ascii_lowercase();
            if SECRET_PARAMETERS.contains(&&name[..]) {
                pair[1] = REDACTED;
            }
        }
    }
    argv
}

const fn error_of(reply: &Reply) -> Option<&ReplyError> {
    match reply {
        Reply::Error(error) => Some(error),
        _ => None,
    }
}
