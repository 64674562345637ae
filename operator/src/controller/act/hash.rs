//! The hash by which the operator notices a change.

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// A hash of the value as JSON. Some hashes are stored in Kubernetes, so equal values must give the
/// same hash with every version of the compiler and of the operator.
pub(super) fn hash_of(value: &impl Serialize) -> u64 {
    xxh3_64(&serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hash_of_a_value_never_changes() {
        assert_eq!(hash_of(&json!({ "a": [1, "b"] })), 15_973_584_826_909_497_647);
    }
}
