//! "Did you mean": the known name that is nearest to a mistyped one.

/// The nearest of `known`, if it is similar enough.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|candidate| (distance(name, candidate), candidate));
    let (best, candidate) = distances.min()?;
    (best <= name.len().max(4) / 2).then_some(candidate)
}

/// Levenshtein's edit distance in bytes.
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name() {
        let known = ["listen.resp_port", "listen.grpc_port", "limits.clients_max"];
        assert_eq!(nearest("listen.resp_prot", known), Some("listen.resp_port"));
        assert_eq!(nearest("limits.client_max", known), Some("limits.clients_max"));
        assert_eq!(nearest("zzz", known), None);
    }
}
