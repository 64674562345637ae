//! One wrong clock among three, and what a leader shows of the time to whom.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;

const MINUTE_US: i64 = 60_000_000;
const YEAR_US: i64 = 365 * 24 * 60 * MINUTE_US;
/// What a right clock shows when every machine of these tests has just started.
const EPOCH_US: u64 = 1_700_000_000_000_000;

/// A machine that started when the test began.
#[derive(Default)]
struct Machine {
    awake_us: AtomicU64,
    wrong_us: std::sync::atomic::AtomicI64,
}

impl Clock for Machine {
    fn unix_us(&self) -> u64 {
        (EPOCH_US + self.boot_us()).saturating_add_signed(self.wrong_us.load(Ordering::Relaxed))
    }

    fn boot_us(&self) -> u64 {
        self.awake_us.load(Ordering::Relaxed)
    }

    fn awake_us(&self) -> u64 {
        self.boot_us()
    }
}

/// One node of a group of as many voters as there are.
struct Node {
    machine: Arc<Machine>,
    applied: Arc<Applied>,
    time: ClusterTime,
}

impl Node {
    fn tells(&self) -> FollowerTime {
        let (time_us, epoch) = self.time.follower_time();
        FollowerTime { clock_us: self.machine.unix_us(), time_us, epoch, lease_ms: 750 }
    }

    /// It applies an entry that sets the time to this.
    fn set_back(&self, epoch: u32, to_us: u64) {
        self.applied.advance_time(GroupTime::new(epoch, to_us / 1000));
    }
}

struct Group {
    nodes: Vec<Node>,
    now_us: u64,
    term: u64,
}

impl Group {
    /// The clocks are wrong by this. Nothing was ever written.
    fn new(wrong_us: &[i64]) -> Self {
        let node = |wrong_us: &i64| {
            let machine = Arc::new(Machine::default());
            machine.wrong_us.store(*wrong_us, Ordering::Relaxed);
            let applied = Arc::new(Applied::new(0, GroupTime::default()));
            let time = ClusterTime::new(machine.clone(), applied.clone());
            Node { machine, applied, time }
        };
        let mut group = Self { nodes: wrong_us.iter().map(node).collect(), now_us: 0, term: 0 };
        group.pass(1_000_000);
        group
    }

    fn pass(&mut self, us: u64) {
        self.now_us += us;
        for node in &self.nodes {
            node.machine.awake_us.store(self.now_us, Ordering::Relaxed);
        }
    }

    /// The node of this number leads from now on.
    fn elect(&mut self, leader: usize) {
        self.term += 1;
        for (number, node) in self.nodes.iter().enumerate() {
            if number == leader {
                let voters: BTreeSet<NodeId> = (0..self.nodes.len()).map(id).collect();
                node.time.lead(id(leader), self.term, vec![voters]);
            } else {
                node.time.follow();
            }
        }
    }

    /// Two heartbeats, a hundred milliseconds apart, to these followers: the second confirms to the
    /// leader what the first told.
    fn heartbeats(&mut self, leader: usize, followers: &[usize]) {
        for _ in 0..2 {
            self.pass(100_000);
            for follower in followers {
                let (leader, node) = (&self.nodes[leader].time, &self.nodes[*follower]);
                node.time.heard_leader(leader.leader_time(), node.time.boot_us());
                let told = node.tells();
                leader.heard_follower(id(*follower), self.term, told);
            }
        }
    }

    /// How far ahead of a right clock the time of a leader's read is, milliseconds.
    fn shown_ahead_ms(&self, leader: usize) -> i64 {
        let right_ms = (EPOCH_US + self.now_us) / 1000;
        self.nodes[leader].time.take().ms() as i64 - right_ms as i64
    }

    fn stamp_ahead_ms(&self, leader: usize) -> i64 {
        let (stamp, _in_flight) = self.nodes[leader].time.stamp(self.term).unwrap();
        stamp.ms() as i64 - ((EPOCH_US + self.now_us) / 1000) as i64
    }
}

const fn id(number: usize) -> NodeId {
    NodeId(number as u64 + 1)
}

#[track_caller]
fn near(what: &str, actual_ms: i64, expected_ms: i64) {
    assert!((actual_ms - expected_ms).abs() <= 2, "{what}: {actual_ms} ms, not {expected_ms} ms");
}

#[test]
fn one_wrong_clock_moves_neither_stamps_nor_reads() {
    for wrong_us in [-YEAR_US, -MINUTE_US, MINUTE_US, YEAR_US] {
        for wrong in 0..3 {
            let mut clocks = [0; 3];
            clocks[wrong] = wrong_us;
            let mut group = Group::new(&clocks);
            group.elect(0);
            group.heartbeats(0, &[1, 2]);
            near("stamp", group.stamp_ahead_ms(0), 0);
            near("read", group.shown_ahead_ms(0), 0);
        }
    }
}

