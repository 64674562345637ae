//! Guides, compiled so that their links hold.

#[doc = include_str!("architecture.md")]
pub mod architecture {}
#[doc = include_str!("consistency.md")]
pub mod consistency {}
#[doc = include_str!("compatibility.md")]
pub mod compatibility {}
#[doc = include_str!("consensus.md")]
pub mod consensus {}
#[doc = include_str!("storage_format.md")]
pub mod storage_format {}
#[doc = include_str!("threading.md")]
pub mod threading {}
#[doc = include_str!("operations.md")]
pub mod operations {}
#[doc = include_str!("benchmarks.md")]
pub mod benchmarks {}
#[doc = include_str!("glossary.md")]
pub mod glossary {}

/// Decisions: what was chosen, what was rejected, and what would change our mind.
pub mod decisions {
    #[doc = include_str!("decisions/001_commands_in_the_log.md")]
    pub mod commands_in_the_log {}
    #[doc = include_str!("decisions/002_one_lock_per_group.md")]
    pub mod one_lock_per_group {}
    #[doc = include_str!("decisions/003_one_tree_for_all_collections.md")]
    pub mod one_tree_for_all_collections {}
    #[doc = include_str!("decisions/004_followers_forward_proposals_only.md")]
    pub mod followers_forward_proposals_only {}
    #[doc = include_str!("decisions/005_election_timing.md")]
    pub mod election_timing {}
    #[doc = include_str!("decisions/006_answers_held_back.md")]
    pub mod answers_held_back {}
    #[doc = include_str!("decisions/007_what_a_start_trusts.md")]
    pub mod what_a_start_trusts {}
    #[doc = include_str!("decisions/008_a_majority_removes_a_node.md")]
    pub mod a_majority_removes_a_node {}
    #[doc = include_str!("decisions/009_disks_that_hang_or_go_back.md")]
    pub mod disks_that_hang_or_go_back {}
    #[doc = include_str!("decisions/010_checkpoints_beside_the_core.md")]
    pub mod checkpoints_beside_the_core {}
    #[doc = include_str!("decisions/011_feature_level.md")]
    pub mod feature_level {}
    #[doc = include_str!("decisions/012_flushed_and_fresh.md")]
    pub mod flushed_and_fresh {}
    #[doc = include_str!("decisions/013_one_time_for_the_cluster.md")]
    pub mod one_time_for_the_cluster {}
    #[doc = include_str!("decisions/014_leases_are_what_voters_grant.md")]
    pub mod leases_are_what_voters_grant {}
    #[doc = include_str!("decisions/015_large_requests_in_pieces.md")]
    pub mod large_requests_in_pieces {}
    #[doc = include_str!("decisions/016_incarnations.md")]
    pub mod incarnations {}
}
