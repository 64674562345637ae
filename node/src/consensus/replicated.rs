//! The replicated state beside the keys: identity, membership, time. Part of every checkpoint.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut};

use super::convert::{
    ConvertError, decode_membership, encode_membership, log_id_from_position, log_id_to_position,
};
use super::log::LogPosition;
use super::types::{LogId, Membership, SnapshotMeta, StoredMembership};
use crate::base::ids::NodeId;

const VERSION: u8 = 1;
const DAMAGED: ConvertError = ConvertError::Damaged("replicated state");

/// What apply keeps beside the keyspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReplicatedState {
    /// The last applied entry.
    pub(crate) applied: Option<LogId>,
    /// The last applied membership.
    pub(crate) membership: StoredMembership,
    /// Time of the last entry, Unix milliseconds.
    pub(crate) time_ms: u64,
    /// The identity of the cluster, once the first entry named it.
    pub(crate) cluster_id: Option<String>,
    /// Ids that were members once and never come back.
    pub(crate) removed: BTreeSet<NodeId>,
    /// The highest node id ever given away.
    pub(crate) last_node_id: u64,
}

impl ReplicatedState {
    /// Ids count up and are never used again.
    pub(crate) const fn allocate_node(&mut self) -> NodeId {
        self.last_node_id += 1;
        NodeId(self.last_node_id)
    }

    pub(crate) fn name_cluster(&mut self, name: &str) -> Result<(), String> {
        match &self.cluster_id {
            Some(known) if known != name => Err(format!("this is cluster {known}, not {name}")),
            _ => {
                self.cluster_id = Some(name.to_owned());
                Ok(())
            }
        }
    }

    /// Takes over an applied membership. Members that are no longer in it are tombstoned.
    pub(crate) fn change_membership(&mut self, at: LogId, membership: Membership) {
        let kept: BTreeSet<NodeId> = membership.nodes().map(|(id, _)| *id).collect();
        let before = self.membership.nodes().map(|(id, _)| *id);
        self.removed.extend(before.filter(|id| !kept.contains(id)));
        let highest = kept.last().map_or(0, |id| id.0);
        self.last_node_id = self.last_node_id.max(highest);
        self.membership = StoredMembership::new(Some(at), membership);
    }

    pub(crate) fn snapshot_meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_log_id(self.applied.as_ref(), &mut out);
        put_log_id(self.membership.log_id().as_ref(), &mut out);
        encode_membership(self.membership.membership(), &mut out);
        out.put_u64_le(self.time_ms);
        let cluster_id = self.cluster_id.as_deref().unwrap_or_default();
        out.put_u32_le(cluster_id.len() as u32);
        out.put_slice(cluster_id.as_bytes());
        out.put_u32_le(self.removed.len() as u32);
        self.removed.iter().for_each(|id| out.put_u64_le(id.0));
        out.put_u64_le(self.last_node_id);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ConvertError> {
        let mut rest = bytes;
        match rest.try_get_u8().map_err(|_| DAMAGED)? {
            VERSION => {}
            kind => return Err(ConvertError::UnknownKind { what: "replicated state", kind }),
        }
        let applied = take_log_id(&mut rest)?;
        let membership_at = take_log_id(&mut rest)?;
        let membership = StoredMembership::new(membership_at, decode_membership(&mut rest)?);
        let time_ms = take_number(&mut rest)?;
        let length = rest.try_get_u32_le().map_err(|_| DAMAGED)? as usize;
        let name = rest.split_off(..length).ok_or(DAMAGED)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| DAMAGED)?;
        let count = rest.try_get_u32_le().map_err(|_| DAMAGED)?;
        let removed = (0..count)
            .map(|_| take_number(&mut rest).map(NodeId))
            .collect::<Result<BTreeSet<_>, _>>()?;
        let last_node_id = take_number(&mut rest)?;
        if !rest.is_empty() {
            return Err(DAMAGED);
        }
        let cluster_id = (!name.is_empty()).then_some(name);
        Ok(Self { applied, membership, time_ms, cluster_id, removed, last_node_id })
    }
}

fn put_log_id(id: Option<&LogId>, out: &mut Vec<u8>) {
    out.put_u8(u8::from(id.is_some()));
    if let Some(LogPosition { index, term, leader }) = id.map(log_id_to_position) {
        [term, leader, index].into_iter().for_each(|number| out.put_u64_le(number));
    }
}

fn take_log_id(rest: &mut &[u8]) -> Result<Option<LogId>, ConvertError> {
    match rest.try_get_u8().map_err(|_| DAMAGED)? {
        0 => Ok(None),
        1 => {
            let (term, leader, index) =
                (take_number(rest)?, take_number(rest)?, take_number(rest)?);
            Ok(Some(log_id_from_position(&LogPosition { index, term, leader })))
        }
        _ => Err(DAMAGED),
    }
}

fn take_number(rest: &mut &[u8]) -> Result<u64, ConvertError> {
    rest.try_get_u64_le().map_err(|_| DAMAGED)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::consensus::types::MemberAddresses;

    fn membership(ids: &[u64]) -> Membership {
        let nodes = ids.iter().map(|id| (NodeId(*id), MemberAddresses::default()));
        let voters = ids.iter().copied().map(NodeId).collect();
        Membership::new(vec![voters], nodes.collect::<std::collections::BTreeMap<_, _>>()).unwrap()
    }

    fn position(index: u64) -> LogId {
        log_id_from_position(&LogPosition { index, term: 2, leader: 1 })
    }

    #[test]
    fn the_state_reads_back_as_it_was_written() {
        let mut state = ReplicatedState { time_ms: 5, ..ReplicatedState::default() };
        state.name_cluster("c").unwrap();
        state.change_membership(position(0), membership(&[1, 2, 3]));
        state.change_membership(position(4), membership(&[1, 3]));
        state.applied = Some(position(9));
        state.allocate_node();
        assert_eq!(ReplicatedState::decode(&state.encode()).unwrap(), state);
        for length in 0..state.encode().len() {
            assert!(ReplicatedState::decode(&state.encode()[..length]).is_err());
        }
    }

    #[test]
    fn a_removed_member_is_tombstoned_and_its_id_never_given_again() {
        let mut state = ReplicatedState::default();
        state.change_membership(position(0), membership(&[1, 2]));
        assert_eq!(state.allocate_node(), NodeId(3));
        state.change_membership(position(1), membership(&[1, 2, 3]));
        state.change_membership(position(2), membership(&[1, 2]));
        assert!(state.removed.contains(&NodeId(3)));
        assert_eq!(state.allocate_node(), NodeId(4));
    }

    #[test]
    fn a_cluster_is_named_once() {
        let mut state = ReplicatedState::default();
        assert_eq!(state.name_cluster("a"), Ok(()));
        assert_eq!(state.name_cluster("a"), Ok(()));
        assert!(state.name_cluster("b").is_err());
    }
}
