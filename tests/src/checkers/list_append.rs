//! Transactions that append to lists and read them whole, checked by the crate `adya` for strict
//! serializability: lists show the order of their writes, so every dependency is visible.

use adya::{Opts, Report, Valid, Workload};
use serde_json::{Value as Json, json};

use crate::checkers::history::{NEVER, Operation, Outcome};

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Appends a value, unique for the key, to the list.
    Append {
        /// The list.
        key: u32,
        /// Unique for each key.
        value: u64,
    },
    /// Reads the whole list.
    Read {
        /// The list.
        key: u32,
    },
}

/// The lists read, in the order of the transaction's reads.
pub type Lists = Vec<Vec<u64>>;

/// Checks a history of transactions.
///
/// # Errors
/// Names each kind of anomaly (G0, G1a, G1b, G1c, G-single, ...) with one explained example.
pub fn check(operations: &[Operation<Vec<Step>, Lists>]) -> Result<(), String> {
    let history = adya::History::from_json(&json_lines(operations)).map_err(|e| e.to_string())?;
    let options = Opts { models: vec!["strict-serializable".to_owned()], ..Opts::default() };
    let report = adya::check(&history, Workload::ListAppend, &options);
    match report.valid {
        Valid::True => Ok(()),
        _ if operations.iter().all(|o| !matches!(o.outcome, Outcome::Returned(_))) => Ok(()),
        _ => Err(explain(&report)),
    }
}

fn explain(report: &Report) -> String {
    let mut text = format!("{:?}: {}", report.valid, report.anomaly_types.join(", "));
    if let Ok(Json::Object(all)) = serde_json::to_value(report)
        && let Some(Json::Object(anomalies)) = all.get("anomalies")
    {
        for (kind, found) in anomalies {
            let example = found.get(0).and_then(|one| one.get("explanation"));
            text.push_str(&format!("\n{kind}: {}", example.and_then(Json::as_str).unwrap_or("?")));
        }
    }
    text
}

/// One line per event, in the order of time; operations with an unknown outcome stay open.
fn json_lines(operations: &[Operation<Vec<Step>, Lists>]) -> String {
    let mut events = Vec::with_capacity(operations.len() * 2);
    for operation in operations {
        events.push((operation.invoked, event(operation, "invoke", None)));
        match &operation.outcome {
            Outcome::Returned(lists) => {
                events.push((operation.returned, event(operation, "ok", Some(lists))));
            }
            Outcome::Failed => events.push((operation.returned, event(operation, "fail", None))),
            Outcome::Unknown => events.push((NEVER, event(operation, "info", None))),
        }
    }
    events.sort_by_key(|(tick, _)| *tick);
    events.iter().map(|(_, event)| format!("{event}\n")).collect()
}

fn event(operation: &Operation<Vec<Step>, Lists>, kind: &str, lists: Option<&Lists>) -> Json {
    let mut reads = lists.into_iter().flatten();
    let step = |step: &Step| match step {
        Step::Append { key, value } => json!(["append", key, value]),
        Step::Read { key } => json!(["r", key, reads.next()]),
    };
    let steps: Vec<Json> = operation.call.iter().map(step).collect();
    json!({"type": kind, "f": "txn", "process": operation.client, "value": steps})
}

#[cfg(test)]
mod tests {
    use super::*;

    type Transaction = Operation<Vec<Step>, Lists>;

    const fn append(key: u32, value: u64) -> Step {
        Step::Append { key, value }
    }

    fn done(client: u64, steps: &[Step], reads: &[&[u64]], at: (u64, u64)) -> Transaction {
        let lists = reads.iter().map(|list| list.to_vec()).collect();
        Operation {
            client,
            call: steps.to_vec(),
            invoked: at.0,
            returned: at.1,
            outcome: Outcome::Returned(lists),
        }
    }

    const READ_1: Step = Step::Read { key: 1 };
    const READ_2: Step = Step::Read { key: 2 };

    #[test]
    fn serial_histories_pass_and_unknown_appends_may_show_or_not() {
        let mut unknown = done(2, &[append(1, 20)], &[], (3, NEVER));
        unknown.outcome = Outcome::Unknown;
        let seen = done(0, &[READ_1], &[&[10, 20]], (5, 6));
        let unseen = done(0, &[READ_1], &[&[10]], (5, 6));
        for read in [seen, unseen] {
            let first = done(0, &[append(1, 10)], &[], (1, 2));
            assert_eq!(check(&[first, unknown.clone(), read]), Ok(()));
        }
    }

    #[test]
    fn seeded_anomalies_are_named() {
        let check = |history: &[Transaction], expected: &str| {
            let error = check(history).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        let stale = [
            done(0, &[append(1, 10)], &[], (1, 2)),
            done(1, &[append(1, 11)], &[], (3, 4)),
            done(2, &[READ_1], &[&[10]], (5, 6)),
            done(2, &[READ_1], &[&[10, 11]], (7, 8)),
        ];
        check(&stale, "realtime");
        let skew = [
            done(0, &[READ_1, append(2, 20)], &[&[]], (1, 10)),
            done(1, &[READ_2, append(1, 10)], &[&[]], (2, 9)),
            done(2, &[READ_1, READ_2], &[&[10], &[20]], (11, 12)),
        ];
        check(&skew, "G2");
        let torn = [
            done(0, &[append(1, 10), append(2, 20)], &[], (1, 10)),
            done(1, &[READ_1, READ_2], &[&[10], &[]], (2, 9)),
            done(1, &[READ_1, READ_2], &[&[10], &[20]], (11, 12)),
        ];
        check(&torn, "G-single");
        let middle = [
            done(0, &[append(1, 10), append(1, 11)], &[], (1, 10)),
            done(1, &[READ_1], &[&[10]], (2, 9)),
        ];
        check(&middle, "G1b");
        let mut aborted = done(0, &[append(1, 10)], &[], (1, 2));
        aborted.outcome = Outcome::Failed;
        check(&[aborted, done(1, &[READ_1], &[&[10]], (3, 4))], "G1a");
        let lost = [
            done(0, &[append(1, 10)], &[], (1, 2)),
            done(1, &[READ_1], &[&[]], (3, 4)),
            done(1, &[READ_1], &[&[10]], (5, 6)),
        ];
        check(&lost, "realtime");
        let diverged = [
            done(0, &[append(1, 10)], &[], (1, 8)),
            done(1, &[append(1, 11)], &[], (2, 9)),
            done(2, &[READ_1], &[&[10, 11]], (10, 11)),
            done(2, &[READ_1], &[&[11, 10]], (12, 13)),
        ];
        check(&diverged, "incompatible-order");
    }
}
