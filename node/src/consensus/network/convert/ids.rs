//! Log ids and votes.

use ironkv_proto::{raft::v1 as raft, types::v1 as types};

use super::ConvertError;
use crate::base::ids::NodeId;
use crate::consensus::storage::log::LogPosition;
use crate::consensus::types::{LeaderId, LogId, Vote};

pub(crate) const fn log_id_to_proto(id: &LogId) -> types::LogId {
    types::LogId {
        term: id.leader_id.term,
        leader_node_id: id.leader_id.node_id.0,
        index: id.index,
    }
}

pub(crate) const fn log_id_from_proto(id: &types::LogId) -> LogId {
    log_id(id.term, id.leader_node_id, id.index)
}

pub(crate) const fn log_id_to_position(id: &LogId) -> LogPosition {
    LogPosition { index: id.index, term: id.leader_id.term, leader: id.leader_id.node_id.0 }
}

pub(crate) const fn log_id_from_position(position: &LogPosition) -> LogId {
    log_id(position.term, position.leader, position.index)
}

const fn log_id(term: u64, leader: u64, index: u64) -> LogId {
    LogId { leader_id: LeaderId { term, node_id: NodeId(leader) }, index }
}

pub(crate) const fn vote_to_proto(vote: &Vote) -> raft::Vote {
    raft::Vote {
        term: vote.leader_id.term,
        node_id: vote.leader_id.node_id.0,
        committed: vote.committed,
    }
}

pub(crate) const fn vote_from_proto(vote: &raft::Vote) -> Vote {
    Vote {
        leader_id: LeaderId { term: vote.term, node_id: NodeId(vote.node_id) },
        committed: vote.committed,
    }
}

pub(crate) fn required_vote(vote: Option<&raft::Vote>) -> Result<Vote, ConvertError> {
    vote.map(vote_from_proto).ok_or(ConvertError::Missing("vote"))
}

/// 17 bytes: term, node id (little endian), committed.
pub(crate) fn encode_vote(vote: &Vote) -> [u8; 17] {
    let mut bytes = [0; 17];
    bytes[..8].copy_from_slice(&vote.leader_id.term.to_le_bytes());
    bytes[8..16].copy_from_slice(&vote.leader_id.node_id.0.to_le_bytes());
    bytes[16] = u8::from(vote.committed);
    bytes
}

pub(crate) fn decode_vote(bytes: &[u8]) -> Result<Vote, ConvertError> {
    let bytes: &[u8; 17] = bytes.try_into().map_err(|_| ConvertError::Damaged("vote"))?;
    let number = |from: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[from..from + 8]);
        u64::from_le_bytes(eight)
    };
    let leader_id = LeaderId { term: number(0), node_id: NodeId(number(8)) };
    match bytes[16] {
        0 | 1 => Ok(Vote { leader_id, committed: bytes[16] == 1 }),
        _ => Err(ConvertError::Damaged("vote")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_vote_reads_back_as_it_was_written() {
        for committed in [false, true] {
            let leader_id = LeaderId { term: 7, node_id: NodeId(3) };
            let vote = Vote { leader_id, committed };
            assert_eq!(decode_vote(&encode_vote(&vote)).unwrap(), vote);
            assert_eq!(vote_from_proto(&vote_to_proto(&vote)), vote);
        }
        assert!(decode_vote(&[0; 16]).is_err());
        assert!(decode_vote(&[2; 17]).is_err());
    }
}
