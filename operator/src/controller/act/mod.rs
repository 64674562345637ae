//! Actions: everything that the controller changes in Kubernetes and in the nodes.

mod apply;
pub(crate) mod build;
mod certificates;
mod hash;
mod node_tls;
pub(crate) mod parameters;
mod passwords;
pub(crate) mod patches;
pub(crate) mod secrets;
mod steps;

pub(crate) use apply::Applier;
pub(crate) use steps::{Outcome, StepError, StepExecutor};
