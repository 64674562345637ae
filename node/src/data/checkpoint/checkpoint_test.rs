#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use super::*;
use crate::base::disk::{Disk, MemoryDisk};
use crate::base::ids::DatabaseId;
use crate::data::keyspace::{Keyspace, Object};
use crate::data::types::list::ListEncoding;
use crate::data::types::sorted_set::{Score, Scored};
use crate::data::types::{
    HashValue, ListValue, SetValue, SortedSetValue, StringValue, TypedValue, Value,
};

/// Writes without a limit of the rate.
fn write(
    disk: &dyn Disk,
    path: &Path,
    header: &Header,
    keyspace: &Keyspace,
) -> Result<Written, CheckpointError> {
    super::write(disk, path, header, keyspace, std::sync::Arc::new(|| 0))
}

fn text(number: u32) -> Bytes {
    Bytes::from(format!("member-{number}"))
}

/// Every type in every encoding, in several databases, with and without a deadline.
fn sample() -> Keyspace {
    let mut keyspace = Keyspace::default();
    let settings = keyspace.settings.clone();
    let mut grown = StringValue::new(b"grown");
    grown.append(b"!");
    let scored = |number| Scored {
        score: Score::new(f64::from(number) / 3.0).unwrap(),
        member: text(number),
    };
    let values: Vec<(&str, Value)> = vec![
        ("integer", StringValue::new(b"12").into_value()),
        ("empty", StringValue::new(b"").into_value()),
        ("grown", grown.into_value()),
        ("long", StringValue::new(&vec![b'x'; 300_000]).into_value()),
        ("list", ListValue::from_members((0..3).map(text), &settings).into_value()),
        (
            "quicklist",
            ListValue::from_stored(ListEncoding::Quicklist, (0..50_000).map(text)).into_value(),
        ),
        (
            "intset",
            SetValue::from_members((0..9).map(|n| Bytes::from(n.to_string())), &settings)
                .into_value(),
        ),
        ("set", SetValue::from_members((0..9).map(text), &settings).into_value()),
        ("large set", SetValue::from_members((0..900).map(text), &settings).into_value()),
        ("zset", SortedSetValue::from_members((0..9).map(scored), &settings).into_value()),
        ("large zset", SortedSetValue::from_members((0..900).map(scored), &settings).into_value()),
        (
            "hash",
            HashValue::from_fields((0..9).map(|n| (text(9 - n), text(n))), &settings)
                .unwrap()
                .into_value(),
        ),
        (
            "large hash",
            HashValue::from_fields((0..900).map(|n| (text(n), text(n))), &settings)
                .unwrap()
                .into_value(),
        ),
    ];
    for (number, (key, value)) in values.into_iter().enumerate() {
        let deadline = (number % 2 == 0).then_some(5_000_000_000_000);
        let object = Object::new(value, deadline, number as u64 + 1);
        let database = DatabaseId((number % 3) as u8);
        keyspace.database_mut(database).insert(key.as_bytes(), object);
    }
    let gone = Object::new(StringValue::new(b"gone").into_value(), None, 77);
    keyspace.database_mut(DatabaseId(0)).insert(b"gone", gone);
    keyspace.database_mut(DatabaseId(0)).remove(b"gone", 78);
    keyspace.settings.hash_max_listpack_entries = 99;
    keyspace
}

fn header() -> Header {
    Header { group: GroupId::FIRST, index: 78, state: Bytes::from_static(b"state") }
}

fn written() -> (MemoryDisk, PathBuf, Keyspace) {
    let disk = MemoryDisk::default();
    let directory = Path::new("/data");
    disk.create_directory(directory).unwrap();
    let path = directory.join(file_name(GroupId::FIRST, 78));
    let keyspace = sample();
    let written = write(&disk, &path, &header(), &keyspace).unwrap();
    assert_eq!(written.keys, 13);
    (disk, path, keyspace)
}

/// Everything that a client or a later command can observe.
fn contents(keyspace: &Keyspace) -> Vec<String> {
    let of = |id: DatabaseId, key: &[u8], object: &Object| {
        let value = match &object.value {
            Value::String(string) => format!("{:?}", string.bytes()),
            Value::List(list) => format!("{:?}", list.iter().collect::<Vec<_>>()),
            Value::Set(set) => {
                format!(
                    "{:?}",
                    set.iter().map(crate::data::types::set::Member::to_bytes).collect::<Vec<_>>()
                )
            }
            Value::SortedSet(set) => format!("{:?}", set.iter().collect::<Vec<_>>()),
            Value::Hash(hash) => format!("{:?}", hash.iter().collect::<Vec<_>>()),
        };
        let (encoding, version) = (object.value.encoding(), object.version);
        format!("{id:?} {key:?} {encoding} {version} {:?} {value}", object.expire_at_ms)
    };
    let objects = keyspace.databases().flat_map(|(id, database)| {
        database.iter().map(move |(_, key, object)| of(id, key, object))
    });
    objects.collect()
}

