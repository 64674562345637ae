//! One client: read, run, write, in turn. An idle connection holds no buffer.

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

/// The buffer is replaced when it has less free space than this.
const READ_BYTES_LEAST: usize = 16 * 1024;

/// How often the limits of a client that does not read its replies are checked.
const OUTPUT_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for the end of a connection to be sent.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// What all connections of one thread share.
pub struct IoThread<S> {
    dispatcher: Dispatcher<S>,
    stopping: watch::Receiver<bool>,
    reader: RefCell<BytesMut>,
    /// Free buffers for replies and batches; a connection takes one while it runs commands.
    spare: RefCell<Vec<Buffers>>,
}

#[derive(Default)]
struct Buffers {
    batch: Batch,
    out: BytesMut,
}

impl<S: Store> IoThread<S> {
    /// State for the connections of the calling thread.
    pub fn new(dispatcher: Dispatcher<S>, stopping: watch::Receiver<bool>) -> Self {
        Self { dispatcher, stopping, reader: RefCell::default(), spare: RefCell::default() }
    }

    /// Becomes true when the server stops.
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

/// Counts a client from before its TLS handshake until after its last reply.
pub struct ConnectionSlot<S: Store> {
    thread: Rc<IoThread<S>>,
    client: Arc<Client>,
}

impl<S: Store> ConnectionSlot<S> {
    /// Counts `client` as connected on this thread.
    pub fn new(thread: Rc<IoThread<S>>, client: Arc<Client>) -> Self {
        thread.metrics().add(Stat::ConnectionsReceived, 1);
        Self { thread, client }
    }

    /// The client's stream inside TLS; `None` when the handshake fails or is cancelled.
    pub async fn handshake<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        config: Arc<ServerConfig>,
        stream: T,
    ) -> Option<TlsStream<T>> {
        let mut stopping = self.thread.stopping();
        tokio::select! {
            opened = tls::accept(config, stream) => match opened {
                Ok(stream) => Some(stream),
                Err(error) => {
                    self.thread.metrics().add(Stat::TlsHandshakeFailures, 1);
                    tracing::info!(client = self.client.address(), %error, "no TLS session");
                    None
                }
            },
            () = self.client.killed() => None,
            _ = stopping.wait_for(|stopping| *stopping) => None,
        }
    }
}

/// Also dropped when the thread ends before the client does.
impl<S: Store> Drop for ConnectionSlot<S> {
    fn drop(&mut self) {
        self.thread.metrics().add(Stat::ConnectionsClosed, 1);
        self.thread.node().clients.disconnect(self.client.id());
    }
}

/// One connection.
pub struct Connection<T, S: Store> {
    stream: T,
    slot: ConnectionSlot<S>,
    session: Session,
    decoder: Decoder,
    /// Received bytes that are not a complete command yet.
    received: BytesMut,
    /// Bytes of the commands that are being run.
    argument_bytes: usize,
    stopping: watch::Receiver<bool>,
}

/// Why a connection ends.
enum End {
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

impl<T: AsyncRead + AsyncWrite + Unpin, S: Store> Connection<T, S> {
    /// A connection of a counted client.
    pub fn new(stream: T, slot: ConnectionSlot<S>) -> Self {
        let node = slot.thread.node();
        let bulk_bytes_max = node.config.load().limits.bulk_bytes_max;
        let decoder = Decoder::new(usize::try_from(bulk_bytes_max).unwrap_or(usize::MAX));
        let session = Session::new(Arc::clone(&slot.client), !node.asks_for_password());
        let stopping = slot.thread.stopping();
        Self {
            stream,
            slot,
            session,
            decoder,
            received: BytesMut::new(),
            argument_bytes: 0,
            stopping,
        }
    }

    /// Serves the client until one of the two sides closes the connection.
    pub async fn serve(mut self) {
        let end = loop {
            match self.turn().await {
                Ok(Flow::Continue) => {}
                Ok(Flow::Close) => break End::Closed,
                Err(end) => break end,
            }
        };
        let evicted = self.session.client.is_evicted();
        // Before the client can see the end, so that it is not counted any more.
        self.slot.thread.node().clients.disconnect(self.session.client.id());
        // What was sent before must arrive, but the wait is limited: TLS has a last message that a
        // client may never read.
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, self.stream.shutdown()).await;
        let metrics = self.slot.thread.metrics();
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

    /// Reads once, runs the complete commands, writes the replies.
    async fn turn(&mut self) -> Result<Flow, End> {
        let Some(count) = self.wait_and_read().await? else { return Ok(Flow::Close) };
        self.session.client.touch();
        let metrics = self.slot.thread.metrics();
        metrics.add(Stat::BytesIn, count as u64);
        metrics.add(Stat::ReadsProcessed, 1);
        self.publish_load(0);
        if self.session.client.is_killed() {
            return Ok(Flow::Close);
        }
        let mut buffers = self.slot.thread.lend();
        let outcome = self.run_received(&mut buffers).await;
        self.slot.thread.take_back(buffers);
        self.keep_rest();
        self.argument_bytes = 0;
        self.publish_load(0);
        outcome
    }

