//! Layers: defaults <- YAML file <- `IRONKV_*` environment <- flags. Every mistake of every layer
//! is reported at once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::nearest::nearest;
use super::tree::{self, Flat, PARAMETERS, Source};
use super::{Config, parameters, validate};
use crate::base::secret::HIDDEN;

/// The prefix of every variable.
const PREFIX: &str = "IRONKV_";

/// Variables with this prefix that other parts of the program read.
const OTHER_VARIABLES: [&str; 4] =
    ["IRONKV_CONFIG", "IRONKV_DEV_DIR", "IRONKV_LOG", "IRONKV_PASSWORD"];

/// What to load.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The YAML file.
    pub file: Option<PathBuf>,
    /// All variables of the process; those without the prefix are skipped.
    pub environment: Vec<(String, String)>,
    /// Dotted key and text of every flag given.
    pub flags: Vec<(String, String)>,
}

/// A configuration that knows where each of its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The file it was read from.
    pub file: Option<PathBuf>,
    pub(super) values: BTreeMap<String, (serde_yaml::Value, Source)>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which key and where it was given, or which file.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// All mistakes found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} mistake(s):", self.0.len())?;
        self.0.iter().try_for_each(|p| write!(f, "\n  {}: {}", p.place, p.message))
    }
}

impl Problem {
    pub(super) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

/// Merges and checks all layers.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let models = tree::flatten_defaults();
    let mut merge = Merge::new(&models);
    if let Some(path) = &sources.file {
        merge.add_file(path);
    }
    merge.add_environment(&sources.environment);
    for (key, text) in &sources.flags {
        merge.add_text(key, text, Source::Flag(format!("--{}", key.replace(['.', '_'], "-"))));
    }
    merge.finish(sources.file.clone())
}

/// The variable of a dotted key.
pub(super) fn environment_name(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

struct Merge<'a> {
    models: &'a Flat,
    values: BTreeMap<String, (serde_yaml::Value, Source)>,
    problems: Vec<Problem>,
}

impl<'a> Merge<'a> {
    fn new(models: &'a Flat) -> Self {
        let defaults = models.iter().map(|(k, v)| (k.clone(), (v.clone(), Source::Default)));
        Self { models, values: defaults.collect(), problems: Vec::new() }
    }

    fn add_file(&mut self, path: &Path) {
        let source = Source::File(path.to_owned());
        let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
        let tree = read.and_then(|text| {
            serde_yaml::from_str::<serde_yaml::Value>(&text).map_err(|error| error.to_string())
        });
        match tree {
            Err(message) => self.problems.push(Problem::new(source.to_string(), message)),
            Ok(serde_yaml::Value::Null) => {}
            Ok(tree @ serde_yaml::Value::Mapping(_)) => {
                let (flat, odd) = tree::flatten(&tree);
                for section in odd {
                    self.unknown(&section, &source);
                }
                for (key, value) in flat {
                    self.add(&key, tree::coerce(self.models.get(&key), value), source.clone());
                }
            }
            Ok(_) => self.problems.push(Problem::new(
                source.to_string(),
                "is not a mapping; write sections such as `listen:` with keys below them",
            )),
        }
    }

    fn add_environment(&mut self, variables: &[(String, String)]) {
        let known: BTreeMap<String, &String> =
            self.models.keys().map(|key| (environment_name(key), key)).collect();
        for (name, text) in variables.iter().filter(|(name, text)| is_ours(name, text)) {
            match known.get(name) {
                Some(key) => self.add_text(key, text, Source::Environment(name.clone())),
                None => {
                    let near = nearest(name, known.keys().map(String::as_str));
                    self.problems.push(unknown(name, near, "environment"));
                }
            }
        }
    }

    fn add_text(&mut self, key: &str, text: &str, source: Source) {
        let takes_text = matches!(self.models.get(key), Some(serde_yaml::Value::String(_)) | None);
        if text.is_empty() && !takes_text && matches!(source, Source::Environment(_)) {
            let message = "is set and empty; give it a value or unset it";
            self.problems.push(Problem::new(format!("{key} ({source})"), message));
            return;
        }
        self.add(key, tree::parse(self.models.get(key), text), source);
    }

