//! What is counted for every command.

use bytes::Bytes;
use tokio::time::{Duration, Instant};

use super::Dispatcher;
use crate::base::telemetry::Stat;
use crate::commands::command::Flags;
use crate::commands::table::Resolved;
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::Client;

/// What stands in the slow log for words that are nobody's business.
const REDACTED: Bytes = Bytes::from_static(b"(redacted)");

const SECRET_PARAMETERS: [&[u8]; 4] =
    [b"requirepass", b"masterauth", b"tls-key-file-pass", b"tls-client-key-file-pass"];

impl<S> Dispatcher<S> {
    /// A command ran for `elapsed`.
    pub(super) fn count(
        &self,
        client: &Client,
        (found, words): (Resolved, &[Bytes]),
        elapsed: Duration,
        reply: &Reply,
    ) {
        let error = error_of(reply);
        self.metrics.called(usize::from(found.id.0), elapsed, error.is_some());
        if let Some(error) = error {
            self.metrics.error(error.code());
            if *error == ReplyError::WRONG_PASSWORD {
                self.metrics.add(Stat::AuthFailures, 1);
            }
        }
        let telemetry = self.node.telemetry();
        if telemetry.slow_log.wants(elapsed) {
            self.record_slow(client, (found, words), elapsed);
        }
        if telemetry.latency.wants(elapsed) {
            let fast = found.command.flags.has(Flags::FAST);
            let event = if fast { "fast-command" } else { "command" };
            telemetry.latency.record(event, elapsed, self.node.clock().unix_ms());
        }
    }

    /// A command ran since `start`.
    pub(super) fn count_since(
        &self,
        client: &Client,
        call: (Resolved, &[Bytes]),
        start: Instant,
        reply: &Reply,
    ) {
        self.count(client, call, start.elapsed(), reply);
    }

    /// A command was refused before it ran.
    pub(super) fn count_refused(&self, found: Option<Resolved>, error: &ReplyError) {
        if let Some(found) = found {
            self.metrics.rejected(usize::from(found.id.0));
        }
        self.metrics.error(error.code());
    }

    fn record_slow(
        &self,
        client: &Client,
        (found, words): (Resolved, &[Bytes]),
        elapsed: Duration,
    ) {
        // The commands of a transaction are entered one by one.
        if found.command.name == "EXEC" {
            return;
        }
        // Whoever may talk before AUTH may be sending a password.
        let secret = found.command.flags.has(Flags::NO_AUTH) && words.len() > 1;
        let redacted = || [words[0].clone(), REDACTED];
        let log = &self.node.telemetry().slow_log;
        let (unix_ms, name) = (self.node.clock().unix_ms(), client.details().name);
        let words = &without_passwords(found, words)[..];
        if secret {
            log.record(elapsed, unix_ms, &redacted(), client.address(), &name);
        } else {
            log.record(elapsed, unix_ms, words, client.address(), &name);
        }
    }
}

/// Values that `CONFIG SET` must not show to readers of the slow log.
fn without_passwords(found: Resolved, words: &[Bytes]) -> Vec<Bytes> {
    let mut words = words.to_vec();
    let sets = found.command.name == "SET" && found.container.is_some();
    if sets {
        for pair in words.chunks_exact_mut(2).skip(1) {
            let name = pair[0].to_ascii_lowercase();
            if SECRET_PARAMETERS.contains(&&name[..]) {
                pair[1] = REDACTED;
            }
        }
    }
    words
}

const fn error_of(reply: &Reply) -> Option<&ReplyError> {
    match reply {
        Reply::Error(error) => Some(error),
        _ => None,
    }
}
