//! The log thread: takes all that is queued, writes it as one frame, flushes once, and tells
//! everyone in the order in which they asked.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::format::{FRAME_HEADER_BYTES, FRAMES_AT, Item, begin_frame, end_frame};
use super::index::{IndexChange, MarkerPolicy};
use super::mark::{Flushed, MARK_AFTER, Mark};
use super::options::Done;
use super::record::{LogState, Record};
use super::segment::Segment;
use super::shared::{Lacking, Shared, is_full};
use super::space::PROBE_INTERVAL;
use crate::base::seeded::{Bug, seeded};

/// What the handles ask of the log thread.
pub(super) enum Command {
    /// Entries with the serial number of the first one.
    Append {
        records: Vec<Record>,
        first_serial: u64,
        done: Done,
    },
    Change(Item, Done),
    Stop(Done),
}

enum Queued {
    Item { item: Item, serial: Option<u64> },
    Done(Done),
}

/// The state of the log thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    segment: Segment,
    next_sequence: u64,
    /// What a recovery would find after the frame that is being built.
    state: LogState,
    policy: MarkerPolicy,
    queue: VecDeque<Queued>,
    frame: Vec<u8>,
    failure: Option<io::Error>,
    mark: Option<Mark>,
    /// Whether the mark is to follow the last frame.
    unmarked: bool,
}

