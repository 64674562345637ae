//! Tests of the controller as a whole: the planner in situations and in a model, and the reconcile
//! in a simulated Kubernetes.

pub(super) mod fixtures;

mod model_test;
mod plan_changes_test;
mod plan_test;
mod simulation;
mod situations_test;
mod stores_test;
mod world_test;