    /// The number of bytes read; `None` when the connection must end.
    async fn wait_and_read(&mut self) -> Result<Option<usize>, End> {
        let client = Arc::clone(&self.session.client);
        let idle_s = self.slot.thread.node().config.load().limits.idle_timeout_s;
        let Self { stream, slot, received, decoder, stopping, .. } = self;
        if *stopping.borrow() {
            return Ok(None);
        }
        tokio::select! {
            // Reading comes first because it is ready most often; dispatch notices when a client is
            // killed while it sends commands.
            biased;
            count = read(stream, &slot.thread, received, decoder) => match count? {
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
        let limit = self.slot.thread.node().config.load().limits.query_buffer_bytes_max;
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

    /// Runs commands. A blocked command ends with the connection: when the client leaves or is
    /// killed, or when the server stops.
    async fn run_some(
        &mut self,
        batch: &mut Batch,
        next: usize,
        out: &mut BytesMut,
    ) -> Result<Progress, End> {
        let thread = Rc::clone(&self.slot.thread);
        let Self { stream, session, received, stopping, .. } = self;
        let client = Arc::clone(&session.client);
        let left = async {
            client.blocked().await;
            tokio::select! {
                () = client.killed() => {}
                // An error means that the server is gone.
                _ = stopping.wait_for(|stopping| *stopping) => {}
                () = end_of_input(stream, received, (&thread, &client)) => {}
            }
        };
        tokio::select! {
            biased;
            progress = thread.dispatcher.run(session, batch, next, out) => Ok(progress),
            () = left => Err(End::Closed),
        }
    }

    /// Whether this many bytes may wait for the client; `over_soft` is the time at which they were
    /// first seen above the soft limit.
    fn check_output(&self, bytes: usize, over_soft: Option<Instant>) -> Result<(), End> {
        let limit = self.output_limit();
        let over_hard = limit.hard_bytes > 0 && bytes as u64 > limit.hard_bytes;
        let soft_time = Duration::from_secs(limit.soft_seconds);
        let over_long = over_soft.is_some_and(|since| since.elapsed() >= soft_time);
        if over_hard || over_long { Err(End::TooMuchOutput) } else { Ok(()) }
    }

    fn output_limit(&self) -> OutputBufferLimit {
        self.slot.thread.node().config.load().limits.output_buffer.normal
    }

    async fn answer_broken(
        &mut self,
        error: &ProtocolError,
        out: &mut BytesMut,
    ) -> Result<Flow, End> {
        self.slot.thread.metrics().add(Stat::ProtocolErrors, 1);
        tracing::debug!(client = self.session.client.address(), %error, "closing a client");
        encode_error(&ReplyError::new(format!("ERR {error}")), out);
        self.write(out).await?;
        Err(if self.session.authenticated { End::Broken } else { End::Closed })
    }

    async fn write(&mut self, out: &mut BytesMut) -> Result<(), End> {
        if out.is_empty() {
            return Ok(());
        }
        let metrics = self.slot.thread.metrics();
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
        // TLS may still buffer a part of it.
        tokio::select! {
            biased;
            flushed = self.stream.flush() => flushed?,
            () = client.killed() => return Err(End::Closed),
        }
        out.clear();
        Ok(())
    }

    /// An incomplete command moves to its own buffer, because it must not keep the thread's buffer
    /// alive.
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
        publish(self.slot.thread.node(), &self.session.client, load);
    }
}

/// Publishes the memory of a client; closes the largest clients when all together use too much.
fn publish(node: &NodeServices, client: &Client, load: Load) {
    if node.clients.publish(client, load) {
        node.bound_clients_memory();
    }
}

/// Reads into the thread's buffer, or after the received part of a long command.
async fn read<T: AsyncRead + Unpin, S: Store>(
    stream: &mut T,
    thread: &IoThread<S>,
    received: &mut BytesMut,
    decoder: &Decoder,
) -> io::Result<usize> {
    if !received.is_empty() {
        // At most twice what has been received: an announced length alone allocates nothing.
        let wanted = decoder.wanted(received).min(received.len()).max(READ_BYTES_LEAST);
        received.reserve(wanted);
        return stream.read_buf(received).await;
    }
    let count = std::future::poll_fn(|context| {
        let mut reader = thread.reader.borrow_mut();
        if reader.capacity() < READ_BYTES_LEAST {
            reader.reserve(READ_BYTES);
        }
        // Cancellation-safe and without state, so a new one for every poll is the same as one for
        // all.
        let reading = pin!(stream.read_buf(&mut *reader));
        reading.poll(context)
    })
    .await?;
    *received = thread.reader.borrow_mut().split();
    Ok(count)
}

/// Buffers what a client sends while it waits; returns when it has closed the connection.
async fn end_of_input<T: AsyncRead + Unpin, S: Store>(
    stream: &mut T,
    received: &mut BytesMut,
    (thread, client): (&IoThread<S>, &Client),
) {
    loop {
        let bytes_max = thread.node().config.load().limits.query_buffer_bytes_max;
        if received.len() as u64 >= bytes_max {
            // The next commands are not read before this one has its reply.
            return std::future::pending().await;
        }
        received.reserve(READ_BYTES_LEAST);
        match stream.read_buf(received).await {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                thread.metrics().add(Stat::BytesIn, count as u64);
                let input_free_bytes = received.capacity() - received.len();
                let input_bytes = received.len();
                let load = Load { input_bytes, input_free_bytes, ..client.load() };
                publish(thread.node(), client, load);
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
