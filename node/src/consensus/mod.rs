//! How nodes agree: the only importer of openraft.
//!
//! [`Group`] is the handle. A write goes `proposal` -> `storage` and `network` -> `state_machine`
//! -> reply; on a follower it goes to the leader first (`proposal::forward`). A read asks the lease
//! or the read index (`read`). `group` builds it all from a data directory and is the only folder
//! that sees every part.

mod background;
pub mod errors;
mod group;
mod leadership;
mod lifetime;
mod membership;
pub(crate) mod network;
mod proposal;
mod raft_handle;
mod raft_metrics;
mod read;
mod seeded_runtime;
mod snapshot;
mod state_machine;
mod storage;
mod tasks;
mod time;
mod types;

pub use errors::{ProposeError, ReadError, Refusal, StartError};
pub use group::{Group, GroupOptions, check_facts, expected_from_proto};
pub use lifetime::Ended;
pub use membership::change::{Change, ChangeError, Expected};
pub use membership::standing;
pub use network::channels::Identity;
pub use state_machine::apply::ApplyObserver;
pub use state_machine::fuzzing;
pub use storage::flushed::{FlushGoal, FlushReached};
pub use storage::{log, new_cluster, parts, recover};
pub use time::reset::{TimeAhead, TimeReset};
pub use types::MemberAddresses;
