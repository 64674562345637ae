//! Sending replies, within the limits of `client-output-buffer-limit`.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, Instant};

use crate::base::config::OutputBufferLimit;
use crate::base::telemetry::{Stat, ThreadMetrics};
use crate::commands::run::NodeServices;
use crate::services::sessions::{Client, Load};

/// How often the limits of a client that does not read its replies are checked.
pub(super) const OUTPUT_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Why a connection ends.
pub(super) enum End {
    Closed,
    Idle,
    TooMuchInput,
    TooMuchOutput,
    /// The input was not RESP, and the client got an error.
    Broken,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// The limits of every client.
pub(super) fn output_limit(node: &NodeServices) -> OutputBufferLimit {
    node.config.load().limits.output_buffer.normal
}

/// Whether this many bytes may wait for the client; `over_soft` is the time at which they were
/// first seen above the soft limit.
pub(super) fn check_output(
    limit: OutputBufferLimit,
    bytes: usize,
    over_soft: Option<Instant>,
) -> Result<(), End> {
    let over_hard = limit.hard_bytes > 0 && bytes as u64 > limit.hard_bytes;
    let soft_time = Duration::from_secs(limit.soft_seconds);
    let over_long = over_soft.is_some_and(|since| since.elapsed() >= soft_time);
    if over_hard || over_long { Err(End::TooMuchOutput) } else { Ok(()) }
}

/// Sends replies and clears the buffer; ends when the client is killed.
pub(super) async fn write<T: AsyncWrite + Unpin>(
    stream: &mut T,
    out: &mut BytesMut,
    to: (&NodeServices, &ThreadMetrics, &Client),
) -> Result<(), End> {
    let mut over_soft = None;
    while !out.is_empty() {
        write_or_stall(stream, out, to, (OUTPUT_CHECK_INTERVAL, &mut over_soft)).await?;
    }
    Ok(())
}

/// Sends replies and removes what was sent from the buffer. Returns early when the client has taken
/// nothing for as long as `timeout`, and its limits allow that more replies wait for it.
/// `over_soft` is the time since which more than the soft limit waits.
pub(super) async fn write_or_stall<T: AsyncWrite + Unpin>(
    stream: &mut T,
    out: &mut BytesMut,
    (node, metrics, client): (&NodeServices, &ThreadMetrics, &Client),
    (timeout, over_soft): (Duration, &mut Option<Instant>),
) -> Result<(), End> {
    metrics.add(Stat::WritesProcessed, 1);
    publish(node, client, Load { output_bytes: out.len(), ..client.load() });
    while !out.is_empty() {
        if client.is_killed() {
            return Err(End::Closed);
        }
        let mut stalled = false;
        tokio::select! {
            biased;
            count = stream.write(&out[..]) => match count? {
                0 => return Err(End::Closed),
                count => {
                    metrics.add(Stat::BytesOut, count as u64);
                    out.advance(count);
                }
            },
            () = client.killed() => return Err(End::Closed),
            () = tokio::time::sleep(timeout) => stalled = true,
        }
        let (limit, waiting) = (output_limit(node), out.len() as u64);
        if limit.soft_bytes == 0 || waiting <= limit.soft_bytes {
            *over_soft = None;
        } else {
            over_soft.get_or_insert_with(Instant::now);
        }
        check_output(limit, out.len(), *over_soft)?;
        let may_grow = limit.hard_bytes.max(limit.soft_bytes) > waiting;
        if stalled && may_grow {
            return Ok(());
        }
        if stalled && timeout < OUTPUT_CHECK_INTERVAL {
            tokio::time::sleep(OUTPUT_CHECK_INTERVAL).await;
        }
    }
    // TLS may still buffer a part of it.
    tokio::select! {
        biased;
        flushed = stream.flush() => flushed?,
        () = client.killed() => return Err(End::Closed),
    }
    Ok(())
}

/// Publishes the memory of a client; closes the largest clients when all together use too much.
pub(super) fn publish(node: &NodeServices, client: &Client, load: Load) {
    if node.clients.publish(client, load) {
        node.bound_clients_memory();
    }
}
