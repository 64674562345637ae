//! One clock is wrong; the machine of a leader is suspended; an entry is in flight for long.

use std::time::Duration;

use ironkv::resp::Reply;

use crate::client::{Answer, SimulatedClient};
use crate::history::deadlines::now_ms;
use crate::world::{LONG, World};

const YEAR_MS: i64 = 365 * 86_400_000;
const TTL_MS: u64 = 20_000;

/// Longer than any lease.
const SUSPENSION: Duration = Duration::from_secs(10);

/// Repeats a command while it is refused.
pub(crate) async fn must(mut client: SimulatedClient, words: Vec<String>) -> Reply {
    loop {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match client.call(&words).await {
            Answer::Reply(reply) => return reply,
            Answer::Refused => tokio::time::sleep(Duration::from_millis(20)).await,
            Answer::Unknown => panic!("{words:?} has an unknown outcome"),
        }
    }
}

impl World {
    /// Runs a command through a machine's node, and repeats it while it is refused.
    pub(crate) fn run(&mut self, host: usize, words: &[&str]) -> Reply {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.call(host, |client| must(client, words))
    }

    pub(crate) fn ttl_ms(&mut self, host: usize, key: &str) -> i64 {
        match self.run(host, &["PTTL", key]) {
            Reply::Integer(ms) => ms,
            reply => panic!("PTTL was answered {reply:?}"),
        }
    }
}

#[test]
fn a_leader_whose_clock_is_wrong_for_one_write_loses_no_key_and_expiry_continues() {
    for (seed, wrong_ms) in [YEAR_MS, -YEAR_MS, 60_000, -60_000].into_iter().enumerate() {
        let mut world = World::calm(seed as u64);
        let leader = world.leader();
        assert_eq!(world.run(leader, &["SET", "kept", "v", "PX", "600000"]), Reply::OK);
        assert_eq!(world.run(leader, &["SET", "short", "v", "PX", &TTL_MS.to_string()]), Reply::OK);
        let set_ms = world.sim.elapsed().as_millis() as i64;
        world.hosts[leader].clock.skew(wrong_ms);
        assert_eq!(world.run(leader, &["SET", "write", "v"]), Reply::OK);
        world.step(Duration::from_secs(1)).expect("no node fails");
        assert_eq!(world.run(leader, &["SET", "write", "w"]), Reply::OK);
        world.hosts[leader].clock.skew(0);
        for host in 0..world.hosts.len() {
            let left_ms = world.ttl_ms(host, "short");
            let passed_ms = world.sim.elapsed().as_millis() as i64 - set_ms;
            let right_ms = TTL_MS as i64 - passed_ms;
            assert!((left_ms - right_ms).abs() < 300, "{wrong_ms}: {left_ms}, not {right_ms}");
        }
        world.step(Duration::from_millis(TTL_MS)).expect("no node fails");
        for host in 0..world.hosts.len() {
            assert_eq!(world.ttl_ms(host, "short"), -2, "{wrong_ms}: keys do not expire");
            assert!(world.ttl_ms(host, "kept") > 500_000, "{wrong_ms}: a key died early");
        }
    }
}

#[test]
fn a_follower_whose_clock_is_ahead_shows_what_the_leader_shows() {
    let mut world = World::calm(11);
    let leader = world.leader();
    let follower = (leader + 1) % world.hosts.len();
    world.hosts[follower].clock.skew(60_000);
    assert_eq!(world.run(leader, &["SET", "key", "v", "PX", &TTL_MS.to_string()]), Reply::OK);
    world.step(Duration::from_secs(1)).expect("no node fails");
    let of_leader = world.ttl_ms(leader, "key");
    let of_follower = world.ttl_ms(follower, "key");
    assert!((of_leader - of_follower).abs() < 300, "{of_leader} and {of_follower}");
    // A stale read does not contact the leader.
    let stale = world.call(follower, async |mut client| {
        let readonly = client.call(&["READONLY"]).await;
        (readonly, client.call(&["PTTL", "key"]).await)
    });
    match stale {
        (Answer::Reply(_), Answer::Reply(Reply::Integer(ms))) => {
            assert!((of_leader - ms).abs() < 300, "{of_leader}, and stale {ms}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_leader_whose_machine_was_suspended_reads_alone_only_after_a_new_acknowledgement() {
    let mut world = World::calm(12);
    let leader = world.leader();
    world.step(LONG).expect("no node fails");
    let open = |world: &mut World| world.ask(leader, async |group| group.may_read_now());
    assert!(open(&mut world));
    // Everything that it receives from now on was sent before it was suspended.
    world.isolate(leader);
    world.hosts[leader].clock.suspend(SUSPENSION);
    assert!(!open(&mut world), "its lease ended while its clock was stopped");
    world.repair();
    world.step(LONG).expect("no node fails");
    let leader = world.leader();
    assert!(world.ask(leader, async |group| group.may_read_now()));
}

#[test]
fn a_machine_that_was_suspended_serves_no_stale_read_that_is_too_old() {
    let mut world = World::calm(13);
    let leader = world.leader();
    let follower = (leader + 1) % world.hosts.len();
    let fresh = |world: &mut World, host: usize| {
        world.ask(host, async |group| group.stale_read_allowed().is_ok())
    };
    for host in [follower, leader] {
        world.step(LONG).expect("no node fails");
        assert!(fresh(&mut world, host));
        // The others continue while it is suspended. What it receives from now on was sent before.
        world.isolate(host);
        world.hosts[host].clock.suspend(SUSPENSION * 100);
        assert!(!fresh(&mut world, host), "as if no time had passed");
        world.repair();
        world.step(LONG).expect("no node fails");
        assert!(fresh(&mut world, host), "it has caught up");
    }
}

/// Entries are in flight to the followers for long, so that reads come between an entry and its
/// effect.
#[test]
fn a_key_that_was_read_as_expired_is_not_kept_by_an_entry_in_flight() {
    let mut expired = 0;
    for seed in 20..23 {
        let mut world = World::calm(seed);
        let leader = world.leader();
        world.sim.set_max_message_latency(Duration::from_millis(60));
        for round in 0..60 {
            let key = format!("key:{round}");
            let ttl_ms = 60_u64;
            let set = ["SET", &key, "v", "PX", &ttl_ms.to_string()].map(str::to_owned);
            world.call(leader, move |client| must(client, set.to_vec()));
            let persist = vec!["PERSIST".to_owned(), key.clone()];
            // Close to the deadline.
            let wait = Duration::from_millis(ttl_ms - 20 + round % 20);
            let persisted = world.hosts[leader].call(async move |client| {
                tokio::time::sleep(wait).await;
                must(client, persist).await
            });
            let reads = world.call(leader, async move |mut client| {
                let end_ms = now_ms() + 4 * ttl_ms;
                let mut found = Vec::new();
                while now_ms() < end_ms {
                    if let Answer::Reply(reply) = client.call(&["GET", &key]).await {
                        found.push(reply != Reply::Null);
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                found
            });
            let gone = reads.iter().position(|found| !found);
            expired += u32::from(gone.is_some());
            let back = gone.is_some_and(|gone| reads[gone..].contains(&true));
            assert!(!back, "seed {seed}, round {round}: it came back; {:?}", persisted.borrow());
        }
    }
    assert!(expired > 20, "only {expired} keys were seen to expire");
}
