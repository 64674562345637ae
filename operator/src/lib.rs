//! Runs IronKV clusters on Kubernetes: watches [`crd::IronKVCluster`], observes what there is, asks
//! the nodes, and takes one careful step after another towards what was asked for.
//!
//! The module list is the architecture: each layer uses only those before it.

pub mod names;

pub mod crd;

pub mod telemetry;

pub mod metrics;

pub mod node_admin;

pub mod context;

pub mod controller;

pub mod health;

mod run;

mod cli;

pub mod docs;

pub use cli::run;
