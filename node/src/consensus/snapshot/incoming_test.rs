#![allow(clippy::unwrap_used)]

use futures::stream;

use super::*;
use crate::base::disk::MemoryDisk;
use crate::base::ids::{DatabaseId, GroupId, NodeId};
use crate::base::threads::ThreadMain;
use crate::consensus::network::convert::log_id_from_position;
use crate::consensus::storage::log::LogPosition;
use crate::data::checkpoint::Header;
use crate::data::keyspace::{Keyspace, Object};
use crate::data::types::{StringValue, TypedValue};

/// Threads are tasks of the test's own runtime, whose clock stands still until all wait.
struct Tasks;

impl Threads for Tasks {
    fn spawn(&self, _name: &str, main: ThreadMain) -> tokio::sync::oneshot::Receiver<()> {
        let (ended, wait) = tokio::sync::oneshot::channel();
        tokio::task::spawn_local(async move {
            main().await;
            let _ = ended.send(());
        });
        wait
    }
}

fn simulate(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

fn directory() -> &'static Path {
    Path::new("/data/group-0")
}

struct Sender {
    name: String,
    content: Vec<u8>,
    meta: Vec<u8>,
}

impl Sender {
    /// With a checkpoint of a few megabytes at this log index.
    fn new(name: &str, index: u64) -> Self {
        let disk = MemoryDisk::new();
        let path = Path::new("/data/checkpoint");
        let applied = LogPosition { index, term: 2, leader: 1 };
        let state = ReplicatedState {
            applied: Some(log_id_from_position(&applied)),
            ..ReplicatedState::default()
        };
        let mut keyspace = Keyspace::default();
        for number in 0..60_u8 {
            let value = StringValue::new(&[number; 50_000]).into_value();
            let object = Object::new(value, None, 0);
            keyspace.database_mut(DatabaseId(0)).insert(format!("key:{number}"), object);
        }
        let header = Header { group: GroupId::FIRST, index, state: state.encode().into() };
        checkpoint::write(&disk, path, &header, &keyspace, Arc::new(|| 0)).unwrap();
        let file = disk.open(path).unwrap();
        let mut content = vec![0; file.length().unwrap() as usize];
        file.read_exact_at(&mut content, 0).unwrap();
        assert!(content.len() > 3 * CHUNK_BYTES);
        Self { name: name.to_owned(), content, meta: state.encode() }
    }

    fn bytes(&self) -> u64 {
        self.content.len() as u64
    }

    fn chunks_from(&self, offset: u64) -> Vec<Result<proto::SnapshotChunk, Status>> {
        let vote = proto::Vote { term: 3, node_id: 2, committed: true };
        let parts = self.content[offset as usize..].chunks(CHUNK_BYTES).zip(0_u64..);
        let chunk = |(data, number): (&[u8], u64)| proto::SnapshotChunk {
            vote: Some(vote),
            name: self.name.clone(),
            bytes: self.bytes(),
            offset: offset + number * CHUNK_BYTES as u64,
            data: data.to_vec().into(),
            checksum: crc32c::crc32c(data),
            meta: self.meta.clone().into(),
            ..proto::SnapshotChunk::default()
        };
        parts.map(chunk).map(Ok).collect()
    }

    async fn progress(&self, incoming: &Incoming) -> Progress {
        incoming.progress(&self.name, self.bytes()).await.unwrap()
    }

    async fn send(&self, incoming: &Incoming, from: u64) -> Result<Received, Status> {
        incoming.receive(stream::iter(self.chunks_from(from))).await
    }

    /// Begins and breaks off after some pieces.
    async fn send_some(&self, incoming: &Incoming, pieces: usize) {
        let chunks = self.chunks_from(0).into_iter().take(pieces);
        let broken = incoming.receive(stream::iter(chunks)).await;
        assert_eq!(broken.err().unwrap().code(), tonic::Code::Aborted);
    }
}

fn receiver(disk: &MemoryDisk) -> Incoming {
    Incoming::start(Arc::new(disk.clone()), directory(), &Tasks)
}

