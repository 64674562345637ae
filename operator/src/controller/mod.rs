//! From what is seen to what is done: one careful step at a time. [`reconcile_known`] begins the
//! pipeline.

mod act;
mod apply;
mod assemble;
pub mod build;
mod certificates;
mod conditions;
mod events;
mod kinds;
mod observe;
mod observed;
mod parameters;
mod passwords;
mod plan;
mod problem;
mod quantity;
mod reconcile;
mod secrets;
mod status;
mod step;
pub mod stores;
mod survey;
mod upkeep;
mod validate;

pub use build::OptionalKinds;
pub use kinds::optional_kinds;
pub use observed::{
    Answer, Member, Membership, MembershipVersion, NodeId, Observed, Place, Pod, PodState,
    StatefulSet, Target, Volume,
};
pub use plan::plan;
pub use reconcile::{ReconcileError, Shared, reconcile_known, retry};
pub use step::{Step, Stop, Waiting};
pub use stores::Touched;
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
mod simulation;
#[cfg(test)]
mod situations_test;
#[cfg(test)]
mod stores_test;
#[cfg(test)]
mod world_test;
