//! The controller of `IronKVCluster`: [`reconcile`] runs the phases, and each folder is one phase.
//!
//! The module list is the order of the layers: each uses only those before it.

mod decide;
mod observe;
mod report;
mod act;
mod reconcile;

pub(crate) use observe::{AffectedCluster, OptionalKinds, optional_kinds, stores};
pub(crate) use reconcile::{Shared, reconcile_guarded, retry};

#[cfg(test)]
mod tests;
