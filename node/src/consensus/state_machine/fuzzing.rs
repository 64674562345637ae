//! Doors for fuzzing to what reads bytes of the disk and of peers. Each takes any bytes and may
//! refuse them, but must not panic, and must mean the same by the same bytes every time.

use std::sync::Arc;

use bytes::Bytes;
use ironkv_proto::raft::v1 as proto;
use prost::Message;

use super::apply::Applier;
use super::progress::Applied;
use super::replicated_state::ReplicatedState;
use crate::base::group_time::GroupTime;
use crate::base::telemetry::Metrics;
use crate::consensus::network::convert;
use crate::consensus::proposal::entry::GroupEntry;
use crate::consensus::types::Payload;
use crate::data::keyspace::KeyspaceLock;

/// The payload of a log entry: read, written again and, if it is a group entry, executed by two
/// replicas, which must then hold the same.
pub fn entry(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(payload) = convert::decode_payload(&bytes) else { return };
    let again = convert::decode_payload(&convert::encode_payload(&payload));
    assert_eq!(again.as_ref().ok(), Some(&payload), "a payload is not read as it was written");
    if let Payload::Normal(entry) = payload
        && let Ok(decoded) = GroupEntry::decode(&entry.0)
    {
        assert_eq!(decoded.encode(), entry.0, "an entry has one form");
        assert_eq!(outcome_of(&bytes), outcome_of(&bytes), "two replicas differ");
    }
}

/// What a fresh replica answers and holds after the entry.
fn outcome_of(bytes: &Bytes) -> (String, String) {
    let keyspace = Arc::new(KeyspaceLock::default());
    let (applied, metrics) =
        (Arc::new(Applied::new(0, GroupTime::default())), Metrics::new(Vec::new()));
    let mut applier = Applier::new(keyspace.clone(), applied, None, metrics.thread());
    let outcome = applier.apply(1, bytes, &mut ReplicatedState::default());
    let digest = keyspace.read().digest();
    (format!("{outcome:?}"), format!("{digest:?}"))
}

/// A message of a peer; the first byte says which.
pub fn message(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind % 7 {
        0 => read::<proto::AppendRequest, _, _>(data, convert::append_from_proto),
        1 => read::<proto::AppendResponse, _, _>(data, convert::append_result_from_proto),
        2 => read::<proto::VoteRequest, _, _>(data, convert::vote_request_from_proto),
        3 => read::<proto::VoteResponse, _, _>(data, convert::vote_response_from_proto),
        4 => read::<proto::TransferLeaderRequest, _, _>(data, convert::transfer_from_proto),
        5 => {
            let convert = convert::transfer_response_from_proto;
            read::<proto::TransferLeaderResponse, _, _>(data, convert);
        }
        _ => {
            let _state = ReplicatedState::decode(data);
        }
    }
}

fn read<M: Message + Default, T, E>(data: &[u8], convert: impl Fn(&M) -> Result<T, E>) {
    if let Ok(message) = M::decode(data) {
        let _converted = convert(&message);
    }
}
