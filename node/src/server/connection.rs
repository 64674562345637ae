//! One client: read, run, write, in turn. While it is idle it holds no buffer at all.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Duration, Instant};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::discard::discard_input;
use crate::base::config::OutputBufferLimit;
use crate::base::telemetry::{Stat, ThreadMetrics};
use crate::base::tls;
use crate::commands::run::NodeServices;
use crate::dispatch::{Dispatcher, Flow, Progress, Store};
use crate::resp::encode::encode_error;
use crate::resp::{Batch, Decoder, ProtocolError, ReplyError};
use crate::services::sessions::{Client, Load, Session};

/// The buffer that all connections of a thread read into.
const READ_BYTES: usize = 64 * 1024;

/// Less room than this and the buffer is replaced.
const READ_BYTES_LEAST: usize = 16 * 1024;

/// How often the limits of a client are looked at that does not read its replies.
const OUTPUT_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for the end of a connection to be sent.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(1);

/// What all connections of one thread share.
pub struct Door<S> {
    dispatcher: Dispatcher<S>,
    stopping: watch::Receiver<bool>,
    reader: RefCell<BytesMut>,
    /// Buffers for replies and batches, lent to connections while they are busy.
    spare: RefCell<Vec<Buffers>>,
}

#[derive(Default)]
struct Buffers {
    batch: Batch,
    out: BytesMut,
}

impl<S: Store> Door<S> {
    /// For the connections of the calling thread.
    pub fn new(dispatcher: Dispatcher<S>, stopping: watch::Receiver<bool>) -> Self {
        Self { dispatcher, stopping, reader: RefCell::default(), spare: RefCell::default() }
    }

    /// Turns true when the server stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    /// The node.
    pub fn node(&self) -> &NodeServices {
        self.dispatcher.node()
    }

    /// The counters of this thread.
    pub fn metrics(&self) -> &ThreadMetrics {
        self.dispatcher.metrics()
    }

    fn lend(&self) -> Buffers {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    fn take_back(&self, mut buffers: Buffers) {
        buffers.batch.clear();
        buffers.out.clear();
        if buffers.out.capacity() <= READ_BYTES {
            self.spare.borrow_mut().push(buffers);
        }
    }
}

/// A client that was taken in, from before its TLS session until after its last reply.
pub struct Seat<S: Store> {
    door: Rc<Door<S>>,
    client: Arc<Client>,
}

impl<S: Store> Seat<S> {
    /// A place at this door.
    pub fn new(door: Rc<Door<S>>, client: Arc<Client>) -> Self {
        door.metrics().add(Stat::ConnectionsReceived, 1);
        Self { door, client }
    }

    /// The client's stream inside TLS; `None` when the handshake fails or is not waited for.
    pub async fn handshake<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        config: Arc<ServerConfig>,
        stream: T,
    ) -> Option<TlsStream<T>> {
        let mut stopping = self.door.stopping();
        tokio::select! {
            opened = tls::accept(config, stream) => match opened {
                Ok(stream) => Some(stream),
                Err(error) => {
                    self.door.metrics().add(Stat::TlsHandshakeFailures, 1);
                    tracing::info!(client = self.client.address(), %error, "no TLS session");
                    None
                }
            },
            () = self.client.killed() => None,
            _ = stopping.wait_for(|stopping| *stopping) => None,
        }
    }
}

/// Also when the thread ends before the client does.
impl<S: Store> Drop for Seat<S> {
    fn drop(&mut self) {
        self.door.metrics().add(Stat::ConnectionsClosed, 1);
        self.door.node().clients.disconnect(self.client.id());
    }
}

/// One connection.
pub struct Connection<T, S: Store> {
    stream: T,
    seat: Seat<S>,
    session: Session,
    decoder: Decoder,
    /// Received bytes that make no whole command yet.
    received: BytesMut,
    /// Bytes of the commands that are being run.
    argument_bytes: usize,
    stopping: watch::Receiver<bool>,
}