/// What a frame changes once it is durable.
#[derive(Default)]
struct Effects {
    changes: Vec<IndexChange>,
    done: Vec<Done>,
    /// Entries with a smaller serial number are durable.
    undurable_serial: Option<u64>,
    entries: u64,
    frees: bool,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        segment: Segment,
        next_sequence: u64,
        state: LogState,
        mark: Option<Mark>,
    ) -> Self {
        Self {
            shared,
            segment,
            next_sequence,
            state,
            policy: MarkerPolicy::default(),
            queue: VecDeque::new(),
            frame: Vec::new(),
            failure: None,
            mark,
            unmarked: false,
        }
    }

    /// Works until told to stop or until every handle is gone.
    pub(super) async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        let mut stop = None;
        while stop.is_none() {
            match self.next(&mut commands).await {
                Some(command) => stop = self.accept(command),
                None => break,
            }
            while !self.queue.is_empty() {
                while stop.is_none()
                    && let Ok(command) = commands.try_recv()
                {
                    stop = self.accept(command);
                }
                if let Err(error) = self.flush(false).await {
                    self.abandon(error);
                }
            }
        }
        if let Err(error) = self.flush(true).await {
            self.abandon(error);
        }
        self.move_mark();
        self.shared.stop();
        if let Some(done) = stop {
            done(self.outcome());
        }
    }

    /// Waits for work; once none has come for a while, marks what is flushed.
    async fn next(&mut self, commands: &mut UnboundedReceiver<Command>) -> Option<Command> {
        if self.unmarked {
            if let Ok(command) = tokio::time::timeout(MARK_AFTER, commands.recv()).await {
                return command;
            }
            self.move_mark();
        }
        commands.recv().await
    }

    fn move_mark(&mut self) {
        if !self.unmarked || self.failure.is_some() {
            return;
        }
        let Segment { number: segment, tail: end, .. } = self.segment;
        let flushed = Flushed { sequence: self.next_sequence - 1, segment, end };
        match self.shared.move_mark(&mut self.mark, flushed) {
            // On a full disk the next frame brings another attempt.
            Ok(()) => self.unmarked = false,
            Err(error) if is_full(&error) => self.unmarked = false,
            Err(error) => self.abandon(error),
        }
    }

    fn accept(&mut self, command: Command) -> Option<Done> {
        match command {
            Command::Stop(done) => return Some(done),
            Command::Change(Item::Vote(_), done) if seeded(Bug::NoVoteFsync) => done(Ok(())),
            Command::Change(item, done) => {
                self.queue.push_back(Queued::Item { item, serial: None });
                self.queue.push_back(Queued::Done(done));
            }
            Command::Append { records, first_serial, done } => {
                let items = (first_serial..).zip(records).map(|(serial, record)| Queued::Item {
                    item: Item::Entry(record),
                    serial: Some(serial),
                });
                self.queue.extend(items);
                self.queue.push_back(Queued::Done(done));
            }
        }
        None
    }

    /// Writes one frame. `last` writes even what could wait.
    async fn flush(&mut self, last: bool) -> io::Result<()> {
        if self.failure.is_some() {
            return Err(io::Error::other("the log failed before"));
        }
        let mut effects = Effects::default();
        let needed = self.build(&mut effects, last);
        if !self.frame.is_empty()
            && let Err(error) = self.write().await
        {
            let waiting = effects.done.into_iter().map(Queued::Done);
            self.queue = waiting.chain(std::mem::take(&mut self.queue)).collect();
            return Err(error);
        }
        let rotates = self.frame.is_empty();
        self.publish(effects)?;
        match needed {
            Some(bytes) if rotates => self.rotate(bytes).await,
            _ => Ok(()),
        }
    }

    /// Moves queued items into the frame while they fit; how long a new segment has to be for the
    /// next one if none fits.
    fn build(&mut self, effects: &mut Effects, last: bool) -> Option<u64> {
        self.frame.clear();
        if self.segment.is_fresh() {
            self.policy.interrupt();
        }
        while let Some(queued) = self.queue.pop_front() {
            let (item, serial) = match queued {
                Queued::Done(done) => {
                    effects.done.push(done);
                    continue;
                }
                Queued::Item { item, serial } => (item, serial),
            };
            let full = self.frame.len() >= self.shared.options.flush_bytes;
            let bytes = self.overhead_bytes() + item.encoded_bytes() as u64;
            if full || self.frame.len() as u64 + bytes > self.segment.room() {
                self.queue.push_front(Queued::Item { item, serial });
                // A fresh segment begins with a head of its own, which may be longer than this
                // one's.
                return (!full).then(|| FRAMES_AT + bytes + self.head().encoded_bytes() as u64);
            }
            self.add(&item, effects);
            effects.undurable_serial = serial.map(|serial| serial + 1).or(effects.undurable_serial);
        }
        self.add_committed(last, effects);
        None
    }

    /// Goes with a frame that is written anyway.
    fn add_committed(&mut self, last: bool, effects: &mut Effects) {
        if self.frame.is_empty() && !last {
            return;
        }
        let committed = self.shared.memory.lock().state.committed;
        let Some(position) = committed.filter(|_| committed != self.state.committed) else {
            return;
        };
        let item = Item::Committed(position);
        let bytes = self.overhead_bytes() + item.encoded_bytes() as u64;
        if self.frame.len() as u64 + bytes <= self.segment.room() {
            self.add(&item, effects);
        }
    }

    /// Bytes that the first item of a frame brings with it.
    fn overhead_bytes(&self) -> u64 {
        if !self.frame.is_empty() {
            return 0;
        }
        let head = if self.segment.is_fresh() { self.head().encoded_bytes() } else { 0 };
        (FRAME_HEADER_BYTES + head) as u64
    }

    fn head(&self) -> Item {
        Item::Head(self.state.clone())
    }

    fn add(&mut self, item: &Item, effects: &mut Effects) {
        if self.frame.is_empty() {
            begin_frame(&mut self.frame);
            if self.segment.is_fresh() {
                self.head().encode(&mut self.frame);
            }
        }
        let offset = self.segment.tail + self.frame.len() as u64;
        item.encode(&mut self.frame);
        let change = replay(item, &mut self.state, &mut self.policy, self.segment.number, offset);
        effects.changes.extend(change);
        effects.entries += u64::from(matches!(item, Item::Entry(_)));
        effects.frees |= matches!(item, Item::Purge(_));
    }

    async fn write(&mut self) -> io::Result<()> {
        end_frame(&mut self.frame, self.segment.salt, self.next_sequence);
        let began = Instant::now();
        let backlog = Arc::clone(&self.shared.backlog);
        let _writing = backlog.begin();
        // A full disk passes, and nothing was acknowledged yet: the same bytes go to the same
        // place.
        while let Err(error) = self.segment.file.write_all_at(&self.frame, self.segment.tail) {
            self.wait_for_room(error).await?;
        }
        self.shared.set_disk_full(Lacking::Write, false);
        self.segment.file.flush().await?;
        self.segment.tail += self.frame.len() as u64;
        self.next_sequence += 1;
        self.unmarked = true;
        let mut counters = self.shared.counters.lock();
        counters.record_flush(began.elapsed());
        counters.frames += 1;
        counters.bytes_written += self.frame.len() as u64;
        counters.tail_bytes = self.segment.tail;
        drop(counters);
        if self.frame.capacity() > 2 * self.shared.options.flush_bytes {
            self.frame = Vec::new();
        }
        Ok(())
    }

    async fn wait_for_room(&self, error: io::Error) -> io::Result<()> {
        if !is_full(&error) || self.shared.is_stopping() {
            return Err(error);
        }
        self.shared.set_disk_full(Lacking::Write, true);
        tokio::time::sleep(PROBE_INTERVAL).await;
        Ok(())
    }

    fn publish(&self, effects: Effects) -> io::Result<()> {
        let mut memory = self.shared.memory.lock();
        effects.changes.into_iter().for_each(|change| memory.index.apply(change));
        if let Some(undurable) = effects.undurable_serial {
            memory.ring.shrink(undurable, self.shared.options.ring_bytes);
        }
        drop(memory);
        self.shared.counters.lock().entries += effects.entries;
        effects.done.into_iter().for_each(|done| done(Ok(())));
        if !effects.frees {
            return Ok(());
        }
        match self.shared.recycle(self.segment.number) {
            Err(error) if is_full(&error) => {
                // The files are found again at the next start.
                tracing::warn!(%error, "cannot free log segments");
                Ok(())
            }
            other => other,
        }
    }

    /// Goes on in a new segment of at least `bytes`.
    async fn rotate(&mut self, bytes: u64) -> io::Result<()> {
        if self.segment.is_fresh() {
            // Recovery takes a segment without a frame for a damaged one unless it is the last.
            begin_frame(&mut self.frame);
            self.head().encode(&mut self.frame);
            self.write().await?;
        }
        let bytes = bytes.max(self.shared.options.segment_bytes);
        let shared = Arc::clone(&self.shared);
        // The space thread waits for the same disk.
        let _writing = shared.backlog.begin();
        let spare = loop {
            let changed = shared.space_changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(spare) = shared.space.lock().take(bytes) {
                break spare;
            }
            if shared.is_stopping() || shared.has_failed() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            shared.want_space(bytes);
            changed.await;
        };
        self.segment = loop {
            match shared.begin_segment(&spare, self.segment.number + 1) {
                Ok(segment) => break segment,
                Err(error) => self.wait_for_room(error).await?,
            }
        };
        shared.set_disk_full(Lacking::Write, false);
        self.policy.interrupt();
        shared.want_space(shared.options.segment_bytes);
        Ok(())
    }

    /// After a failure nothing is acknowledged any more.
    fn abandon(&mut self, error: io::Error) {
        if self.failure.is_none() {
            // A log that is told to stop on a full disk has lost nothing that it promised.
            if !(self.shared.is_stopping() && is_full(&error)) {
                self.shared.fail(&error);
            }
            self.failure = Some(error);
        }
        for queued in std::mem::take(&mut self.queue) {
            if let Queued::Done(done) = queued {
                done(self.outcome());
            }
        }
    }

    fn outcome(&self) -> io::Result<()> {
        match &self.failure {
            None => Ok(()),
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

/// What an item at `offset` changes, for the writer and for recovery alike.
pub(super) fn replay(
    item: &Item,
    state: &mut LogState,
    policy: &mut MarkerPolicy,
    segment: u64,
    offset: u64,
) -> Option<IndexChange> {
    match item {
        Item::Head(head) => {
            state.clone_from(head);
            None
        }
        Item::Entry(record) => {
            state.last = Some(record.position);
            policy.entry(record.position.index, segment, offset).map(IndexChange::Mark)
        }
        Item::Vote(vote) => {
            state.vote = Some(vote.clone());
            None
        }
        Item::Truncate(last) => {
            policy.interrupt();
            state.truncate(*last);
            Some(IndexChange::Truncate(last.map_or(0, |last| last.index + 1)))
        }
        Item::Purge(up_to) => {
            policy.interrupt();
            state.purge(*up_to);
            let last = state.last.map_or(0, |last| last.index);
            Some(IndexChange::Purge { up_to: up_to.index, last })
        }
        Item::Committed(position) => {
            state.committed = Some(*position);
            None
        }
    }
}
