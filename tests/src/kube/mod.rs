//! Tests on a real Kubernetes cluster, driven as its users drive it: by `kubectl` and `helm`.
//!
//! [`Kube`] runs them against one pinned cluster, [`Namespace`] is a test's own place in it and
//! leaves what is needed to understand a failure, [`Store`] is an IronKV cluster in it, [`until`]
//! waits and says what it saw last, [`Traffic`] writes and reads through a service meanwhile and
//! knows what must be there.

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