/// Why a connection ends; nobody needs more than a name for it.
enum End {
    Closed,
    Idle,
    TooMuchInput,
    TooMuchOutput,
    /// What came is no request, and was answered so.
    Broken,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, S: Store> Connection<T, S> {
    /// A connection of a client that was taken in.
    pub fn new(stream: T, seat: Seat<S>) -> Self {
        let node = seat.door.node();
        let bulk_bytes_max = node.config.load().limits.bulk_bytes_max;
        let decoder = Decoder::new(usize::try_from(bulk_bytes_max).unwrap_or(usize::MAX));
        let session = Session::new(Arc::clone(&seat.client), !node.asks_for_password());
        let stopping = seat.door.stopping();
        Self {
            stream,
            seat,
            session,
            decoder,
            received: BytesMut::new(),
            argument_bytes: 0,
            stopping,
        }
    }

    /// Serves the client until it leaves or is sent away.
    pub async fn serve(mut self) {
        let end = loop {
            match self.turn().await {
                Ok(Flow::Continue) => {}
                Ok(Flow::Close) => break End::Closed,
                Err(end) => break end,
            }
        };
        let evicted = self.session.client.is_evicted();
        // Before the client can see the end, so that nobody counts it any more.
        self.seat.door.node().clients.disconnect(self.session.client.id());
        // What was sent before the end must arrive, but nobody waits for it: TLS has a last message
        // that a client may never read.
        let _ = tokio::time::timeout(SHUTDOWN_PATIENCE, self.stream.shutdown()).await;
        let metrics = self.seat.door.metrics();
        if evicted {
            metrics.add(Stat::EvictedClients, 1);
        }
        match end {
            End::Closed => {}
            End::Broken => discard_input(&mut self.stream).await,
            End::Idle => metrics.add(Stat::IdleDisconnections, 1),
            End::TooMuchInput => metrics.add(Stat::QueryBufferDisconnections, 1),
            End::TooMuchOutput => metrics.add(Stat::OutputBufferDisconnections, 1),
        }
    }

    /// Reads once, runs what is complete, writes the replies.
    async fn turn(&mut self) -> Result<Flow, End> {
        let Some(count) = self.wait_and_read().await? else { return Ok(Flow::Close) };
        self.session.client.touch();
        let metrics = self.seat.door.metrics();
        metrics.add(Stat::BytesIn, count as u64);
        metrics.add(Stat::ReadsProcessed, 1);
        self.publish_load(0);
        if self.session.client.is_killed() {
            return Ok(Flow::Close);
        }
        let mut buffers = self.seat.door.lend();
        let outcome = self.run_received(&mut buffers).await;
        self.seat.door.take_back(buffers);
        self.keep_rest();
        self.argument_bytes = 0;
        self.publish_load(0);
        outcome
    }

    /// The number of bytes read; `None` when the connection is to end.
    async fn wait_and_read(&mut self) -> Result<Option<usize>, End> {
        let client = Arc::clone(&self.session.client);
        let idle_s = self.seat.door.node().config.load().limits.idle_timeout_s;
        let Self { stream, seat, received, decoder, stopping, .. } = self;
        if *stopping.borrow() {
            return Ok(None);
        }
        tokio::select! {
            // Reading comes first because it is ready most often; whoever is killed while commands
            // keep coming is noticed by dispatch.
            biased;
            count = read(stream, &seat.door, received, decoder) => match count? {
                0 => Ok(None),
                count => Ok(Some(count)),
            },
            () = client.killed() => Ok(None),
            _ = stopping.changed() => Ok(None),
            () = sleep_unless_zero(idle_s) => Err(End::Idle),
        }
    }

    async fn run_received(&mut self, buffers: &mut Buffers) -> Result<Flow, End> {
        loop {
            self.decoder.set_authenticated(self.session.authenticated);
            buffers.batch.clear();
            let before = self.received.len();
            let decoded = self.decoder.decode(&mut self.received, &mut buffers.batch);
            self.argument_bytes = before.saturating_sub(self.received.len());
            let empty = buffers.batch.is_empty();
            if self.run_batch(buffers).await? == Flow::Close {
                return Ok(Flow::Close);
            }
            if let Err(error) = decoded {
                return self.answer_broken(&error, &mut buffers.out).await;
            }
            if empty {
                break;
            }
        }
        let limit = self.seat.door.node().config.load().limits.query_buffer_bytes_max;
        if (self.received.len() + self.decoder.words_bytes()) as u64 > limit {
            return Err(End::TooMuchInput);
        }
        Ok(Flow::Continue)
    }

    async fn run_batch(&mut self, buffers: &mut Buffers) -> Result<Flow, End> {
        let Buffers { batch, out } = buffers;
        let mut next = 0;
        while next < batch.len() {
            let progress = self.run_some(batch, next, out).await?;
            if progress.flow == Flow::Continue {
                self.check_output(out.len(), None)?;
            }
            self.write(out).await?;
            if progress.flow == Flow::Close {
                return Ok(Flow::Close);
            }
            next = progress.next;
        }
        Ok(Flow::Continue)
    }

    /// Runs commands. One that waits ends with the connection: when the client leaves, is sent
    /// away, or the server stops.
    async fn run_some(
        &mut self,
        batch: &mut Batch,
        next: usize,
        out: &mut BytesMut,
    ) -> Result<Progress, End> {
        let door = Rc::clone(&self.seat.door);
        let Self { stream, session, received, stopping, .. } = self;
        let client = Arc::clone(&session.client);
        let left = async {
            client.blocked().await;
            tokio::select! {
                () = client.killed() => {}
                // An error says that the server is gone.
                _ = stopping.wait_for(|stopping| *stopping) => {}
                () = end_of_input(stream, received, (&door, &client)) => {}
            }
        };
        tokio::select! {
            biased;
            progress = door.dispatcher.run(session, batch, next, out) => Ok(progress),
            () = left => Err(End::Closed),
        }
    }

    /// Whether this many bytes may wait for the client; `over_soft` says since when they are more
    /// than the soft limit, as far as was seen.
    fn check_output(&self, bytes: usize, over_soft: Option<Instant>) -> Result<(), End> {
        let limit = self.output_limit();
        let over_hard = limit.hard_bytes > 0 && bytes as u64 > limit.hard_bytes;
        let patience = Duration::from_secs(limit.soft_seconds);
        let over_long = over_soft.is_some_and(|since| since.elapsed() >= patience);
        if over_hard || over_long { Err(End::TooMuchOutput) } else { Ok(()) }
    }

    fn output_limit(&self) -> OutputBufferLimit {
        self.seat.door.node().config.load().limits.output_buffer.normal
    }

    async fn answer_broken(
        &mut self,
        error: &ProtocolError,
        out: &mut BytesMut,
    ) -> Result<Flow, End> {
        self.seat.door.metrics().add(Stat::ProtocolErrors, 1);
        tracing::debug!(client = self.session.client.address(), %error, "closing a client");
        encode_error(&ReplyError::new(format!("ERR {error}")), out);
        self.write(out).await?;
        Err(if self.session.authenticated { End::Broken } else { End::Closed })
    }

    async fn write(&mut self, out: &mut BytesMut) -> Result<(), End> {
        if out.is_empty() {
            return Ok(());
        }
        let metrics = self.seat.door.metrics();
        metrics.add(Stat::BytesOut, out.len() as u64);
        metrics.add(Stat::WritesProcessed, 1);
        self.publish_load(out.len());
        let client = Arc::clone(&self.session.client);
        let (mut written, mut over_soft) = (0, None);
        while written < out.len() {
            if client.is_killed() {
                return Err(End::Closed);
            }
            tokio::select! {
                biased;
                count = self.stream.write(&out[written..]) => match count? {
                    0 => return Err(End::Closed),
                    count => written += count,
                },
                () = client.killed() => return Err(End::Closed),
                () = tokio::time::sleep(OUTPUT_CHECK_INTERVAL) => {}
            }
            let waiting = out.len() - written;
            let soft_bytes = self.output_limit().soft_bytes;
            if soft_bytes == 0 || waiting as u64 <= soft_bytes {
                over_soft = None;
            } else {
                over_soft.get_or_insert_with(Instant::now);
            }
            self.check_output(waiting, over_soft)?;
        }
        // TLS may still hold a part of it.
        tokio::select! {
            biased;
            flushed = self.stream.flush() => flushed?,
            () = client.killed() => return Err(End::Closed),
        }
        out.clear();
        Ok(())
    }

    /// What is left of a command moves to a buffer of its own: it must not hold the thread's.
    fn keep_rest(&mut self) {
        if self.received.is_empty() {
            self.received = BytesMut::new();
        } else if self.received.len() < READ_BYTES_LEAST {
            self.received = BytesMut::from(&self.received[..]);
        }
    }

    fn publish_load(&self, output_bytes: usize) {
        let transaction = self.session.transaction.as_deref();
        let load = Load {
            input_bytes: self.received.len() + self.decoder.words_bytes(),
            input_free_bytes: self.received.capacity() - self.received.len(),
            argument_bytes: self.argument_bytes,
            queued: transaction.map(|transaction| transaction.queue.len()),
            queued_bytes: transaction.map_or(0, |transaction| transaction.bytes),
            watched: self.session.watches.len(),
            watched_bytes: self.session.watches.bytes(),
            output_bytes,
        };
        publish(self.seat.door.node(), &self.session.client, load);
    }
}

/// Tells others what is held for a client; closes those that take most when it is too much.
fn publish(node: &NodeServices, client: &Client, load: Load) {
    if node.clients.publish(client, load) {
        node.bound_clients_memory();
    }
}

/// Reads into the thread's buffer, or behind what has been received of a long command.
async fn read<T: AsyncRead + Unpin, S: Store>(
    stream: &mut T,
    door: &Door<S>,
    received: &mut BytesMut,
    decoder: &Decoder,
) -> io::Result<usize> {
    if !received.is_empty() {
        // Twice what has arrived at most: an announcement alone allocates nothing.
        let wanted = decoder.wanted(received).min(received.len()).max(READ_BYTES_LEAST);
        received.reserve(wanted);
        return stream.read_buf(received).await;
    }
    let count = std::future::poll_fn(|context| {
        let mut reader = door.reader.borrow_mut();
        if reader.capacity() < READ_BYTES_LEAST {
            reader.reserve(READ_BYTES);
        }
        // Cancel safe and without state, so a new one for every poll is the same as one for all.
        let reading = pin!(stream.read_buf(&mut *reader));
        reading.poll(context)
    })
    .await?;
    *received = door.reader.borrow_mut().split();
    Ok(count)
}

/// Keeps what a client sends while it waits; returns when it has left.
async fn end_of_input<T: AsyncRead + Unpin, S: Store>(
    stream: &mut T,
    received: &mut BytesMut,
    (door, client): (&Door<S>, &Client),
) {
    loop {
        let bytes_max = door.node().config.load().limits.query_buffer_bytes_max;
        if received.len() as u64 >= bytes_max {
            // The next commands are not read before this one is answered.
            return std::future::pending().await;
        }
        received.reserve(READ_BYTES_LEAST);
        match stream.read_buf(received).await {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                door.metrics().add(Stat::BytesIn, count as u64);
                let input_free_bytes = received.capacity() - received.len();
                let input_bytes = received.len();
                let load = Load { input_bytes, input_free_bytes, ..client.load() };
                publish(door.node(), client, load);
            }
        }
    }
}

async fn sleep_unless_zero(seconds: u64) {
    if seconds == 0 {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
