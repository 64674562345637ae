//! Wrong clocks have moved the time of the cluster ahead, and it is set back.

use std::time::Duration;

use ironkv::consensus::{ChangeError, TimeAhead, TimeReset};
use ironkv::resp::Reply;

use crate::client::{Answer, SimulatedClient};
use crate::host::NODES;
use crate::world::{LONG, World};

const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 365 * DAY_MS;
const TTL_MS: i64 = 3000;
const LONG_TTL_MS: i64 = 600_000;

impl World {
    fn set(&mut self, host: usize, key: &str, ttl_ms: i64) {
        let set = ["SET", key, "v", "PX", &ttl_ms.to_string()].map(str::to_owned);
        let words: Vec<&str> = set.iter().map(String::as_str).collect();
        assert_eq!(self.run(host, &words), Reply::OK);
    }

    /// The clocks of all nodes are a year ahead for a while.
    fn spoil_time(&mut self) {
        self.hosts.iter().for_each(|host| host.clock.skew(YEAR_MS));
        self.step(LONG).expect("no node fails");
        let leader = self.leader();
        self.set(leader, "spoiled", LONG_TTL_MS);
        self.hosts.iter().for_each(|host| host.clock.skew(0));
        self.step(LONG).expect("no node fails");
    }

    fn reset_time(&mut self, host: usize) -> Result<TimeAhead, ChangeError> {
        self.ask(host, async |group| group.reset_time(TimeReset::Execute, false).await)
    }

    /// A new key lives exactly as long as intended, as every node sees it.
    fn assert_time_is_right(&mut self, when: &str) {
        let host = self.leader();
        self.set(host, "fresh", TTL_MS);
        for host in 0..self.hosts.len() {
            let left_ms = self.ttl_ms(host, "fresh");
            assert!((TTL_MS - 1000..=TTL_MS).contains(&left_ms), "{when}: {left_ms} ms are left");
        }
        self.step(Duration::from_millis(TTL_MS as u64 + 500)).expect("no node fails");
        for host in 0..self.hosts.len() {
            assert_eq!(self.ttl_ms(host, "fresh"), -2, "{when}: keys do not expire");
        }
    }
}

/// Writes for a while, so that entries are in flight all the time.
async fn keep_writing(mut client: SimulatedClient) -> usize {
    let mut written = 0;
    for number in 0..60 {
        let key = format!("written:{number}");
        if matches!(client.call(&["SET", &key, "v"]).await, Answer::Reply(_)) {
            written += 1;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    written
}

#[test]
fn a_spoiled_time_is_set_back_under_load_and_stays_there() {
    let mut world = World::calm(41);
    let leader = world.leader();
    let (follower, away) = ((leader + 1) % NODES.len(), (leader + 2) % NODES.len());
    assert!(matches!(world.reset_time(follower), Err(ChangeError::Refused(_))), "nothing is wrong");
    world.set(leader, "month", 30 * DAY_MS);
    world.set(leader, "decade", 10 * YEAR_MS);
    world.spoil_time();
    let leader = world.leader();
    // One node is isolated meanwhile, and comes back with the old time.
    world.isolate(away);
    let (leader, follower) = if leader == away {
        world.repair();
        (leader, follower)
    } else {
        (leader, (0..NODES.len()).find(|host| ![leader, away].contains(host)).expect("a third"))
    };
    world.sim.set_max_message_latency(Duration::from_millis(30));
    // So many that another entry is proposed while the one that sets the time back is in flight.
    let writers: Vec<_> = [leader, follower, leader]
        .repeat(30)
        .into_iter()
        .map(|host| world.hosts[host].call(keep_writing))
        .collect();
    world.step(Duration::from_millis(300)).expect("no node fails");
    let reset = world.reset_time(follower).expect("the time is a year ahead");
    assert!(reset.ahead_ms.abs_diff(YEAR_MS as u64) < DAY_MS as u64, "{reset:?}");
    world.step(Duration::from_secs(30)).expect("no node fails");
    for writer in writers {
        assert!(writer.borrow().is_some_and(|written| written > 30), "the writers continued");
    }
    world.repair();
    world.step(LONG).expect("no node fails");
    world.assert_time_is_right("after the reset");
    for host in 0..NODES.len() {
        assert_eq!(world.ttl_ms(host, "month"), -2, "a key that was expired came back");
        assert!(world.ttl_ms(host, "decade") > 9 * YEAR_MS, "a key died early");
        let left_ms = world.ttl_ms(host, "spoiled");
        assert!(left_ms > YEAR_MS - DAY_MS, "deadlines do not move: {left_ms}");
    }
    assert!(matches!(world.reset_time(follower), Err(ChangeError::Refused(_))), "it is right");

    // Other nodes lead, and all restart from the data on their disks.
    for (host, name) in NODES.into_iter().enumerate() {
        world.crash(host, host as u64);
        world.step(LONG).expect("no node fails");
        world.sim.bounce(name);
        world.step(LONG).expect("no node fails");
        world.assert_time_is_right("after a restart");
    }
    for host in 0..NODES.len() {
        world.crash(host, host as u64);
    }
    world.step(Duration::from_secs(1)).expect("no node fails");
    NODES.iter().for_each(|host| world.sim.bounce(*host));
    world.step(LONG * 2).expect("no node fails");
    world.assert_time_is_right("after a restart of all");
}