fn files(disk: &MemoryDisk) -> usize {
    disk.list(directory()).unwrap().len()
}

#[test]
fn a_transfer_that_breaks_anywhere_is_taken_up_where_it_ended() {
    simulate(async {
        let sender = Sender::new("1-a", 9);
        for broken_at in [0, 1, 4095, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7] {
            let disk = MemoryDisk::new();
            sender.send_some(&receiver(&disk), broken_at.div_ceil(CHUNK_BYTES)).await;
            if let Ok(file) = disk.open(&directory().join("incoming-1-a")) {
                file.set_length(broken_at as u64).unwrap();
            }
            // After a restart too.
            let incoming = receiver(&disk);
            let from = (broken_at / CHUNK_BYTES * CHUNK_BYTES) as u64;
            assert_eq!(sender.progress(&incoming).await, Progress::From(from));
            let received = sender.send(&incoming, from).await.unwrap();
            assert_eq!(received.snapshot.meta.last_log_id.unwrap().index, 9);
            assert_eq!(received.vote.leader_id.node_id, NodeId(2));
        }
    });
}

#[test]
fn a_copy_that_went_away_is_begun_again_and_never_extended_with_zeros() {
    simulate(async {
        let (disk, sender) = (MemoryDisk::new(), Sender::new("1-a", 9));
        let incoming = receiver(&disk);
        sender.send_some(&incoming, 2).await;
        assert_eq!(sender.progress(&incoming).await, Progress::From(2 * CHUNK_BYTES as u64));
        disk.remove(&directory().join("incoming-1-a")).unwrap();
        let refused = sender.send(&incoming, 2 * CHUNK_BYTES as u64).await.err().unwrap();
        assert_eq!(refused.code(), tonic::Code::Aborted, "{refused}");
        assert_eq!(sender.progress(&incoming).await, Progress::From(0));
        sender.send(&incoming, 0).await.unwrap();
    });
}

#[test]
fn a_copy_whose_flush_failed_is_begun_again() {
    simulate(async {
        let (disk, sender) = (MemoryDisk::new(), Sender::new("1-a", 9));
        let incoming = receiver(&disk);
        disk.fail_sync_after(0);
        assert!(sender.send(&incoming, 0).await.is_err());
        assert_eq!(sender.progress(&incoming).await, Progress::From(0));
        sender.send(&incoming, 0).await.unwrap();
    });
}

#[test]
fn nothing_touches_a_file_that_is_being_taken_over() {
    simulate(async {
        let (disk, one, two) = (MemoryDisk::new(), Sender::new("1-a", 9), Sender::new("2-b", 11));
        let incoming = receiver(&disk);
        let received = one.send(&incoming, 0).await.unwrap();
        let busy = Progress::Hold(proto::SnapshotHold::Busy);
        for sender in [&one, &two] {
            assert_eq!(sender.progress(&incoming).await, busy);
            let refused = sender.send(&incoming, 0).await.err().unwrap();
            assert_eq!(refused.code(), tonic::Code::Unavailable);
        }
        incoming.remove_leftovers().await.unwrap();
        assert!(disk.open(&received.snapshot.snapshot.path).is_ok());
        drop(received);
        incoming.remove_leftovers().await.unwrap();
        assert_eq!(files(&disk), 0, "what the core did not want is removed");
        two.send(&incoming, 0).await.unwrap();
    });
}

#[test]
fn a_sender_that_is_gone_before_its_file_is_checked_keeps_no_other_away() {
    simulate(async {
        let (disk, sender) = (MemoryDisk::new(), Sender::new("1-a", 9));
        let incoming = receiver(&disk);
        let chunks = sender.chunks_from(0);
        let pieces = chunks.len();
        let mut receiving = Box::pin(incoming.receive(stream::iter(chunks)));
        for _ in 0..pieces {
            // Lets the thread take the piece before.
            tokio::task::yield_now().await;
            assert!(futures::poll!(&mut receiving).is_pending(), "one piece a time");
        }
        drop(receiving);
        let last = (sender.bytes() - 1) / CHUNK_BYTES as u64 * CHUNK_BYTES as u64;
        assert_eq!(sender.progress(&incoming).await, Progress::From(last), "the file is whole");
        sender.send(&incoming, last).await.unwrap();
    });
}

