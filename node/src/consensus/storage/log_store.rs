//! openraft's view of the log.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use futures::{Stream, StreamExt};
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};

use super::log::Record;
use crate::base::limits::READ_LOG_BYTES;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::network::convert::{
    decode_payload, decode_vote, encode_payload, encode_vote, log_id_from_position,
    log_id_to_position,
};
use crate::consensus::shared::Shared;
use crate::consensus::types::{Entry, LogId, TypeConfig, Vote};

/// A log handle in openraft's clothes. Clones use the same log.
#[derive(Clone)]
pub(crate) struct LogStore(pub(crate) Arc<Shared>);

impl Debug for LogStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogStore").field(&self.0.log).finish()
    }
}

impl LogStore {
    /// Some entries from the start of the range, bounded by bytes.
    async fn read_some(&self, range: Range<u64>) -> io::Result<Vec<Entry>> {
        self.0.log.fetch(range, READ_LOG_BYTES, entry).await
    }

    /// Every entry of the range that exists, a bounded piece at a time.
    fn pieces(&self, range: Range<u64>) -> impl Stream<Item = io::Result<Entry>> + Send + 'static {
        let store = self.clone();
        stream::unfold(Some(range), move |range| {
            let store = store.clone();
            async move {
                let range = range.filter(|range| !range.is_empty())?;
                let entries = store.read_some(range.clone()).await;
                let next = match &entries {
                    Ok(entries) => entries.last().map(|last| last.log_id.index + 1..range.end),
                    Err(_) => None,
                };
                Some((stream::iter(transposed(entries)), next))
            }
        })
        .flatten()
    }

    /// Refuses to drop what was committed or applied here: no leader may ask for it, so this disk,
    /// or a majority of the others, lost what was acknowledged.
    fn check_truncation(&self, last: Option<&LogId>) -> io::Result<()> {
        let state = self.0.log.state();
        let kept = last.map_or(0, |last| last.index);
        let within = |index: &u64| state.last.is_some_and(|last| *index <= last.index);
        let committed = state.committed.map(|committed| committed.index).filter(within);
        let needed = committed.unwrap_or(0).max(self.0.applied.index());
        if kept >= needed || seeded(Bug::TruncateApplied) {
            return Ok(());
        }
        let reason = format!(
            "the leader has this node drop the log after entry {kept}, but entry {needed} was \
             committed here"
        );
        self.0.condemn(&reason);
        Err(io::Error::other(reason))
    }

    fn vote(&self) -> io::Result<Option<Vote>> {
        let vote = self.0.log.state().vote;
        vote.map(|bytes| decode_vote(&bytes).map_err(io::Error::other)).transpose()
    }
}

fn transposed(entries: io::Result<Vec<Entry>>) -> Vec<io::Result<Entry>> {
    match entries {
        Ok(entries) => entries.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}

fn entry(record: Record) -> io::Result<Entry> {
    let payload = decode_payload(&record.payload).map_err(io::Error::other)?;
    Ok(Entry { log_id: log_id_from_position(&record.position), payload })
}

fn half_open(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before + 1,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let range = half_open(&range);
        let mut entries: Vec<Entry> = Vec::new();
        let mut next = range.start;
        while next < range.end {
            let some = self.read_some(next..range.end).await?;
            let Some(last) = some.last() else { break };
            next = last.log_id.index + 1;
            entries.extend(some);
        }
        Ok(entries)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        self.vote()
    }

    /// What one message to a follower carries: bounded by bytes, at least one entry. None when the
    /// first was purged: the core may let entries go that an older replication stream still reads,
    /// and an error would end this node. That stream ends, and its follower gets a snapshot.
    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        match self.read_some(start..end).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.0.room.give_back(start);
                Ok(Vec::new())
            }
            read => read,
        }
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = io::Result<Entry>> + Send
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        self.pieces(half_open(&range))
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.0.log.state();
        Ok(LogState {
            last_purged_log_id: state.purged.as_ref().map(log_id_from_position),
            last_log_id: state.last.as_ref().map(log_id_from_position),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.0.log.save_vote(Bytes::copy_from_slice(&encode_vote(vote))).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        if let Some(committed) = committed {
            self.0.log.save_committed(log_id_to_position(&committed));
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        let state = self.0.log.state();
        let within = state
            .committed
            .filter(|committed| state.last.is_some_and(|last| committed.index <= last.index));
        Ok(within.as_ref().map(log_id_from_position))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let records = entries.into_iter().map(|entry| Record {
            position: log_id_to_position(&entry.log_id),
            payload: encode_payload(&entry.payload),
        });
        let records: Vec<Record> = records.collect();
        let last_index = records.last().map_or(0, |record| record.position.index);
        let (flushed, flushing) = (self.0.flushed.clone(), self.0.flushed.begin(last_index));
        let done = move |result: io::Result<()>| {
            if result.is_ok() {
                flushed.finish(&flushing);
            }
            callback.io_completed(result);
        };
        self.0.log.append(records, Box::new(done));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.check_truncation(last.as_ref())?;
        self.0.flushed.cut(last.map_or(0, |last| last.index));
        self.0.log.truncate_after(last.as_ref().map(log_id_to_position)).await
    }

    async fn purge(&mut self, up_to: LogId) -> io::Result<()> {
        // Readers see it at once and nothing depends on it being durable, so the core does not
        // wait. A disk that fails stops the process by itself.
        drop(self.0.log.purge(log_id_to_position(&up_to)));
        self.0.flushed.purge(up_to.index);
        Ok(())
    }
}