#[test]
fn a_clock_that_steps_while_its_node_leads_changes_nothing() {
    for step_us in [-YEAR_US, -1_000_000, 1_000_000, YEAR_US] {
        let mut group = Group::new(&[0, 0, 0]);
        group.elect(0);
        group.heartbeats(0, &[1, 2]);
        group.nodes[0].machine.wrong_us.store(step_us, Ordering::Relaxed);
        for followers in [&[1, 2][..], &[1], &[2], &[1, 2]] {
            group.heartbeats(0, followers);
            near("stamp", group.stamp_ahead_ms(0), 0);
            near("read", group.shown_ahead_ms(0), 0);
        }
    }
}

#[test]
fn a_leader_knows_no_time_before_a_majority_has_told_theirs() {
    let mut group = Group::new(&[YEAR_US, 0, 0]);
    group.elect(0);
    assert!(group.nodes[0].time.stamp(1).is_none());
    assert_eq!(group.nodes[0].time.take().ms(), 0);
    group.heartbeats(0, &[1]);
    near("stamp", group.stamp_ahead_ms(0), 0);
    assert!(group.nodes[0].time.stamp(2).is_none(), "another term needs reports of its own");
}

#[test]
fn a_cluster_that_was_stopped_for_a_week_goes_on_with_today() {
    let week_us = 7 * 24 * 60 * MINUTE_US;
    let mut group = Group::new(&[0, 0, 0]);
    for node in &group.nodes {
        node.applied.advance_time(GroupTime::new(0, (EPOCH_US - week_us as u64) / 1000));
    }
    group.elect(1);
    group.heartbeats(1, &[2]);
    near("stamp", group.stamp_ahead_ms(1), 0);
}

#[test]
fn a_majority_whose_clocks_go_ahead_is_followed_and_one_that_goes_back_is_slowly() {
    let mut group = Group::new(&[0, 0, 0]);
    group.elect(0);
    group.heartbeats(0, &[1, 2]);
    let set = |group: &Group, us: i64| {
        for node in &group.nodes[1..] {
            node.machine.wrong_us.store(us, Ordering::Relaxed);
        }
    };
    set(&group, MINUTE_US);
    group.heartbeats(0, &[1, 2]);
    near("ahead", group.stamp_ahead_ms(0), 60_000);
    set(&group, 0);
    let before = group.nodes[0].time.take().ms();
    group.heartbeats(0, &[1, 2]);
    let passed = group.nodes[0].time.take().ms() - before;
    assert!((150..200).contains(&passed), "{passed} ms of 200 passed");
    for _ in 0..2500 {
        group.heartbeats(0, &[1, 2]);
    }
    near("after eight minutes", group.stamp_ahead_ms(0), 0);
}

#[test]
fn a_new_leader_goes_on_from_what_a_majority_was_told() {
    let mut group = Group::new(&[0, 0, 0]);
    group.elect(0);
    group.heartbeats(0, &[1, 2]);
    // The clocks of all step back: nothing but what was told holds the time.
    for node in &group.nodes {
        node.machine.wrong_us.store(-YEAR_US, Ordering::Relaxed);
    }
    let shown = group.nodes[0].time.take().ms();
    group.elect(2);
    group.heartbeats(2, &[1]);
    assert!(group.nodes[2].time.take().ms() >= shown);
    let (stamp, _in_flight) = group.nodes[2].time.stamp(2).unwrap();
    assert!(stamp.ms() >= shown);
}

#[test]
fn a_leader_shows_no_time_that_a_majority_was_not_told() {
    let mut group = Group::new(&[0, 0, 0]);
    group.elect(0);
    group.heartbeats(0, &[1, 2]);
    // The majority's clocks jump. The leader learns it, but nobody has heard the new time yet.
    for node in &group.nodes[1..] {
        node.machine.wrong_us.store(MINUTE_US, Ordering::Relaxed);
        let told = node.tells();
        let from = if std::ptr::eq(node, &raw const group.nodes[1]) { id(1) } else { id(2) };
        group.nodes[0].time.heard_follower(from, 1, told);
    }
    near("stamp", group.stamp_ahead_ms(0), 60_000);
    near("read before", group.shown_ahead_ms(0), 0);
    group.heartbeats(0, &[1, 2]);
    near("read after", group.shown_ahead_ms(0), 60_000);
}

#[test]
fn a_read_does_not_pass_an_entry_on_its_way_and_an_entry_is_not_before_a_read() {
    let mut group = Group::new(&[0, 0, 0]);
    group.elect(0);
    group.heartbeats(0, &[1, 2]);
    let (stamp, in_flight) = group.nodes[0].time.stamp(1).unwrap();
    group.pass(5_000_000);
    assert_eq!(group.nodes[0].time.take(), stamp);
    drop(in_flight);
    let read = group.nodes[0].time.take();
    assert!(read.ms() >= stamp.ms() + 4_999);
    assert!(group.nodes[0].time.stamp(1).unwrap().0 >= read);
}

#[test]
fn a_follower_takes_the_leaders_time_whatever_its_clock_says() {
    let mut group = Group::new(&[0, MINUTE_US, 0]);
    group.elect(0);
    group.heartbeats(0, &[1, 2]);
    let right_ms = ((EPOCH_US + group.now_us) / 1000) as i64;
    near("stale read", group.nodes[1].time.stale().ms() as i64 - right_ms, 0);
    near("offset", group.nodes[1].time.clock_offset_ms().unwrap(), 60_000);
    near("offset as the leader sees it", group.nodes[0].time.offset_of(id(1)).unwrap(), 60_000);
}

