//! The fuzz targets: bytes from outside must never cause a panic, a hang or two different results.
//! Used by `cargo fuzz` (nightly) and, with random bytes, by the test `fuzz` (stable).

#[path = "recovery.rs"]
mod recovery;

use bytes::{Bytes, BytesMut};
use ironkv::base::ids::DatabaseId;
use ironkv::commands::declare::Run;
use ironkv::commands::run::execute::{EntryContext, execute_call};
use ironkv::commands::{request, table};
pub use ironkv::consensus::fuzzing::{entry, message};
use ironkv::data::keyspace::Keyspace;
use ironkv::resp::client::decode_reply;
use ironkv::resp::decode::{Batch, Decoder};

pub use recovery::recovery;

/// Small, so that limits are reached.
const BULK_BYTES_MAX: usize = 4096;

/// Accepts any bytes and must not panic.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 7] = [
    ("decode", decode),
    ("arguments", arguments),
    ("request", request),
    ("reply", reply),
    ("entry", entry),
    ("message", message),
    ("recovery", recovery),
];

/// The decoder of requests: the result does not depend on how the bytes are split.
pub fn decode(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let cut = usize::from(*cut) % (data.len() + 1);
    for authenticated in [true, false] {
        let whole = commands_of(&[data], authenticated);
        let cut_in_two = commands_of(&[&data[..cut], &data[cut..]], authenticated);
        assert_eq!(whole, cut_in_two, "cut at {cut}");
    }
}

fn commands_of(pieces: &[&[u8]], authenticated: bool) -> (Vec<Vec<Bytes>>, Option<String>) {
    let mut decoder = Decoder::new(BULK_BYTES_MAX);
    decoder.set_authenticated(authenticated);
    let (mut buffer, mut commands) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        // Before a client is authenticated, commands are decoded one at a time.
        loop {
            let mut batch = Batch::default();
            let outcome = decoder.decode(&mut buffer, &mut batch);
            let count = batch.len();
            commands.extend((0..count).map(|index| batch.command(index).to_vec()));
            if let Err(error) = outcome {
                return (commands, Some(error.0.into_owned()));
            }
            if count == 0 {
                break;
            }
        }
    }
    (commands, None)
}

/// Commands with any arguments, on a keyspace that keeps the results of previous ones.
pub fn arguments(data: &[u8]) {
    let mut keyspace = Keyspace::default();
    for (index, line) in data.split(|byte| *byte == b'\n').take(40).enumerate() {
        let mut words: Vec<Bytes> =
            line.split(|byte| *byte == b' ').map(Bytes::copy_from_slice).collect();
        let rows = table::rows();
        if let Some(row) = line.first().and_then(|byte| rows.get(usize::from(*byte))) {
            let mut named = vec![Bytes::from_static(row.command.name.as_bytes())];
            if let Some(container) = row.container {
                named.insert(0, Bytes::from_static(container.name.as_bytes()));
            }
            named.extend(words.drain(1..));
            words = named;
        }
        run(&mut keyspace, &words, index as u64 + 1);
    }
    // The keyspace must stay consistent.
    let _digest = keyspace.digest();
}

fn run(keyspace: &mut Keyspace, argv: &[Bytes], index: u64) {
    let Ok(found) = table::find(argv) else { return };
    let command = found.command;
    if command.arity.accepts(argv.len()) && matches!(command.run, Run::Read(_) | Run::Write(_)) {
        let call = request::Call::new(DatabaseId(0), &found, argv);
        let mut entry = EntryContext::new(index, 1_700_000_000_000, index);
        let _reply = execute_call(&call, keyspace, &mut entry, &mut Vec::new());
    }
}

/// Requests as other nodes send them and the log stores them.
pub fn request(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(units) = request::decode_units(&bytes) else { return };
    for unit in units.take(10_000) {
        if unit.is_err() {
            return;
        }
    }
}

/// Replies as other servers send them.
pub fn reply(data: &[u8]) {
    let mut input = BytesMut::from(data);
    while let Ok(Some(_)) = decode_reply(&mut input) {}
}
