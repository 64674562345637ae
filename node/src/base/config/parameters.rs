//! The table behind `CONFIG GET` and `CONFIG SET`: a row for each Redis parameter with its scope
//! and when it can change.

mod compatibility;
mod meaningful;

pub use meaningful::EVICTION_POLICIES;

use super::kind::Kind;
use crate::base::feature_level::FeatureLevel;

/// One parameter under Redis's name.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// The other name that Redis accepts.
    pub alias: Option<&'static str>,
    /// The values that it takes.
    pub kind: Kind,
    /// Where its value is stored.
    pub scope: Scope,
    /// When it can change.
    pub change: Change,
    /// For a cluster parameter: the feature level at which every member knows it. Values that it
    /// takes only from some level on must be refused below that level, as before.
    pub needs_level: FeatureLevel,
}

/// Where the value of a parameter is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In the replicated state: the same on every node, changed through the log.
    Cluster,
    /// In this node's configuration, under this dotted key. The pairs translate Redis's words into
    /// the key's words; without pairs the words are the same.
    Node(&'static str, &'static [(&'static str, &'static str)]),
    /// Has no meaning here; kept on this node because clients read it. The text is the default.
    Compatibility(&'static str),
}

/// When a parameter can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At run time.
    Live,
    /// Only by the configuration file and a restart.
    Restart,
    /// As `Restart`, but Redis can change it at run time: setting it to its present value succeeds.
    Fixed,
    /// As `Restart`, with Redis's own error text for parameters that touch the file system.
    Protected,
}

/// The parameter of this name or alias; case does not matter.
pub fn find(name: &str) -> Option<&'static Parameter> {
    all().find(|row| row.is_called(name))
}

/// Every row of the replicated state, including those that `CONFIG` does not know.
pub fn of_cluster() -> impl Iterator<Item = &'static Parameter> {
    meaningful::INTERNAL.iter().chain(all().filter(|row| row.scope == Scope::Cluster))
}

/// Every row that `CONFIG` knows.
pub fn all() -> impl Iterator<Item = &'static Parameter> {
    meaningful::ROWS.iter().chain(compatibility::ROWS)
}

/// Whether a dotted configuration key holds a secret.
pub fn is_secret(key: &str) -> bool {
    matches!(key, "security.requirepass" | "parameters.masterauth" | "parameters.tls-key-file-pass")
}

/// The canonical form of a compatibility parameter given in the configuration file.
pub(super) fn check_compatibility(name: &str, text: &str) -> Result<String, String> {
    let Some(row) = find(name) else {
        let names = all().filter(|row| matches!(row.scope, Scope::Compatibility(_)));
        let near = super::nearest(name, names.map(|row| row.name));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(format!("unknown Redis parameter{hint}"));
    };
    match row.scope {
        Scope::Compatibility(_) => row.kind.check(text, "").map_err(std::borrow::Cow::into_owned),
        Scope::Cluster => Err(format!(
            "{name} belongs to the whole cluster: set it with CONFIG SET on any node, once"
        )),
        Scope::Node(key, _) => Err(format!("write it as {key}")),
    }
}

/// The key of a parameter that version 0.1.0 kept without a meaning, and may have written into the
/// configuration file as such.
pub(super) fn key_since(name: &str) -> Option<&'static str> {
    name.eq_ignore_ascii_case("maxmemory-clients").then_some("limits.clients_memory_max")
}

impl Parameter {
    /// Whether this is its name or alias; case does not matter.
    pub fn is_called(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Its name and its alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.name), self.alias].into_iter().flatten()
    }

    /// Redis's word for a word of the key.
    pub fn redis_word(&self, word: String) -> String {
        let Scope::Node(_, pairs) = self.scope else { return word };
        let found = pairs.iter().find(|(_, ours)| *ours == word);
        found.map_or(word, |(redis, _)| (*redis).to_owned())
    }

    /// The key's word for a word of Redis.
    pub fn our_word(&self, word: String) -> String {
        let Scope::Node(_, pairs) = self.scope else { return word };
        let found = pairs.iter().find(|(redis, _)| *redis == word);
        found.map_or(word, |(_, ours)| (*ours).to_owned())
    }
}

const fn row(name: &'static str, kind: Kind, scope: Scope, change: Change) -> Parameter {
    Parameter { name, alias: None, kind, scope, change, needs_level: FeatureLevel::FIRST }
}

const fn aliased(alias: &'static str, row: Parameter) -> Parameter {
    Parameter { alias: Some(alias), ..row }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_name_occurs_twice() {
        let mut seen = BTreeSet::new();
        for row in all() {
            assert!(seen.insert(row.name), "{} occurs twice", row.name);
            assert!(row.alias.is_none_or(|alias| seen.insert(alias)), "{:?}", row.alias);
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for row in all() {
            if let Scope::Compatibility(default) = row.scope {
                assert_eq!(row.kind.check(default, "").as_deref(), Ok(default), "{}", row.name);
            }
        }
    }

    #[test]
    fn every_node_row_names_a_key_that_exists() {
        let keys = super::super::tree::flatten_defaults();
        for row in all() {
            if let Scope::Node(key, _) = row.scope {
                assert!(keys.contains_key(key), "{} names {key}", row.name);
            }
        }
    }

    #[test]
    fn names_and_aliases_are_found_whatever_the_case() {
        let by_alias = find("HASH-MAX-ZIPLIST-ENTRIES").map(|row| row.name);
        assert_eq!(by_alias, Some("hash-max-listpack-entries"));
        assert!(find("nonsense").is_none());
    }
}
