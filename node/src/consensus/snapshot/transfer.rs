//! A Raft snapshot is a checkpoint file. Sent in pieces with a checksum each, resumed after a
//! break. The other side is `incoming`.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use ironkv_proto::raft::v1 as proto;
use ironkv_proto::raft::v1::raft_service_client::RaftServiceClient;
use ironkv_proto::types::v1::Route;
use tonic::Status;
use tonic::transport::Channel;

use super::file_worker::Worker;
use crate::base::disk::DiskFile;
use crate::consensus::network::convert;
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::consensus::types::{Snapshot, Vote};

/// A copy that is not whole is taken up again at a multiple of it, whatever the sender's pieces.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

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

/// Sends a snapshot from where the receiver's copy ends, reading on `worker`; the receiver's vote.
pub(crate) async fn send_snapshot(
    worker: Worker,
    mut client: RaftServiceClient<Channel>,
    route: Route,
    vote: Vote,
    snapshot: Snapshot<CheckpointFile>,
    piece_bytes: u64,
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
    let progress = client.snapshot_progress(asked).await?.into_inner();
    match progress.hold() {
        proto::SnapshotHold::Unspecified => {}
        proto::SnapshotHold::Busy => {
            return Err(Status::unavailable("the peer takes over another snapshot"));
        }
        proto::SnapshotHold::NoRoom => {
            return Err(Status::unavailable("the peer's disk has no room for the snapshot"));
        }
    }
    let meta: Bytes = state.encode().into();
    let first = proto::SnapshotChunk {
        route: Some(route),
        vote: Some(convert::vote_to_proto(&vote)),
        name,
        bytes: content.bytes,
        offset: progress.offset.min(content.bytes),
        meta,
        ..proto::SnapshotChunk::default()
    };
    let answer = client
        .install_snapshot(Box::pin(chunks(worker, content, first, piece_bytes)))
        .await?
        .into_inner();
    convert::required_vote(answer.vote.as_ref())
        .map_err(|error| Status::internal(error.to_string()))
}

/// Reads a piece when the connection has room for it. Ends early when the file cannot be read,
/// which the receiver notices by the length.
fn chunks(
    worker: Worker,
    content: CheckpointFile,
    first: proto::SnapshotChunk,
    piece_bytes: u64,
) -> impl Stream<Item = proto::SnapshotChunk> + Send + 'static {
    futures::stream::unfold(Some(first), move |chunk| {
        let (worker, content) = (worker.clone(), content.clone());
        async move {
            let chunk = chunk?;
            let (path, bytes) = (content.path.clone(), content.bytes);
            match worker.run(move || read_chunk(&content, chunk, piece_bytes)).await {
                Ok(Ok(chunk)) => {
                    let end = chunk.offset + chunk.data.len() as u64;
                    let next = (end < bytes)
                        .then(|| proto::SnapshotChunk { offset: end, ..chunk.clone() });
                    Some((chunk, next))
                }
                Ok(Err(error)) | Err(error) => {
                    tracing::error!(path = %path.display(), %error, "cannot read checkpoint");
                    None
                }
            }
        }
    })
}

fn read_chunk(
    content: &CheckpointFile,
    chunk: proto::SnapshotChunk,
    piece_bytes: u64,
) -> std::io::Result<proto::SnapshotChunk> {
    let rest = content.bytes - chunk.offset;
    let mut data = vec![0; rest.min(piece_bytes) as usize];
    content.file.read_exact_at(&mut data, chunk.offset)?;
    Ok(proto::SnapshotChunk { checksum: crc32c::crc32c(&data), data: data.into(), ..chunk })
}
