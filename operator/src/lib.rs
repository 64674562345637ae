//! Runs IronKV clusters on Kubernetes: it watches `IronKVCluster` resources, observes their objects
//! and nodes, and takes one safe step after another towards the spec.
//!
//! The module list is the architecture: each layer uses only those before it. Begin with the page
//! [`docs::architecture`].

mod names;

mod crd;

mod telemetry;

mod metrics;

mod node_admin;

mod context;

mod controller;

mod health;

mod run;

mod cli;

pub mod docs;

pub use cli::run;
