//! What is sent and when the test ends; shared by all clients of one test.

use std::cell::Cell;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::{Bench, Test};
use crate::resp::client::encode_request;

/// The plan of one test.
#[derive(Debug)]
pub(super) struct Workload {
    test: Test,
    value: Vec<u8>,
    keys: u64,
    read_percent: u64,
    seed: u64,
    pub(super) pipeline: u64,
    pub(super) clients: u64,
    /// Time between two batches of one client when a rate was requested.
    pub(super) pace: Option<Duration>,
    pub(super) duration: Option<Duration>,
    pub(super) requests: u64,
    left: Cell<u64>,
    done: Cell<u64>,
    started: Cell<Instant>,
}

impl Workload {
    pub(super) fn new(bench: &Bench, test: Test) -> Self {
        let duration = bench.duration();
        let requests = if duration.is_some() { u64::MAX } else { bench.requests };
        let clients = u64::from(bench.clients);
        let pipeline = u64::from(bench.pipeline);
        let pace = bench
            .rate
            .map(|rate| Duration::from_secs_f64((clients * pipeline) as f64 / rate.max(1) as f64));
        Self {
            test,
            value: vec![b'x'; bench.value_bytes],
            keys: bench.keys,
            read_percent: u64::from(bench.read_percent),
            seed: bench.seed,
            pipeline,
            clients,
            pace,
            duration,
            requests,
            left: Cell::new(requests),
            done: Cell::new(0),
            started: Cell::new(Instant::now()),
        }
    }

    pub(super) fn start(&self) {
        self.started.set(Instant::now());
    }

    pub(super) fn started(&self) -> Instant {
        self.started.get()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.get().elapsed()
    }

    pub(super) const fn value_bytes(&self) -> usize {
        self.value.len()
    }

    /// Takes the next batch from the plan; 0 when the test is over.
    pub(super) fn take(&self) -> u64 {
        if self.duration.is_some_and(|duration| self.elapsed() >= duration) {
            return 0;
        }
        let batch = self.left.get().min(self.pipeline);
        self.left.set(self.left.get() - batch);
        batch
    }

    pub(super) fn count(&self, batch: u64) {
        self.done.set(self.done.get() + batch);
    }

    pub(super) const fn done(&self) -> u64 {
        self.done.get()
    }

    /// The state of one client's key generator.
    pub(super) const fn seed_of(&self, client: u32) -> u64 {
        self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (client as u64).wrapping_mul(0xD1B5_4A32)
    }

    /// Appends one command.
    pub(super) fn write(&self, random: &mut u64, buffer: &mut BytesMut) {
        let key = format!("key:{:012}", step(random) % self.keys);
        let read = match self.test {
            Test::Get => true,
            Test::Set => false,
            Test::Mixed => step(random) % 100 < self.read_percent,
        };
        if read {
            encode_request(buffer, &[b"GET", key.as_bytes()] as &[&[u8]]);
        } else {
            encode_request(buffer, &[b"SET", key.as_bytes(), &self.value] as &[&[u8]]);
        }
    }
}

/// xorshift64* (Vigna 2016): fast, and good enough to spread keys.
const fn step(state: &mut u64) -> u64 {
    let mut x = *state | 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
}
