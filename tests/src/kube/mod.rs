//! Tests on a real Kubernetes cluster, used as its users do: by `kubectl` and `helm`.
//!
//! [`Kube`] runs them on one explicit cluster, [`Namespace`] is a test's own namespace and stores
//! artifacts of a failure, [`Store`] is an IronKV cluster in it, [`until`] waits and reports what
//! it saw last, [`Traffic`] writes and reads through a service meanwhile and knows what must exist.

mod artifacts;
mod client;
mod namespace;
pub mod operator;
pub mod record;
mod store;
mod traffic;
mod wait;

pub use client::{Failure, Kube};
pub use namespace::Namespace;
pub use store::{Store, condition};
pub use traffic::Traffic;
pub use wait::until;
