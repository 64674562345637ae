#![allow(clippy::unwrap_used)]

use super::*;

fn decoder() -> Decoder {
    let mut decoder = Decoder::new(1 << 20);
    decoder.set_authenticated(true);
    decoder
}

fn lines(batch: &Batch) -> Vec<String> {
    let line = |index| {
        let words = batch.command(index).iter().map(|word| String::from_utf8_lossy(word));
        words.collect::<Vec<_>>().join(" ")
    };
    (0..batch.len()).map(line).collect()
}

fn check(input: &str, expected: &[&str], error: Option<&str>) {
    for chunk in [1, 2, 3, 7, input.len().max(1)] {
        let (mut decoder, mut buffer, mut batch) = (decoder(), BytesMut::new(), Batch::default());
        let mut outcome = Ok(());
        for part in input.as_bytes().chunks(chunk) {
            buffer.extend_from_slice(part);
            outcome = decoder.decode(&mut buffer, &mut batch);
            if outcome.is_err() {
                break;
            }
        }
        assert_eq!(lines(&batch), expected, "{input:?} by {chunk}");
        let text = outcome.err().map(|error| error.to_string());
        assert_eq!(text.as_deref(), error, "{input:?} by {chunk}");
    }
}

#[test]
fn commands_arrive_whole_however_they_are_cut() {
    check("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n", &["PING", "GET a"], None);
    check("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", &["ECHO "], None);
    check("PING\r\nset a 'b c'\n*1\r\n$4\r\nPING\r\n", &["PING", "set a b c", "PING"], None);
    check("*0\r\n\r\n*-1\r\nPING\r\n", &["PING"], None);
    check("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI", &["PING"], None);
}

#[test]
fn broken_streams_answer_as_redis_does_after_what_came_before() {
    let good = "*1\r\n$4\r\nPING\r\n";
    for (bad, error) in [
        ("*x\r\n", "Protocol error: invalid multibulk length"),
        ("*01\r\n", "Protocol error: invalid multibulk length"),
        ("*3000000000\r\n", "Protocol error: invalid multibulk length"),
        ("*99999999999999999999\r\n", "Protocol error: invalid multibulk length"),
        ("*2147483648\r\n", "Protocol error: invalid multibulk length"),
        ("*1\r\n:4\r\n", "Protocol error: expected '$', got ':'"),
        ("*1\r\n$-4\r\n", "Protocol error: invalid bulk length"),
        ("*1\r\n$x\r\n", "Protocol error: invalid bulk length"),
        ("*1\r\n$2000000\r\n", "Protocol error: invalid bulk length"),
        ("set a \"b\r\n", "Protocol error: unbalanced quotes in request"),
    ] {
        check(&format!("{good}{bad}"), &["PING"], Some(error));
    }
    let long = "1".repeat(INLINE_BYTES_MAX + 10);
    let mut batch = Batch::default();
    for (bad, error) in [
        (format!("*{long}"), "Protocol error: too big mbulk count string"),
        (format!("*1\r\n${long}"), "Protocol error: too big bulk count string"),
        (long, "Protocol error: too big inline request"),
    ] {
        let mut buffer = BytesMut::from(bad.as_bytes());
        let outcome = decoder().decode(&mut buffer, &mut batch);
        assert_eq!(outcome.unwrap_err().to_string(), error);
    }
}

#[test]
fn a_line_with_a_nul_byte_never_ends() {
    check("PING\r\nPING a\0b\r\nPING\r\n", &["PING"], None);
    check("*1\0\r\n$4\r\nPING\r\n", &[], None);
    check("*1\r\n$4\r\nPI\0G\r\n*1\r\n$4\0\r\nPING\r\n", &["PI\0G"], None);
}

#[test]
fn unauthenticated_clients_may_send_small_commands_only_and_one_at_a_time() {
    let decode = |text: &str| {
        let (mut batch, mut buffer) = (Batch::default(), BytesMut::from(text.as_bytes()));
        let outcome = Decoder::new(1 << 20).decode(&mut buffer, &mut batch);
        (batch.len(), outcome.err().map(|error| error.to_string()))
    };
    assert_eq!(decode("*1\r\n$4\r\nPING\r\n*11\r\n"), (1, None));
    let error = "Protocol error: unauthenticated multibulk length".to_owned();
    assert_eq!(decode("*11\r\n"), (0, Some(error)));
    let error = "Protocol error: unauthenticated bulk length".to_owned();
    assert_eq!(decode("*1\r\n$16385\r\n"), (0, Some(error)));
}

#[test]
fn an_announcement_allocates_nothing() {
    let mut decoder = decoder();
    let mut buffer = BytesMut::from(&b"*1000000\r\n$1000000\r\nabc"[..]);
    let (before, mut batch) = (buffer.capacity(), Batch::default());
    decoder.decode(&mut buffer, &mut batch).unwrap();
    assert_eq!((buffer.capacity(), decoder.words.capacity()), (before, 0));
    assert_eq!(decoder.words_bytes(), 0);
    assert_eq!(decoder.wanted(&buffer), 1_000_002 - 3);
}

proptest::proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_cuts_change_nothing(
        input in "[*$:0-9a\r\n\"']{0,60}", cut in 0..60_usize,
    ) {
        let decode = |parts: &[&[u8]]| {
            let (mut decoder, mut buffer, mut batch) =
                (decoder(), BytesMut::new(), Batch::default());
            for part in parts {
                buffer.extend_from_slice(part);
                if decoder.decode(&mut buffer, &mut batch).is_err() {
                    break;
                }
            }
            lines(&batch)
        };
        let bytes = input.as_bytes();
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        proptest::prop_assert_eq!(decode(&[bytes]), decode(&[first, second]));
    }
}