#[test]
fn another_snapshot_waits_for_a_transfer_that_is_alive_and_replaces_one_that_is_not() {
    simulate(async {
        let (disk, one, two) = (MemoryDisk::new(), Sender::new("1-a", 9), Sender::new("2-b", 11));
        let incoming = receiver(&disk);
        one.send_some(&incoming, 2).await;
        assert_eq!(two.progress(&incoming).await, Progress::Hold(proto::SnapshotHold::Busy));
        tokio::time::sleep(SILENCE_MAX).await;
        assert_eq!(two.progress(&incoming).await, Progress::From(0));
        assert_eq!(files(&disk), 0, "the older one is given up");
        two.send(&incoming, 0).await.unwrap();
    });
}

#[test]
fn what_an_older_stream_still_sends_is_refused() {
    simulate(async {
        let (disk, sender) = (MemoryDisk::new(), Sender::new("1-a", 9));
        let incoming = receiver(&disk);
        let (more, older) = tokio::sync::mpsc::unbounded_channel();
        let this = incoming.clone();
        let older = tokio::task::spawn_local(async move {
            let older = tokio_stream::wrappers::UnboundedReceiverStream::new(older);
            this.receive(older).await.err().unwrap()
        });
        let mut chunks = sender.chunks_from(0).into_iter();
        more.send(chunks.next().unwrap()).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let received = sender.send(&incoming, 0).await.unwrap();
        // A damaged piece ends a transfer and removes its file, but never that of another.
        let damaged = chunks
            .next()
            .unwrap()
            .map(|chunk| proto::SnapshotChunk { checksum: chunk.checksum ^ 1, ..chunk });
        more.send(damaged).unwrap();
        let refused = older.await.unwrap();
        assert!(refused.message().contains("another transfer"), "{refused}");
        assert!(disk.open(&received.snapshot.snapshot.path).is_ok(), "the core's file is gone");
    });
}

#[test]
fn a_file_that_is_damaged_or_another_than_announced_is_removed_and_never_given_to_the_core() {
    simulate(async {
        let disk = MemoryDisk::new();
        let incoming = receiver(&disk);
        let mut flipped = Sender::new("1-a", 9);
        flipped.content[100_000] ^= 1;
        let mut zeros = Sender::new("1-a", 9);
        zeros.content[..CHUNK_BYTES].fill(0);
        let other = Sender { meta: Sender::new("1-a", 10).meta, ..Sender::new("1-a", 9) };
        let no_meta = Sender { meta: Vec::new(), ..Sender::new("1-a", 9) };
        for sender in [flipped, zeros, other, no_meta] {
            let refused = sender.send(&incoming, 0).await.err().unwrap();
            assert_eq!(refused.code(), tonic::Code::DataLoss, "{refused}");
            assert_eq!(files(&disk), 0, "it must not be taken up again");
        }
        Sender::new("1-a", 9).send(&incoming, 0).await.unwrap();
    });
}

#[test]
fn a_snapshot_without_room_is_put_off_and_leaves_none_of_it_behind() {
    simulate(async {
        let (disk, sender) = (MemoryDisk::new(), Sender::new("1-a", 9));
        let incoming = receiver(&disk);
        disk.set_capacity(Some(sender.bytes() - 1));
        let no_room = Progress::Hold(proto::SnapshotHold::NoRoom);
        assert_eq!(sender.progress(&incoming).await, no_room);
        assert!(incoming.lacks_room());
        // The room may also go on the way.
        let refused = sender.send(&incoming, 0).await.err().unwrap();
        assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
        assert_eq!(files(&disk), 0);
        disk.set_capacity(None);
        assert_eq!(sender.progress(&incoming).await, Progress::From(0));
        assert!(!incoming.lacks_room());
        sender.send(&incoming, 0).await.unwrap();
    });
}
