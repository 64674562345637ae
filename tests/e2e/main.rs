//! IronKV on a real Kubernetes cluster: `just e2e` makes one, `just e2e-here` takes yours.
//!
//! Each test has a namespace of its own. What is left of a failed one is in `target/e2e-artifacts`.
//! Every test that disturbs a store writes through its Service meanwhile, and ends by looking for
//! each write that was acknowledged.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod damage;
mod harness;
mod machines;
mod many;
mod pods;
mod roll;
mod scale;
mod scene;
mod smoke;
