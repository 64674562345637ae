//! Real processes under kills, pauses and partitions: every run ends with the checkers and with
//! equal digests, and every fault must have a visible effect.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod clocks;
mod controls;
mod disks;
mod full_speed;
mod guard;
mod load;
mod members;
mod nemesis;
mod workloads;

use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use ironkv_tests::process::is_long;

use load::Load;
use nemesis::Fault;

/// Seconds of a run with faults; the long form is for a night.
fn duration() -> Duration {
    Duration::from_secs(if is_long() { 300 } else { 15 })
}

async fn check(faults: &[Fault], settings: &[(&str, &str)]) {
    let mut cluster = Cluster::start_with(3, settings).await;
    let load = Load::start(&cluster, duration());
    let effects = nemesis::disturb(&mut cluster, faults, duration()).await;
    nemesis::heal(&mut cluster).await;
    cluster.wait_writable().await;
    // The healed cluster must serve, and the load checks its answers.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let recorded = load.finish(&mut cluster).await;
    cluster.equal_digests().await;
    recorded.check();
    effects.assert_all_had_effect(faults);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing() {
    check(&[Fault::KillLeader, Fault::KillFollower, Fault::KillAll], &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pauses_serve_nothing_stale() {
    check(&[Fault::PauseLeader, Fault::PauseFollower], &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_split_nothing() {
    let faults = [Fault::IsolateLeader, Fault::IsolateFollower, Fault::DeafLeader, Fault::Transfer];
    check(&faults, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_at_once_with_small_checkpoints_and_quorum_reads() {
    let settings = [("reads.mode", "quorum"), ("checkpoint.log_bytes_min", "1mb")];
    check(&Fault::ALL, &settings).await;
}
