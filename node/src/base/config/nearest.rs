//! "Did you mean": the known name that is nearest to a mistyped one.

use strsim::levenshtein;

/// The nearest of `known`, if it is similar enough.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|candidate| (levenshtein(name, candidate), candidate));
    let (best, candidate) = distances.min()?;
    (best <= name.len().max(4) / 2).then_some(candidate)
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
