#![allow(clippy::unwrap_used)]

use tokio::time::advance;

use crate::base::clock::Clock;

use super::*;

const FOLLOWER: NodeId = NodeId(2);

/// The paused time of tokio, and how long the machine was suspended.
struct Machine {
    started: Instant,
    suspended_us: AtomicU64,
}

impl Machine {
    fn new() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), suspended_us: AtomicU64::new(0) })
    }

    fn suspend_ms(&self, milliseconds: u64) {
        self.suspended_us.fetch_add(milliseconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for Machine {
    fn unix_us(&self) -> u64 {
        self.boot_us()
    }

    fn boot_us(&self) -> u64 {
        self.awake_us() + self.suspended_us.load(Ordering::Relaxed)
    }

    fn awake_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }
}

fn fresh() -> Freshness {
    Freshness::new(Machine::new())
}

fn echo(stamp: Stamp, quorum_age_us: u64) -> LeaderReport {
    LeaderReport { echo: Some(stamp), quorum_age_us, ..LeaderReport::default() }
}

fn age_ms(freshness: &Freshness, applied: u64) -> Option<u64> {
    freshness.age_ms(applied, 0)
}

async fn after_ms(milliseconds: u64) {
    advance(Duration::from_millis(milliseconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_state_is_as_old_as_the_stamp_whose_commit_index_is_applied() {
    let freshness = fresh();
    after_ms(10).await;
    assert_eq!(age_ms(&freshness, 9), None, "nothing is known at first");
    let stamp = freshness.stamp();
    after_ms(300).await;
    freshness.heard_leader(Some(&echo(stamp, 0)), 10, Duration::ZERO, 9);
    assert_eq!(age_ms(&freshness, 9), None, "what is committed is not applied");
    after_ms(200).await;
    assert_eq!(age_ms(&freshness, 10), Some(500), "the stamp counts, not the message");
    // Heartbeats go on, and apply does not.
    for _ in 0..3 * WAITING_MAX {
        let stamp = freshness.stamp();
        after_ms(100).await;
        freshness.heard_leader(Some(&echo(stamp, 0)), 11, Duration::ZERO, 10);
    }
    assert!(age_ms(&freshness, 10).unwrap() > 1000, "fresh by messages alone");
    assert_eq!(age_ms(&freshness, 11), Some(100));
}

#[tokio::test(start_paused = true)]
async fn stamps_of_another_life_and_reports_without_one_count_for_nothing() {
    let (before, after) = (fresh(), fresh());
    after_ms(50).await;
    let other = Stamp { life: before.life.wrapping_add(1), age_us: 1 << 40 };
    after.heard_leader(Some(&echo(other, 0)), 1, Duration::ZERO, 1);
    after.heard_leader(Some(&LeaderReport::default()), 1, Duration::ZERO, 1);
    assert_eq!(age_ms(&after, 1), None);
}

#[tokio::test(start_paused = true)]
async fn a_leader_without_its_majority_is_worth_what_the_majority_last_said() {
    let freshness = fresh();
    after_ms(5000).await;
    freshness.heard_leader(Some(&echo(freshness.stamp(), 2_000_000)), 1, Duration::ZERO, 1);
    assert_eq!(age_ms(&freshness, 1), Some(2000));
    // The leader's side: no echo before it is confirmed.
    let leader = fresh();
    leader.heard_follower(FOLLOWER, Some(&freshness.stamp()));
    let mut report = LeaderReport::default();
    leader.report_to(FOLLOWER, &mut report);
    assert_eq!(report.echo, None);
    after_ms(100).await;
    leader.confirmed_at.store(leader.now(), Ordering::Relaxed);
    after_ms(30).await;
    leader.report_to(FOLLOWER, &mut report);
    assert_eq!(report.echo, Some(Stamp { life: freshness.life, age_us: 5_000_000 }));
    assert_eq!(report.quorum_age_us, 30_000);
}

#[tokio::test(start_paused = true)]
async fn the_time_for_which_a_machine_is_suspended_makes_its_state_older() {
    let machine = Machine::new();
    let freshness = Freshness::new(machine.clone());
    after_ms(100).await;
    let stamp = freshness.stamp();
    freshness.heard_leader(Some(&echo(stamp, 0)), 1, Duration::ZERO, 1);
    machine.suspend_ms(60_000);
    assert_eq!(age_ms(&freshness, 1), Some(60_000));
    // The leader was asleep: what a majority said before says nothing of now.
    let acknowledged = Instant::now();
    after_ms(10).await;
    let before = freshness.confirmed(|| acknowledged.elapsed());
    assert_eq!(before, None, "sent before the pause was noticed");
    after_ms(1).await;
    let acknowledged = Instant::now();
    after_ms(10).await;
    let confirmed = freshness.confirmed(|| acknowledged.elapsed()).unwrap();
    assert_eq!(freshness.now() - confirmed, 10_000);
    machine.suspend_ms(60_000);
    assert_eq!(freshness.confirmed(|| acknowledged.elapsed()), None);
}