#[test]
fn what_is_loaded_is_what_was_written() {
    let (disk, path, keyspace) = written();
    let loaded = load(&disk, &path).unwrap();
    assert_eq!(loaded.header, header());
    assert_eq!(read_header(&disk, &path).unwrap(), header());
    assert_eq!(contents(&loaded.keyspace), contents(&keyspace));
    assert_eq!(loaded.keyspace.settings, keyspace.settings);
    let (before, after) =
        (keyspace.database(DatabaseId(0)), loaded.keyspace.database(DatabaseId(0)));
    assert_eq!(after.marks(), before.marks());
    assert_eq!(after.expiring_len(), before.expiring_len());
    assert_eq!(verify(&disk, &path).unwrap(), 13);
}

fn refused(disk: &MemoryDisk, path: &Path) {
    for error in
        [load(disk, path).map(|_| ()).unwrap_err(), verify(disk, path).map(|_| ()).unwrap_err()]
    {
        let text = error.to_string();
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{text}");
        assert!(text.contains("checkpoint-0-") && text.contains("remove this member"), "{text}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let (disk, path, keyspace) = written();
    let length = disk.open(&path).unwrap().length().unwrap();
    let places = (0..length).step_by(40_009).chain(length - 20..length).chain(0..64);
    for offset in places {
        disk.flip(&path, offset, 0x40).unwrap();
        refused(&disk, &path);
        disk.flip(&path, offset, 0x40).unwrap();
    }
    assert_eq!(contents(&load(&disk, &path).unwrap().keyspace), contents(&keyspace));
}

#[test]
fn a_truncated_file_is_refused() {
    let (disk, path, _) = written();
    let file = disk.open(&path).unwrap();
    let length = file.length().unwrap();
    for shorter in [length - 1, length - 20, length - 4096, length / 2, 4096, 19, 0] {
        file.set_length(shorter).unwrap();
        refused(&disk, &path);
        assert!(read_header(&disk, &path).is_err());
    }
}

#[test]
fn a_crash_while_writing_leaves_a_whole_checkpoint_or_none() {
    let keyspace = {
        let mut keyspace = Keyspace::default();
        for number in 0..20 {
            let object = Object::new(StringValue::new(b"value").into_value(), None, 1);
            keyspace.database_mut(DatabaseId(0)).insert(text(number), object);
        }
        keyspace
    };
    let (mut absent, mut present) = (0, 0);
    for power in 0.. {
        let mut finished = false;
        for seed in 0..4 {
            let disk = MemoryDisk::default();
            let path = Path::new("/data").join(file_name(GroupId::FIRST, 78));
            disk.cut_power_after(power);
            finished = write(&disk, &path, &header(), &keyspace).is_ok();
            disk.crash(power * 4 + seed);
            if disk.open(&path).is_err() {
                assert!(!finished, "an acknowledged checkpoint is gone");
                absent += 1;
            } else {
                let loaded = load(&disk, &path).unwrap();
                assert_eq!(contents(&loaded.keyspace), contents(&keyspace));
                present += 1;
            }
            write(&disk, &path, &header(), &keyspace).unwrap();
        }
        if finished {
            break;
        }
    }
    assert!(absent > 10 && present > 3, "{absent} absent, {present} present");
}

#[test]
fn an_unfinished_file_of_a_crashed_writer_is_replaced() {
    let (disk, path, keyspace) = written();
    disk.create(&path.with_extension("unfinished")).unwrap();
    write(&disk, &path, &header(), &keyspace).unwrap();
    assert!(disk.open(&path.with_extension("unfinished")).is_err());
}

#[test]
fn a_file_is_not_much_larger_than_its_contents() {
    // Every byte is sent to followers and must fit on their disks beside the previous checkpoint.
    for (value_bytes, count, percent) in
        [(100, 20_000, 160), (5000, 1000, 170), (64 << 10, 64, 125), (200_000, 40, 115)]
    {
        let mut keyspace = Keyspace::default();
        for number in 0..count {
            let value = StringValue::new(&vec![7; value_bytes]).into_value();
            let object = Object::new(value, None, 0);
            keyspace.database_mut(DatabaseId(0)).insert(format!("{number:08}"), object);
        }
        let (disk, path) = (MemoryDisk::new(), Path::new("/data/checkpoint"));
        let header = Header { group: GroupId::FIRST, index: 1, state: Bytes::new() };
        let written = write(&disk, path, &header, &keyspace).unwrap();
        let held = (count * (value_bytes + 16)) as u64;
        let found = written.bytes * 100 / held;
        assert!(found <= percent, "{count} values of {value_bytes} bytes: {found} percent");
    }
}
