//! The replicated state beside the keys: identity, membership, time. Part of every checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut};

use crate::base::feature_level::{FeatureLevel, UnknownLevel};
use crate::base::group_time::GroupTime;
use crate::base::ids::NodeId;
use crate::consensus::network::convert::{
    ConvertError, decode_membership, encode_membership, log_id_from_position, log_id_to_position,
};
use crate::consensus::storage::log::LogPosition;
use crate::consensus::types::{LogId, Membership, SnapshotMeta, StoredMembership};
use crate::data::lineage::Registration;

/// The form that version 0.1.0 reads and writes, so the one that is written while the cluster runs
/// at the first feature level: a checkpoint may be sent to any member, and a program that was
/// replaced by a newer one must find its own data again until the level has risen.
const VERSION_FIRST: u8 = 1;

/// The same, then the feature level, then what came with it.
const VERSION_WITH_LEVEL: u8 = 2;

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
    /// How many times it was set back by [`ReplicatedState::reset_time`].
    pub(crate) time_epoch: u32,
    /// The identity of the cluster, once the first entry named it.
    pub(crate) cluster_id: Option<String>,
    /// Ids that were members once and never come back.
    pub(crate) removed: BTreeSet<NodeId>,
    /// The highest node id ever given away.
    pub(crate) last_node_id: u64,
    /// What every member understands.
    pub(crate) feature_level: FeatureLevel,
    /// The incarnation in force of every member that has one.
    pub(crate) incarnations: BTreeMap<NodeId, Registration>,
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

    /// Levels never fall: two leaders may raise it one after the other.
    pub(crate) fn raise_level(&mut self, level: FeatureLevel) {
        self.feature_level = self.feature_level.max(level);
    }

    /// Time of the last entry.
    pub(crate) const fn time(&self) -> GroupTime {
        GroupTime::new(self.time_epoch, self.time_ms)
    }

    /// Sets the time of the last entry back. What a node remembers of the time before is not later
    /// than the new one, see [`GroupTime`].
    pub(crate) fn reset_time(&mut self, to_ms: u64) -> Result<(), String> {
        if to_ms >= self.time_ms {
            return Err("the cluster's time is not ahead any more".to_owned());
        }
        if self.time_epoch >= GroupTime::EPOCH_MAX {
            return Err(format!("the time was set back {} times already", self.time_epoch));
        }
        self.time_epoch += 1;
        self.time_ms = to_ms;
        Ok(())
    }

    /// Registers the incarnation of a member at a log index, if `replaces` is where the one in
    /// force was registered: a leader may decide on what has changed since.
    pub(crate) fn register(
        &mut self,
        node: NodeId,
        incarnation: u64,
        replaces: u64,
        index: u64,
    ) -> Result<(), String> {
        if self.membership.get_node(&node).is_none() {
            return Err(format!("node {node} is not a member"));
        }
        let in_force = self.incarnations.get(&node).map_or(0, |registered| registered.index);
        if in_force != replaces {
            return Err(format!("the incarnation of node {node} has changed at {in_force}"));
        }
        self.incarnations.insert(node, Registration { incarnation, index });
        Ok(())
    }

    /// Takes over an applied membership. Members that are no longer in it are tombstoned.
    pub(crate) fn change_membership(&mut self, at: LogId, membership: Membership) {
        let kept: BTreeSet<NodeId> = membership.nodes().map(|(id, _)| *id).collect();
        let before = self.membership.nodes().map(|(id, _)| *id);
        self.removed.extend(before.filter(|id| !kept.contains(id)));
        self.incarnations.retain(|id, _| kept.contains(id));
        let highest = kept.last().map_or(0, |id| id.0);
        self.last_node_id = self.last_node_id.max(highest);
        self.membership = StoredMembership::new(Some(at), membership);
    }

    pub(crate) fn snapshot_meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let first = self.feature_level == FeatureLevel::FIRST;
        let mut out = vec![if first { VERSION_FIRST } else { VERSION_WITH_LEVEL }];
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
        if !first {
            out.put_u32_le(self.feature_level.0);
            out.put_u32_le(self.time_epoch);
            out.put_u32_le(self.incarnations.len() as u32);
            for (id, registered) in &self.incarnations {
                [id.0, registered.incarnation, registered.index]
                    .into_iter()
                    .for_each(|number| out.put_u64_le(number));
            }
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ConvertError> {
        let mut rest = bytes;
        let version = rest.try_get_u8().map_err(|_| DAMAGED)?;
        match version {
            VERSION_FIRST | VERSION_WITH_LEVEL => {}
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
        let (mut feature_level, mut time_epoch) = (FeatureLevel::FIRST, 0);
        if version != VERSION_FIRST {
            feature_level = FeatureLevel(rest.try_get_u32_le().map_err(|_| DAMAGED)?);
            if !feature_level.is_known() {
                return Err(ConvertError::UnknownLevel(UnknownLevel(feature_level)));
            }
            time_epoch = rest.try_get_u32_le().map_err(|_| DAMAGED)?;
        }
        let incarnations = match version {
            VERSION_FIRST => BTreeMap::new(),
            _ => take_incarnations(&mut rest)?,
        };
        if !rest.is_empty() {
            return Err(DAMAGED);
        }
        let cluster_id = (!name.is_empty()).then_some(name);
        Ok(Self {
            applied,
            membership,
            time_ms,
            time_epoch,
            cluster_id,
            removed,
            last_node_id,
            feature_level,
            incarnations,
        })
    }
}

fn take_incarnations(rest: &mut &[u8]) -> Result<BTreeMap<NodeId, Registration>, ConvertError> {
    let count = rest.try_get_u32_le().map_err(|_| DAMAGED)?;
    let one = |_| {
        let id = NodeId(take_number(rest)?);
        let (incarnation, index) = (take_number(rest)?, take_number(rest)?);
        Ok((id, Registration { incarnation, index }))
    };
    (0..count).map(one).collect()
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

    /// The bytes that version 0.1.0 writes for this state.
    const OF_VERSION_0_1_0: &[u8] = &[
        1, // version
        1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, // applied
        0, // no log id of the membership
    ];

    #[test]
    fn the_first_level_is_written_as_version_0_1_0_reads_it() {
        let mut state = ReplicatedState { applied: Some(position(9)), ..Default::default() };
        let before = state.encode();
        assert!(before.starts_with(OF_VERSION_0_1_0), "{before:?}");
        assert_eq!(ReplicatedState::decode(&before).unwrap().feature_level, FeatureLevel::FIRST);
        state.raise_level(FeatureLevel::SECOND);
        state.raise_level(FeatureLevel::FIRST);
        assert_eq!(state.feature_level, FeatureLevel::SECOND);
        state.time_ms = 50;
        state.reset_time(5).unwrap();
        let after = state.encode();
        assert_eq!(after[0], VERSION_WITH_LEVEL);
        assert_eq!(ReplicatedState::decode(&after).unwrap(), state);
        let mut registered = state.clone();
        registered.change_membership(position(3), membership(&[1, 2]));
        registered.register(NodeId(2), 77, 0, 4).unwrap();
        let bytes = registered.encode();
        assert_eq!(ReplicatedState::decode(&bytes).unwrap(), registered);
        for length in 0..bytes.len() {
            assert!(ReplicatedState::decode(&bytes[..length]).is_err());
        }
        let above = ReplicatedState { feature_level: FeatureLevel(9), ..state };
        let refused = ReplicatedState::decode(&above.encode()).unwrap_err().to_string();
        assert!(refused.contains("runs at feature level 9"), "{refused}");
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
    fn the_time_is_set_back_and_is_later_than_before_all_the_same() {
        let mut state = ReplicatedState { time_ms: 5_000, ..ReplicatedState::default() };
        let spoiled = state.time();
        assert!(state.reset_time(5_000).is_err());
        state.reset_time(1_000).unwrap();
        assert!(state.time() > spoiled && state.time().ms() == 1_000);
        state.time_epoch = GroupTime::EPOCH_MAX;
        assert!(state.reset_time(1).is_err());
    }

    #[test]
    fn an_incarnation_is_registered_in_place_of_the_one_that_was_in_force() {
        let mut state = ReplicatedState::default();
        assert!(state.register(NodeId(1), 5, 0, 1).is_err(), "it is no member");
        state.change_membership(position(2), membership(&[1, 2]));
        assert_eq!(state.register(NodeId(1), 5, 0, 3), Ok(()));
        assert!(state.register(NodeId(1), 6, 0, 4).is_err(), "another leader was first");
        assert_eq!(state.register(NodeId(1), 6, 3, 5), Ok(()));
        let expected = Registration { incarnation: 6, index: 5 };
        assert_eq!(state.incarnations.get(&NodeId(1)), Some(&expected));
        state.change_membership(position(6), membership(&[2]));
        assert!(state.incarnations.is_empty(), "it is kept for a member that was removed");
    }

    #[test]
    fn a_cluster_is_named_once() {
        let mut state = ReplicatedState::default();
        assert_eq!(state.name_cluster("a"), Ok(()));
        assert_eq!(state.name_cluster("a"), Ok(()));
        assert!(state.name_cluster("b").is_err());
    }
}
