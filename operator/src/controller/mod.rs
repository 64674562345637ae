//! From what is seen to what is done: one careful step at a time.

pub mod build;
mod observed;
mod plan;
mod quantity;
mod step;
mod validate;

pub use observed::{
    Answer, Member, Membership, MembershipVersion, NodeId, Observed, Place, Pod, PodState,
    StatefulSet, Target, Volume,
};
pub use plan::plan;
pub use step::{Step, Stop, Waiting};
pub use validate::{Invalid, ValidatedCluster, Warning, validate, warnings};

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod model_test;
#[cfg(test)]
mod plan_changes_test;
#[cfg(test)]
mod plan_test;
#[cfg(test)]
mod situations_test;
#[cfg(test)]
mod world_test;
