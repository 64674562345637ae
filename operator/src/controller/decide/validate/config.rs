//! Checks the keys of `spec.config`.

use std::collections::BTreeMap;

use super::invalid::Invalid;

/// Keys that the operator sets itself, and what to write instead. An entry that ends with a dot
/// stands for all keys that begin with it.
const RESERVED: [(&str, &str); 9] = [
    ("listen.", "ports are fixed; use spec.tls.clients for a port with TLS"),
    ("advertise.", "pods are known by their names in the peers' Service"),
    ("data.directory", "the volume is mounted there; use spec.storage"),
    ("node.", "pods are named and find each other by the operator"),
    ("auth.", "use spec.auth"),
    ("security.requirepass", "a password belongs into a Secret; use spec.auth.secret"),
    ("tls.", "use spec.tls"),
    ("raft.shutdown_timeout_ms", "use spec.terminationGracePeriodSeconds"),
    ("requirepass", "a password belongs into a Secret; use spec.auth.secret"),
];

/// Checks that each key is well formed and not one that the operator sets itself.
pub(super) fn check(config: &BTreeMap<String, String>) -> Result<(), Invalid> {
    for (key, value) in config {
        if !is_name(key) {
            return Err(Invalid::MalformedKey(key.clone()));
        }
        let lower = key.to_ascii_lowercase();
        let reserved = RESERVED.iter().find(|(begin, _)| {
            lower == *begin || (begin.ends_with('.') && lower.starts_with(begin))
        });
        if let Some((_, instead)) = reserved {
            return Err(Invalid::ReservedKey { key: key.clone(), instead });
        }
        if value.chars().any(char::is_control) {
            return Err(Invalid::MalformedValue(key.clone()));
        }
    }
    Ok(())
}

/// Whether a key is well formed, such as `maxmemory`, `checkpoint.log_bytes_min` or
/// `parameters.hash-max-listpack-entries`.
fn is_name(key: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    key.split('.').count() <= 2 && key.split('.').all(is_word)
}