    fn add(&mut self, key: &str, value: serde_yaml::Value, source: Source) {
        let parameter = key.strip_prefix(PARAMETERS).and_then(|rest| rest.strip_prefix('.'));
        if let Some(own) = parameter.and_then(parameters::key_since) {
            return self.add_text(own, &tree::show(&value), source);
        }
        let checked = match parameter {
            Some(name) => {
                parameters::check_compatibility(name, &tree::show(&value)).map(Into::into)
            }
            None if self.models.contains_key(key) => check_type(key, &value).map(|()| value),
            None => return self.unknown(key, &source),
        };
        match checked {
            Ok(value) => drop(self.values.insert(key.to_owned(), (value, source))),
            Err(message) => self.problems.push(Problem::new(format!("{key} ({source})"), message)),
        }
    }

    fn unknown(&mut self, key: &str, source: &Source) {
        let near = nearest(key, self.models.keys().map(String::as_str));
        self.problems.push(unknown(key, near, &source.to_string()));
    }

    fn finish(mut self, file: Option<PathBuf>) -> Result<Loaded, Problems> {
        match build(&self.values) {
            Ok(config) => {
                self.problems.extend(validate::check(&config).into_iter().map(|(key, message)| {
                    let source = self.values.get(key).map(|(_, source)| source.to_string());
                    Problem::new(format!("{key} ({})", source.unwrap_or_default()), message)
                }));
                if self.problems.is_empty() {
                    return Ok(Loaded { config, file, values: self.values });
                }
            }
            Err(message) => self.problems.push(Problem::new("configuration", message)),
        }
        Err(Problems(self.problems))
    }
}

/// The typed configuration of a merged table.
pub(super) fn build(
    values: &BTreeMap<String, (serde_yaml::Value, Source)>,
) -> Result<Config, String> {
    let flat = values.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect();
    serde_yaml::from_value(tree::unflatten(&flat)).map_err(|error| error.to_string())
}

/// Whether one value has the type of its key.
pub(super) fn check_type(key: &str, value: &serde_yaml::Value) -> Result<(), String> {
    let one = Flat::from([(key.to_owned(), value.clone())]);
    let parsed = serde_yaml::from_value::<Config>(tree::unflatten(&one));
    parsed.map(drop).map_err(|error| {
        let text = error.to_string();
        // serde_yaml names the path first, which the error contains already.
        in_words(text.split_once(": ").map_or(text.as_str(), |(_, message)| message))
    })
}

/// Replaces Rust's names of number types.
fn in_words(message: &str) -> String {
    let numbers = [
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected u64", "expected a whole number, where sizes may have a unit, such as 64mb"),
    ];
    let found = numbers.iter().find(|(name, _)| message.ends_with(name));
    found.map_or_else(|| message.to_owned(), |(name, words)| message.replace(name, words))
}

fn unknown(name: &str, near: Option<&str>, place: &str) -> Problem {
    let hint = near.map_or_else(
        || "see `ironkv serve --print-config` for the names".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Problem::new(format!("{name} ({place})"), format!("unknown name; {hint}"))
}

/// Kubernetes puts addresses of services into the environment of every pod, and a service may be
/// called ironkv.
fn is_ours(name: &str, text: &str) -> bool {
    let of_kubernetes = name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.contains("_TCP_")
        || name.contains("_UDP_")
        || text.contains("://");
    name.starts_with(PREFIX) && !OTHER_VARIABLES.contains(&name) && !of_kubernetes
}

impl Loaded {
    /// Every key, its value (secrets hidden) and its source: what `--print-config` shows.
    pub fn explain(&self) -> Vec<(String, String, Source)> {
        let rows = self.values.iter().map(|(key, (value, source))| {
            let shown = tree::show(value);
            let hidden = parameters::is_secret(key) && !shown.is_empty();
            (key.clone(), if hidden { HIDDEN.to_owned() } else { shown }, source.clone())
        });
        rows.collect()
    }
}

#[cfg(test)]
#[path = "load_test.rs"]
mod tests;