#[test]
fn a_single_voter_is_its_own_majority() {
    let mut group = Group::new(&[MINUTE_US]);
    group.elect(0);
    near("stamp", group.stamp_ahead_ms(0), 60_000);
    near("read", group.shown_ahead_ms(0), 60_000);
    assert_eq!(group.nodes[0].time.lease_ms_max(), u64::MAX);
}

#[test]
fn the_lease_is_the_shortest_that_a_voter_grants() {
    let mut group = Group::new(&[0, 0, 0]);
    group.elect(0);
    group.heartbeats(0, &[1, 2]);
    assert_eq!(group.nodes[0].time.lease_ms_max(), 750);
    let short = FollowerTime { clock_us: 1, time_us: 1, epoch: 0, lease_ms: 300 };
    group.nodes[0].time.heard_follower(id(1), 1, short);
    assert_eq!(group.nodes[0].time.lease_ms_max(), 300);
    // A node of a version that does not tell grants nothing that can be relied on.
    group.nodes[0].time.heard_follower(id(2), 1, FollowerTime::default());
    assert_eq!(group.nodes[0].time.lease_ms_max(), 0);
}

/// A group whose log is a year ahead, with right clocks and the first node as its leader.
fn spoiled() -> Group {
    let mut group = Group::new(&[0, 0, 0]);
    for node in &group.nodes {
        node.applied.advance_time(GroupTime::new(0, EPOCH_US / 1000 + YEAR_US as u64 / 1000));
    }
    group.elect(0);
    group.heartbeats(0, &[1, 2]);
    group
}

#[test]
fn a_time_that_was_set_back_stays_there_whatever_was_told_before() {
    let mut group = spoiled();
    let (ahead_ms, clock_ms) = group.nodes[0].time.ahead().unwrap();
    // The boot clocks have gone on for a second, and the log has not.
    assert!((ahead_ms - YEAR_US / 1000).abs() < 2000, "{ahead_ms} ms ahead");
    near("clocks", clock_ms as i64 - ((EPOCH_US + group.now_us) / 1000) as i64, 0);
    let before = group.nodes[0].time.take();
    let late = group.nodes[1].tells();
    group.nodes[0].set_back(1, EPOCH_US + group.now_us);
    near("stamp at once", group.stamp_ahead_ms(0), 0);
    // What was on its way: a read that began before, and a report of a follower.
    group.nodes[0].time.note_answered(before);
    group.nodes[0].time.heard_follower(id(1), 1, late);
    near("stamp", group.stamp_ahead_ms(0), 0);
    near("read", group.shown_ahead_ms(0), 0);
    for _ in 0..3 {
        group.heartbeats(0, &[1, 2]);
        near("stamp later", group.stamp_ahead_ms(0), 0);
        near("read later", group.shown_ahead_ms(0), 0);
    }
    // Followers show the new time before they have applied the entry.
    let right_ms = ((EPOCH_US + group.now_us) / 1000) as i64;
    near("stale", group.nodes[2].time.follower_time().0 as i64 / 1000 - right_ms, 0);
    assert_eq!(group.nodes[0].time.ahead().unwrap().0.abs() / 5, 0);
}

#[test]
fn a_leader_that_learns_of_it_late_goes_on_from_what_was_shown_since() {
    let mut group = spoiled();
    group.nodes[0].set_back(1, EPOCH_US + group.now_us);
    group.heartbeats(0, &[1, 2]);
    // The clocks stop to matter: only what was told holds the time of the next leader.
    for node in &group.nodes {
        node.machine.wrong_us.store(-MINUTE_US, Ordering::Relaxed);
    }
    group.pass(2_000_000);
    group.heartbeats(0, &[1]);
    let shown = group.nodes[0].time.take();
    // It was told nothing of late, and applies the entry only after it was elected.
    group.elect(2);
    group.heartbeats(2, &[1]);
    group.nodes[2].set_back(1, EPOCH_US);
    assert!(group.nodes[2].time.take() >= shown);
    assert!(group.nodes[2].time.stamp(2).unwrap().0 >= shown);
    let ahead_ms = group.stamp_ahead_ms(2);
    assert!(ahead_ms.abs() < 500, "{ahead_ms} ms ahead of what was shown");
}

#[test]
fn a_follower_does_not_take_the_time_of_a_leader_that_has_not_set_it_back_yet() {
    let mut group = spoiled();
    for node in [0, 1] {
        group.nodes[node].set_back(1, EPOCH_US + group.now_us);
    }
    group.heartbeats(0, &[1]);
    // The last node leads, and what sets the time back lies in its log unapplied.
    group.elect(2);
    group.heartbeats(2, &[0, 1]);
    let right_ms = ((EPOCH_US + group.now_us) / 1000) as i64;
    near("stale", group.nodes[1].time.stale().ms() as i64 - right_ms, 0);
    group.nodes[2].set_back(1, EPOCH_US);
    near("stamp", group.stamp_ahead_ms(2), 0);
}
