//! Records: written, read again, summarised.

use super::*;

fn line(event: Event, number: u64, at_ms: u64) -> Line {
    Line { event, number, at_ms, remark: "CLUSTERDOWN no leader".to_owned() }
}

#[test]
fn a_record_is_read_as_it_was_written_without_a_half_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record");
    assert!(read(&path).unwrap().is_empty());
    let lines: Vec<Line> =
        WORDS.iter().zip(1..).map(|((event, _), number)| line(*event, number, 7)).collect();
    let mut record = Record::append(&path).unwrap();
    for line in &lines {
        record.write(line).unwrap();
    }
    record.0.write_all(b"acknowledged 12").unwrap();
    assert_eq!(read(&path).unwrap(), lines);
}

#[test]
fn an_invalid_line_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record");
    std::fs::write(&path, "acknowledged twelve 1 \n").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("acknowledged twelve"));
}

#[test]
fn a_report_counts_and_finds_the_longest_gap() {
    let lines = [
        line(Event::Acknowledged, 1, 100),
        line(Event::Refused, 2, 150),
        line(Event::Unknown, 3, 300),
        line(Event::Acknowledged, 4, 400),
        line(Event::Stale, 4, 410),
        line(Event::Stopped, 0, 450),
    ];
    let report = Report::of(&lines);
    assert_eq!((report.acknowledged, report.unknown, report.refused), (2, 1, 1));
    assert_eq!((report.longest_gap_ms, report.stale.len()), (300, 1));
    assert_eq!(report.last_errors.len(), 2);
}

#[test]
fn a_store_that_never_answers_again_is_a_gap_until_the_end() {
    let lines = [
        line(Event::Acknowledged, 1, 100),
        line(Event::Refused, 2, 900),
        line(Event::Stopped, 0, 1000),
    ];
    assert_eq!(Report::of(&lines).longest_gap_ms, 900);
    assert_eq!(Report::of(&lines[1..]).longest_gap_ms, 100);
}

#[test]
fn a_violation_of_the_guarantees_is_a_problem() {
    let keys = |counts: &[u64]| {
        let member = |(at, count): (usize, &u64)| (format!("kv-{at}"), *count);
        counts.iter().enumerate().map(member).collect()
    };
    let clean = Report { unknown: 1, keys: keys(&[7, 7, 7]), ..Report::default() };
    assert_eq!(clean.problem(), None);
    let missing = Report { missing: vec!["e2e:7".to_owned()], ..clean.clone() };
    assert!(missing.problem().is_some());
    let stale = Report { stale: vec!["write 7".to_owned()], ..clean.clone() };
    assert!(stale.problem().is_some());
    let unequal = Report { keys: keys(&[7, 7, 8]), ..clean };
    assert!(unequal.problem().is_some());
}
