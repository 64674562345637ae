//! The configuration as a flat table from dotted key to value: the form in which layers are merged
//! and in which the source of every value is recorded.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_yaml::{Mapping, Value};

use super::memory::parse_memory;
use super::{Config, parse_yes_no};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// This file.
    File(PathBuf),
    /// This variable.
    Environment(String),
    /// This flag.
    Flag(String),
    /// `CONFIG SET` since the process started.
    ConfigSet,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::ConfigSet => f.write_str("CONFIG SET"),
        }
    }
}

/// Dotted key to value.
pub(super) type Flat = BTreeMap<String, Value>;

/// The section that takes any key.
pub(super) const PARAMETERS: &str = "parameters";

/// The defaults.
pub(super) fn flatten_defaults() -> Flat {
    let tree = serde_yaml::to_value(Config::default()).unwrap_or_default();
    // The defaults have two levels of mappings by construction, so nothing is left over.
    flatten(&tree).0
}

/// Flattens two levels; first-level keys that are not sections are returned separately.
pub(super) fn flatten(tree: &Value) -> (Flat, Vec<String>) {
    let (mut flat, mut odd) = (Flat::new(), Vec::new());
    let Value::Mapping(sections) = tree else { return (flat, odd) };
    for (section, content) in sections {
        let section = show(section);
        match content {
            Value::Mapping(fields) => {
                flat.extend(
                    fields.iter().map(|(k, v)| (format!("{section}.{}", show(k)), v.clone())),
                );
            }
            Value::Null if is_section(&section) => {}
            _ => odd.push(section),
        }
    }
    (flat, odd)
}

/// Whether a section of this name exists; a section without keys may be empty in a file.
fn is_section(name: &str) -> bool {
    let tree = serde_yaml::to_value(Config::default()).unwrap_or_default();
    tree.get(name).is_some() || name == PARAMETERS
}

/// The tree of a flat table.
pub(super) fn unflatten(flat: &Flat) -> Value {
    let mut sections: BTreeMap<&str, Mapping> = BTreeMap::new();
    for (key, value) in flat {
        if let Some((section, field)) = key.split_once('.') {
            sections.entry(section).or_default().insert(field.into(), value.clone());
        }
    }
    let sections = sections.into_iter().map(|(k, v)| (Value::from(k), Value::Mapping(v)));
    Value::Mapping(sections.collect())
}

/// A value on one line, for human readers.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Sequence(items) => items.iter().map(show).collect::<Vec<_>>().join(","),
        other => serde_yaml::to_string(other).unwrap_or_default().trim_end().to_owned(),
    }
}

/// The value that a text means for a key whose default is `model`.
pub(super) fn parse(model: Option<&Value>, text: &str) -> Value {
    match model {
        Some(Value::Number(_)) => {
            let number = text.parse::<i64>().ok().map(Value::from);
            let size = || parse_memory(text).map(Value::from);
            number.or_else(size).unwrap_or_else(|| text.into())
        }
        Some(Value::Bool(_)) => {
            let plain = text.parse::<bool>().ok();
            plain.or_else(|| parse_yes_no(text)).map_or_else(|| text.into(), Value::from)
        }
        Some(Value::Sequence(_)) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Sequence(items.map(Value::from).collect())
        }
        _ => text.into(),
    }
}

/// Converts a value that a person wrote to the type of its default: a password may look like a
/// number, a size may be a text, a switch may be `yes`.
pub(super) fn coerce(model: Option<&Value>, value: Value) -> Value {
    match (model, &value) {
        (Some(Value::String(_)), Value::Number(_) | Value::Bool(_)) => show(&value).into(),
        (None, Value::Number(_)) => show(&value).into(),
        (None, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.into(),
        (Some(_), Value::String(text)) => parse(model, text),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flattening_and_back_changes_nothing() {
        let flat = flatten_defaults();
        assert_eq!(flatten(&unflatten(&flat)).0, flat);
    }

    #[test]
    fn values_take_the_type_of_their_default() {
        let (number, text, switch) = (Value::from(1), Value::from("a"), Value::from(true));
        assert_eq!(coerce(Some(&number), Value::from("64mb")), Value::from(64 << 20));
        assert_eq!(coerce(Some(&text), Value::from(1234)), Value::from("1234"));
        assert_eq!(coerce(Some(&switch), Value::from("no")), Value::from(false));
        assert_eq!(coerce(None, Value::from(true)), Value::from("yes"));
    }
}
