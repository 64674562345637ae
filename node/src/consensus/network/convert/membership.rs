//! Memberships and snapshot descriptions as bytes: in the log, in checkpoints, beside snapshots.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut};

use super::ConvertError;
use crate::base::ids::NodeId;
use crate::consensus::types::{MemberAddresses, Membership};

const MEMBERS_MAX: usize = 1024;

/// Configurations (two while a change is under way), then every member with its addresses.
pub(crate) fn encode_membership(membership: &Membership, out: &mut Vec<u8>) {
    let configurations = membership.get_joint_config();
    out.put_u32_le(configurations.len() as u32);
    for voters in configurations {
        out.put_u32_le(voters.len() as u32);
        voters.iter().for_each(|voter| out.put_u64_le(voter.0));
    }
    let nodes: Vec<_> = membership.nodes().collect();
    out.put_u32_le(nodes.len() as u32);
    for (id, addresses) in nodes {
        out.put_u64_le(id.0);
        for address in [&addresses.raft, &addresses.client, &addresses.http] {
            out.put_u32_le(address.len() as u32);
            out.put_slice(address.as_bytes());
        }
    }
}

/// Reads what [`encode_membership`] wrote and moves `rest` behind it.
pub(crate) fn decode_membership(rest: &mut &[u8]) -> Result<Membership, ConvertError> {
    let configurations = (0..count(rest)?)
        .map(|_| (0..count(rest)?).map(|_| Ok(NodeId(number(rest)?))).collect())
        .collect::<Result<Vec<BTreeSet<NodeId>>, ConvertError>>()?;
    let mut nodes = BTreeMap::new();
    for _ in 0..count(rest)? {
        let id = NodeId(number(rest)?);
        let (raft, client, http) = (text(rest)?, text(rest)?, text(rest)?);
        nodes.insert(id, MemberAddresses { raft, client, http });
    }
    Membership::new(configurations, nodes).map_err(|_| ConvertError::Damaged("membership"))
}

fn count(rest: &mut &[u8]) -> Result<usize, ConvertError> {
    let count = rest.try_get_u32_le().map_err(|_| ConvertError::Damaged("membership"))? as usize;
    if count > MEMBERS_MAX { Err(ConvertError::Damaged("membership")) } else { Ok(count) }
}

fn number(rest: &mut &[u8]) -> Result<u64, ConvertError> {
    rest.try_get_u64_le().map_err(|_| ConvertError::Damaged("membership"))
}

fn text(rest: &mut &[u8]) -> Result<String, ConvertError> {
    let length = rest.try_get_u32_le().map_err(|_| ConvertError::Damaged("address"))? as usize;
    let bytes = rest.split_off(..length).ok_or(ConvertError::Damaged("address"))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| ConvertError::Damaged("address"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(configurations: &[&[u64]], members: &[u64]) {
        let configurations =
            configurations.iter().map(|ids| ids.iter().copied().map(NodeId).collect()).collect();
        let nodes: BTreeMap<_, _> = members
            .iter()
            .map(|id| {
                let raft = format!("node-{id}.cluster.local:6380");
                (NodeId(*id), MemberAddresses { raft, ..MemberAddresses::default() })
            })
            .collect();
        let membership = Membership::new(configurations, nodes).unwrap();
        let mut bytes = Vec::new();
        encode_membership(&membership, &mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(decode_membership(&mut rest).unwrap(), membership);
        assert!(rest.is_empty());
        for length in 0..bytes.len() {
            assert!(decode_membership(&mut &bytes[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_membership_reads_back_as_it_was_written() {
        check(&[&[1]], &[1]);
        check(&[&[1, 2, 3]], &[1, 2, 3, 4]);
        check(&[&[1, 2, 3], &[2, 3, 4]], &[1, 2, 3, 4, 9]);
    }
}
