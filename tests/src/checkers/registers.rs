//! The zone check of Gibbons and Korach ("Testing Shared Memories", 1997): decides in O(n log n)
//! whether reads and writes of one register with unique written values are linearizable.

use std::collections::HashMap;
use std::hash::Hash;

use crate::checkers::history::{Operation, Outcome};

/// Operations on a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call<V> {
    /// Returns the value, `None` for a register that was never written.
    Read,
    /// Sets the value, which no other write uses.
    Write(V),
}

/// The result: the value of a read; `None` for a write.
pub type Answer<V> = Option<V>;

/// All operations with one value.
#[derive(Debug)]
struct Cluster {
    written_from: u64,
    first_return: u64,
    last_invocation: u64,
    read: bool,
}

/// The time in which a value is certainly current (forward), or can be current at one point
/// (backward).
#[derive(Debug, Clone, Copy)]
struct Zone {
    from: u64,
    to: u64,
}

/// Checks the history of one register.
///
/// # Errors
/// Returns which rule was broken and at which ticks.
pub fn check<V>(operations: &[Operation<Call<V>, Answer<V>>]) -> Result<(), String>
where
    V: Clone + Eq + Hash + std::fmt::Debug,
{
    let clusters = clusters(operations)?;
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    for cluster in clusters.values() {
        let (first_return, last_invocation) = (cluster.first_return, cluster.last_invocation);
        if first_return < last_invocation {
            forward.push(Zone { from: first_return, to: last_invocation });
        } else {
            backward.push(Zone { from: last_invocation, to: first_return });
        }
    }
    forward.sort_by_key(|zone| zone.from);
    for pair in forward.windows(2) {
        if pair[1].from < pair[0].to {
            return Err(format!("two values must hold at once: {:?} and {:?}", pair[0], pair[1]));
        }
    }
    for zone in backward {
        let after = forward.partition_point(|other| other.from < zone.from);
        if after > 0 && zone.to < forward[after - 1].to {
            let holds = forward[after - 1];
            return Err(format!("{zone:?} had to hold while another value does: {holds:?}"));
        }
    }
    Ok(())
}

fn clusters<V>(
    operations: &[Operation<Call<V>, Answer<V>>],
) -> Result<HashMap<Option<V>, Cluster>, String>
where
    V: Clone + Eq + Hash + std::fmt::Debug,
{
    let initial = Cluster { written_from: 0, first_return: 0, last_invocation: 0, read: true };
    let mut clusters = HashMap::from([(None, initial)]);
    for operation in operations {
        if let (Call::Write(value), false) = (&operation.call, operation.outcome == Outcome::Failed)
        {
            let cluster = Cluster {
                written_from: operation.invoked,
                first_return: operation.returned,
                last_invocation: operation.invoked,
                read: operation.outcome != Outcome::Unknown,
            };
            if clusters.insert(Some(value.clone()), cluster).is_some() {
                return Err(format!("{value:?} was written twice; the check needs unique values"));
            }
        }
    }
    for operation in operations {
        let (Call::Read, Outcome::Returned(value)) = (&operation.call, &operation.outcome) else {
            continue;
        };
        let Some(cluster) = clusters.get_mut(value) else {
            return Err(format!("{value:?} was read at {} and never written", operation.returned));
        };
        if operation.returned < cluster.written_from {
            return Err(format!(
                "{value:?} was read at {} and written only at {}",
                operation.returned, cluster.written_from
            ));
        }
        cluster.read = true;
        cluster.first_return = cluster.first_return.min(operation.returned);
        cluster.last_invocation = cluster.last_invocation.max(operation.invoked);
    }
    // A write with an unknown outcome whose value was never read may be ignored.
    clusters.retain(|_, cluster| cluster.read);
    Ok(clusters)
}

#[cfg(test)]
#[path = "registers_test.rs"]
mod tests;
