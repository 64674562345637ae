//! The engine in one process: decoding requests, running commands on a keyspace of a million keys,
//! and the memory of a million elements. `cargo bench -p ironkv-tests --bench engine`. One
//! iteration is a thousand commands, so a result in microseconds is nanoseconds per command.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ironkv::base::ids::DatabaseId;
use ironkv::commands::request::Call;
use ironkv::commands::run::execute::{EntryContext, execute_call};
use ironkv::commands::table;
use ironkv::data::keyspace::{Event, Keyspace};
use ironkv::resp::Reply;
use ironkv::resp::client::encode_request;
use ironkv::resp::decode::{Batch, Decoder};

/// The same allocator as in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: u64 = 1_000_000;
const COMMANDS: u64 = 1000;
const NOW_MS: u64 = 1_700_000_000_000;

/// A keyspace and the inputs of an entry.
struct Engine {
    keyspace: Keyspace,
    events: Vec<Event>,
    index: u64,
    random: u64,
}

impl Engine {
    fn empty() -> Self {
        Self { keyspace: Keyspace::default(), events: Vec::new(), index: 0, random: 1 }
    }

    fn new() -> Self {
        let mut engine = Self::empty();
        for number in 0..KEYS {
            engine.run(&[Bytes::from_static(b"SET"), key(number), value()]);
        }
        engine
    }

    fn run(&mut self, argv: &[Bytes]) {
        let call = Call::new(DatabaseId(0), &table::find(argv).unwrap(), argv);
        self.index += 1;
        let mut entry = EntryContext::new(self.index, NOW_MS, self.index);
        let reply = execute_call(&call, &mut self.keyspace, &mut entry, &mut self.events);
        assert!(!matches!(black_box(reply), Reply::Error(_)));
        self.events.clear();
    }

    fn some_key(&mut self) -> Bytes {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        key((self.random >> 33) % KEYS)
    }
}

fn key(number: u64) -> Bytes {
    Bytes::from(format!("key:{number:012}"))
}

fn value() -> Bytes {
    Bytes::from(vec![b'x'; 100])
}

fn apply(criterion: &mut Criterion) {
    let mut engine = Engine::new();
    let mut group = criterion.benchmark_group("apply, 1 M keys");
    group.throughput(Throughput::Elements(COMMANDS)).sample_size(20);
    let mixes: [(&str, u64); 3] = [("SET", 0), ("GET", 100), ("90 % GET", 90)];
    for (name, read_percent) in mixes {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                for number in 0..COMMANDS {
                    let key = engine.some_key();
                    if number % 100 < read_percent {
                        engine.run(&[Bytes::from_static(b"GET"), key]);
                    } else {
                        engine.run(&[Bytes::from_static(b"SET"), key, value()]);
                    }
                }
            });
        });
    }
    group.bench_function("SET while a checkpoint holds a clone", |bench| {
        bench.iter_batched(
            || (),
            |()| {
                let clone = engine.keyspace.clone();
                for _ in 0..COMMANDS {
                    let key = engine.some_key();
                    engine.run(&[Bytes::from_static(b"SET"), key, value()]);
                }
                clone
            },
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn collections(criterion: &mut Criterion) {
    let mut engine = Engine::empty();
    let word = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    for number in 0..KEYS {
        let member = key(number);
        engine.run(&[word("RPUSH"), word("list"), member.clone()]);
        engine.run(&[word("HSET"), word("hash"), member.clone(), value()]);
        engine.run(&[word("ZADD"), word("zset"), word(&number.to_string()), member]);
    }
    let mut group = criterion.benchmark_group("collections of 1 M members");
    group.throughput(Throughput::Elements(COMMANDS)).sample_size(20);
    group.bench_function("RPUSH and LPOP", |bench| {
        bench.iter(|| {
            for _ in 0..COMMANDS / 2 {
                engine.run(&[word("RPUSH"), word("list"), value()]);
                engine.run(&[word("LPOP"), word("list")]);
            }
        });
    });
    group.bench_function("HSET", |bench| {
        bench.iter(|| {
            for _ in 0..COMMANDS {
                let field = engine.some_key();
                engine.run(&[word("HSET"), word("hash"), field, value()]);
            }
        });
    });
    group.bench_function("ZADD of another score", |bench| {
        bench.iter(|| {
            for number in 0..COMMANDS {
                let member = engine.some_key();
                engine.run(&[word("ZADD"), word("zset"), word(&number.to_string()), member]);
            }
        });
    });
    group.bench_function("ZRANK", |bench| {
        bench.iter(|| {
            for _ in 0..COMMANDS {
                let member = engine.some_key();
                engine.run(&[word("ZRANK"), word("zset"), member]);
            }
        });
    });
    group.finish();
}

/// The overhead of a key or an element: the growth of the process, and the size that the keyspace
/// reports, on which `maxmemory` is based.
fn memory(_: &mut Criterion) {
    let word = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let field = |number: u64| Bytes::from(format!("field:{number:010}"));
    type Words<'a> = Box<dyn Fn(u64) -> Vec<Bytes> + 'a>;
    let kinds: [(&str, usize, Words<'_>); 6] = [
        ("key with a value of 100 bytes", 116, Box::new(|n| vec![word("SET"), key(n), value()])),
        ("key with a small number", 16, Box::new(|n| vec![word("SET"), key(n), word("1")])),
        ("element of a list", 16, Box::new(|n| vec![word("RPUSH"), word("list"), field(n)])),
        (
            "field of a hash, value of 16",
            32,
            Box::new(|n| vec![word("HSET"), word("hash"), field(n), field(n)]),
        ),
        ("member of a set", 16, Box::new(|n| vec![word("SADD"), word("set"), field(n)])),
        (
            "member of a sorted set",
            24,
            Box::new(|n| vec![word("ZADD"), word("zset"), word(&n.to_string()), field(n)]),
        ),
    ];
    println!("{:<30} {:>8} {:>9} {:>9}", "bytes each, of 1 M", "payload", "process", "keyspace");
    // Kept until the end, so that no kind reuses the memory of the previous one.
    let mut kept = Vec::new();
    for (name, payload, words) in kinds {
        let mut engine = Engine::empty();
        let before = resident_bytes();
        for number in 0..KEYS {
            engine.run(&words(number));
        }
        let process = (resident_bytes() - before) as f64 / KEYS as f64;
        let keyspace = engine.keyspace.memory_bytes() as f64 / KEYS as f64;
        println!("{name:<30} {payload:>8} {process:>9.1} {keyspace:>9.1}");
        kept.push(engine);
    }
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn decode(criterion: &mut Criterion) {
    let mut input = BytesMut::new();
    for number in 0..COMMANDS {
        let words = [Bytes::from_static(b"SET"), key(number), value()];
        encode_request(&mut input, &words);
    }
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(COMMANDS));
    group.bench_function("SET of 100 bytes", |bench| {
        let mut batch = Batch::default();
        bench.iter(|| {
            let mut buffer = input.clone();
            let mut decoder = Decoder::new(64 << 20);
            decoder.set_authenticated(true);
            batch.clear();
            decoder.decode(&mut buffer, &mut batch).unwrap();
            assert_eq!(batch.len() as u64, COMMANDS);
        });
    });
    group.finish();
}

criterion_group!(benches, memory, decode, apply, collections);
criterion_main!(benches);
