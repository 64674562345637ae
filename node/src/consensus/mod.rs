//! How nodes agree: the only importer of openraft.
//!
//! [`Group`] is the handle. A write goes `proposal` -> `storage` and `network` -> `state_machine`
//! -> reply; on a follower it goes to the leader first (`proposal::forward`). A read asks the lease
//! or the read index (`read`). `lifecycle` builds it all from a data directory.

mod background;
pub mod errors;
mod group;
mod lifecycle;
mod membership;
pub(crate) mod network;
mod proposal;
mod read;
mod seeded_runtime;
mod shared;
mod snapshot;
mod state_machine;
mod status;
mod storage;
mod time;
mod types;

pub use errors::{ProposeError, ReadError, Refusal};
pub use group::Group;
pub use lifecycle::{GroupOptions, StartError, check_facts};
pub use membership::admin_status::expected_from_proto;
pub use membership::change::{Change, ChangeError, Expected};
pub use membership::standing;
pub use network::channels::Identity;
pub use shared::Ended;
pub use state_machine::apply::ApplyObserver;
pub use state_machine::fuzzing;
pub use storage::flushed::{FlushGoal, FlushReached};
pub use storage::{log, new_cluster, parts, recover};
pub use time::reset::{TimeAhead, TimeReset};
pub use types::MemberAddresses;
