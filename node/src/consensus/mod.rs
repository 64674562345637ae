//! How nodes agree: the only importer of openraft.
//!
//! [`Group`] is the handle. A write goes proposer -> log and followers -> apply thread -> reply; on
//! a follower it goes to the leader first (`forward`). A read asks the gate (`lease`) or a barrier
//! (`reads`). `start` builds it all from a data directory.

mod admin_client;
mod admin_status;
mod applied;
mod apply;
mod apply_thread;
mod campaign;
mod checkpoints;
mod cluster_parameters;
pub(crate) mod convert;
mod entry;
pub mod errors;
mod expirer;
mod forming;
mod forward;
pub mod fuzzing;
mod group;
mod lease;
pub mod log;
mod log_store;
mod machine;
pub mod membership;
mod network;
mod peers;
mod proposer;
mod reads;
mod replicated;
mod room;
mod rpc;
mod runtime;
mod shared;
mod snapshot;
mod start;
mod status;
mod types;
mod unanswered;

pub use admin_status::expected_from_proto;
pub use apply::ApplyObserver;
pub use errors::{ProposeError, ReadError, Refusal};
pub use group::Group;
pub use membership::{Change, ChangeError, Expected};
pub use peers::Identity;
pub use shared::Ended;
pub use start::{GroupOptions, StartError};
pub use types::MemberAddresses;
