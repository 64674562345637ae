//! IronKV on a real Kubernetes cluster: `just e2e` creates one, `just e2e-here` uses an existing
//! one.
//!
//! Each test has its own namespace. Artifacts of a failed test are in `target/e2e-artifacts`. Every
//! test that disturbs a store writes through its Service meanwhile, and finally checks every
//! acknowledged write.

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
