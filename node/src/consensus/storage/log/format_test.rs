#![allow(clippy::unwrap_used)]

use super::*;

fn position(index: u64) -> LogPosition {
    LogPosition { index, term: index / 3, leader: index % 3 }
}

fn items() -> Vec<Item> {
    let state = LogState {
        last: Some(position(9)),
        purged: None,
        vote: Some(Bytes::from_static(b"vote")),
        committed: Some(position(4)),
    };
    vec![
        Item::Head(state),
        Item::Head(LogState::default()),
        Item::Entry(Record { position: position(10), payload: Bytes::from_static(b"payload") }),
        Item::Entry(Record { position: position(11), payload: Bytes::new() }),
        Item::Vote(Bytes::from_static(b"another vote")),
        Item::Truncate(Some(position(9))),
        Item::Truncate(None),
        Item::Purge(position(3)),
        Item::Committed(position(8)),
    ]
}

#[test]
fn every_item_reads_back_as_written() {
    for item in items() {
        let mut bytes = Vec::new();
        item.encode(&mut bytes);
        assert_eq!(bytes.len(), item.encoded_bytes(), "{item:?}");
        let header = ItemHeader::decode(&bytes).unwrap();
        let body = Bytes::copy_from_slice(&bytes[ITEM_HEADER_BYTES..]);
        assert!(header.matches(&body));
        assert_eq!(Item::decode(header.kind, body), Some(item));
    }
}

#[test]
fn any_flipped_bit_of_a_frame_is_noticed() {
    let mut frame = Vec::new();
    begin_frame(&mut frame);
    items().iter().for_each(|item| item.encode(&mut frame));
    end_frame(&mut frame, 77, 5);
    assert_eq!(Frame::decode(&frame, 77).unwrap().sequence, 5);
    assert!(Frame::decode(&frame, 78).is_none(), "another life of the file");
    assert!(Frame::decode(&frame[..frame.len() - 1], 77).is_none(), "cut short");
    for bit in 0..frame.len() * 8 {
        frame[bit / 8] ^= 1 << (bit % 8);
        assert!(Frame::decode(&frame, 77).is_none(), "bit {bit}");
        frame[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_segment_header_reads_back_and_notices_damage() {
    let header = SegmentHeader { group: GroupId(3), number: 8, salt: 99 };
    let mut bytes = header.encode();
    assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
    bytes[20] ^= 1;
    SegmentHeader::decode(&bytes).unwrap_err();
    SegmentHeader::decode(&[]).unwrap_err();
}
