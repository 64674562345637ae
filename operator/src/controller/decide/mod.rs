//! Decisions: whether a spec is valid, and which step comes next. They follow from plain values
//! alone, so that tests can try every situation; `tests/tidy` keeps `kube` out of this folder.

mod observed;
mod plan;
pub(crate) mod quantity;
mod step;
mod validate;

pub(crate) use observed::{
    Answer, Member, Membership, MembershipVersion, NodeId, Observed, Place, Pod, PodState,
    StatefulSet, StatusLatches, Target, Volume, VolumeVersion,
};
pub(crate) use plan::plan;
pub(crate) use step::{Step, Stop, Waiting};
pub(crate) use validate::{ValidatedCluster, validate, warnings};
