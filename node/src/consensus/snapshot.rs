//! A Raft snapshot is a checkpoint file. Sent in pieces with a checksum each, resumed after a
//! break.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use ironkv_proto::raft::v1 as proto;
use ironkv_proto::raft::v1::raft_service_client::RaftServiceClient;
use ironkv_proto::types::v1::Route;
use tonic::Status;
use tonic::transport::Channel;

use super::convert;
use super::replicated::ReplicatedState;
use super::types::{Snapshot, Vote};
use crate::base::disk::{Disk, DiskFile};

const CHUNK_BYTES: usize = 1 << 20;
const INCOMING: &str = "incoming-";

/// A whole checkpoint file, open, so that it stays readable when a newer one replaces it.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its content.
    pub(crate) file: Arc<dyn DiskFile>,
    /// Its length.
    pub(crate) bytes: u64,
}

/// Sends a snapshot from where the receiver's copy ends; the receiver's vote.
pub(crate) async fn send_snapshot(
    mut client: RaftServiceClient<Channel>,
    route: Route,
    vote: Vote,
    snapshot: Snapshot<CheckpointFile>,
) -> Result<Vote, Status> {
    let content = snapshot.snapshot;
    let file_name = content.path.file_name().unwrap_or_default().to_string_lossy();
    // Files of different nodes differ, even at the same log index.
    let name = format!("{}-{file_name}", vote.leader_id.node_id);
    let state = ReplicatedState {
        applied: snapshot.meta.last_log_id,
        membership: snapshot.meta.last_membership,
        ..ReplicatedState::default()
    };
    let asked = proto::SnapshotProgressRequest {
        route: Some(route.clone()),
        name: name.clone(),
        bytes: content.bytes,
    };
    let offset = client.snapshot_progress(asked).await?.into_inner().offset;
    let meta: Bytes = state.encode().into();
    let first = proto::SnapshotChunk {
        route: Some(route),
        vote: Some(convert::vote_to_proto(&vote)),
        name,
        bytes: content.bytes,
        offset: offset.min(content.bytes),
        meta,
        ..proto::SnapshotChunk::default()
    };
    let answer = client.install_snapshot(chunks(content, first)).await?.into_inner();
    convert::required_vote(answer.vote.as_ref())
        .map_err(|error| Status::internal(error.to_string()))
}

/// Reads a piece when the connection has room for it. Ends early when the file cannot be read,
/// which the receiver notices by the length.
fn chunks(
    content: CheckpointFile,
    first: proto::SnapshotChunk,
) -> impl Stream<Item = proto::SnapshotChunk> + Send + 'static {
    futures::stream::unfold(Some(first), move |chunk| {
        let piece = chunk.and_then(|mut chunk| {
            let rest = content.bytes - chunk.offset;
            let mut data = vec![0; rest.min(CHUNK_BYTES as u64) as usize];
            if let Err(error) = content.file.read_exact_at(&mut data, chunk.offset) {
                tracing::error!(path = %content.path.display(), %error, "cannot read checkpoint");
                return None;
            }
            chunk.checksum = crc32c::crc32c(&data);
            chunk.data = data.into();
            let end = chunk.offset + chunk.data.len() as u64;
            let next = (end < content.bytes)
                .then(|| proto::SnapshotChunk { offset: end, ..chunk.clone() });
            Some((chunk, next))
        });
        std::future::ready(piece)
    })
}

/// The receiving side: collects a file beside the checkpoints.
pub(crate) struct SnapshotReceiver {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
}

/// A file that arrived whole, with what came along.
pub(crate) struct Received {
    pub(crate) vote: Vote,
    pub(crate) snapshot: Snapshot<CheckpointFile>,
}

impl SnapshotReceiver {
    pub(crate) fn new(disk: Arc<dyn Disk>, directory: &Path) -> Self {
        Self { disk, directory: directory.to_owned() }
    }

    /// Bytes of this very file that an earlier transfer left here. Other leftovers are removed.
    pub(crate) fn progress(&self, name: &str, bytes: u64) -> io::Result<u64> {
        let wanted = self.path(name)?;
        let mut have = 0;
        for path in self.disk.list(&self.directory)? {
            let leftover =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(INCOMING));
            if path == wanted {
                have = self.disk.open(&path)?.length()?;
            } else if leftover {
                self.disk.remove(&path)?;
            }
        }
        // The last piece is always sent, because the description comes with it.
        let whole = (have / CHUNK_BYTES as u64) * CHUNK_BYTES as u64;
        Ok(if whole >= bytes { 0 } else { whole })
    }

    /// Writes pieces until the file is whole and durable.
    pub(crate) async fn receive<S>(&self, mut chunks: S) -> Result<Received, Status>
    where
        S: Stream<Item = Result<proto::SnapshotChunk, Status>> + Unpin,
    {
        let mut open: Option<(PathBuf, Arc<dyn DiskFile>)> = None;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if crc32c::crc32c(&chunk.data) != chunk.checksum {
                return Err(Status::data_loss("a piece of the snapshot arrived damaged"));
            }
            let (path, file) = match &open {
                Some(open) => open.clone(),
                None => self.open(&chunk).map_err(|error| internal(&error))?,
            };
            if file.length().map_err(|error| internal(&error))? < chunk.offset {
                return Err(Status::data_loss("a piece of the snapshot is missing"));
            }
            file.write_all_at(&chunk.data, chunk.offset).map_err(|error| internal(&error))?;
            if chunk.offset + chunk.data.len() as u64 == chunk.bytes {
                return finish(&chunk, path, file);
            }
            open = Some((path, file));
        }
        Err(Status::aborted("the snapshot ended before it was whole"))
    }

    fn open(&self, chunk: &proto::SnapshotChunk) -> io::Result<(PathBuf, Arc<dyn DiskFile>)> {
        let path = self.path(&chunk.name)?;
        let file = match self.disk.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.disk.create(&path)?,
            Err(error) => return Err(error),
        };
        file.set_length(chunk.offset)?;
        Ok((path, file))
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > 128 || !name.chars().all(plain) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "bad snapshot name"));
        }
        Ok(self.directory.join(format!("{INCOMING}{name}")))
    }
}

fn finish(
    chunk: &proto::SnapshotChunk,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
) -> Result<Received, Status> {
    file.sync_data().map_err(|error| internal(&error))?;
    let damaged = |error: convert::ConvertError| Status::data_loss(error.to_string());
    let state = ReplicatedState::decode(&chunk.meta).map_err(damaged)?;
    let vote = convert::required_vote(chunk.vote.as_ref()).map_err(damaged)?;
    let content = CheckpointFile { path, file, bytes: chunk.bytes };
    Ok(Received { vote, snapshot: Snapshot { meta: state.snapshot_meta(), snapshot: content } })
}

fn internal(error: &io::Error) -> Status {
    Status::internal(format!("cannot keep the snapshot: {error}"))
}
