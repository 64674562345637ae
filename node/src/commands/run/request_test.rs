#![allow(clippy::unwrap_used)]

use super::*;

fn args(line: &str) -> Vec<Bytes> {
    line.split_terminator(' ').map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect()
}

fn sample() -> Request {
    let echo = table::find(&args("ECHO")).unwrap();
    let name = table::find(&args("CLIENT SETNAME")).unwrap();
    let mut builder = RequestBuilder::new();
    builder.call(DatabaseId(3), &echo, &args("hello"));
    let long = [Bytes::from(vec![b'x'; 300])];
    let watches = [Watch {
        database: DatabaseId(15),
        key: Bytes::from_static(b"k"),
        existed: true,
        index: u64::MAX,
    }];
    let calls = [(DatabaseId(0), name, args("n")), (DatabaseId(1), echo, long.to_vec())];
    builder.transaction(
        &watches,
        calls.iter().map(|(database, path, args)| (*database, *path, args.as_slice())),
    );
    builder.finish()
}

#[test]
fn what_was_written_is_read_again() {
    let request = sample();
    assert_eq!(request.units, 2);
    let units: Vec<Unit> = decode_units(&request.bytes).unwrap().collect::<Result<_, _>>().unwrap();
    let [Unit::Call(echo), Unit::Transaction { watches, calls }] = units.as_slice() else {
        panic!("{units:?}");
    };
    assert_eq!((echo.database, echo.command.name), (DatabaseId(3), "ECHO"));
    assert_eq!(echo.args, args("hello"));
    assert_eq!((watches[0].index, watches[0].existed), (u64::MAX, true));
    assert_eq!((calls[0].command.name, calls[0].container.unwrap().name), ("SETNAME", "CLIENT"));
    assert_eq!(calls[1].args[0].len(), 300);
}

#[test]
fn every_cut_is_refused() {
    let bytes = sample().bytes;
    let boundary = {
        let mut reader = Reader { bytes: bytes.clone(), at: 0 };
        reader.unit().unwrap();
        reader.at
    };
    for end in 0..bytes.len() {
        let cut = bytes.slice(..end);
        let complete = decode_units(&cut).is_ok_and(|mut units| units.all(|unit| unit.is_ok()));
        assert_eq!(complete, end == boundary, "cut at {end}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let bytes = sample().bytes;
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.to_vec();
            damaged[at] = value;
            if let Ok(units) = decode_units(&Bytes::from(damaged)) {
                units.for_each(drop);
            }
        }
    }
}

#[test]
fn a_wrong_number_of_arguments_is_refused() {
    let echo = table::find(&args("ECHO")).unwrap();
    let mut builder = RequestBuilder::new();
    builder.call(DatabaseId(0), &echo, &[]);
    let request = builder.finish();
    let error = decode_units(&request.bytes).unwrap().next().unwrap().unwrap_err();
    assert_eq!(error, DecodeError::OutOfRange("number of arguments"));
}
