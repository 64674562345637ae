//! The configuration of a running node: read without a lock, changed by `CONFIG SET`, `SIGHUP` and
//! changes of the file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::load::{Loaded, Problem, Problems, Sources, build, load};
use super::parameters::{self, Change, Parameter, Scope};
use super::tree::{self, PARAMETERS, Source};
use super::{Config, rewrite, validate};

/// The current configuration.
#[derive(Debug)]
pub struct LiveConfig {
    current: ArcSwap<Config>,
    /// Changed under this lock, so that concurrent changes do not overwrite each other.
    loaded: Mutex<Loaded>,
    sources: Sources,
    changes: watch::Sender<Arc<Config>>,
    unapplied: Mutex<Unapplied>,
}

/// What the sources contain and is not in effect, as of the last reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unapplied {
    /// Sorted keys whose value in the sources needs a restart. While the sources are refused, those
    /// of the last accepted reload.
    pub pending_restart: Vec<String>,
    /// Why the sources were refused as a whole.
    pub error: Option<String>,
}

/// The result of a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReloadReport {
    /// Keys that changed and are in effect now.
    pub changed: Vec<String>,
    /// Keys that need a restart and were not changed; sorted.
    pub needs_restart: Vec<String>,
}

impl LiveConfig {
    /// Starts from what was loaded; `sources` are read again by [`LiveConfig::reload`].
    pub fn new(loaded: Loaded, sources: Sources) -> Arc<Self> {
        let config = Arc::new(loaded.config.clone());
        Arc::new(Self {
            current: ArcSwap::new(Arc::clone(&config)),
            loaded: Mutex::new(loaded),
            sources,
            changes: watch::Sender::new(config),
            unapplied: Mutex::default(),
        })
    }

    /// The built-in defaults, for tests.
    pub fn defaults() -> Arc<Self> {
        let sources = Sources::default();
        let loaded = load(&sources).expect("the defaults break no rule: validate.rs tests it");
        Self::new(loaded, sources)
    }

    /// The current values. Hold the guard only briefly.
    pub fn load(&self) -> Guard<Arc<Config>> {
        self.current.load()
    }

    /// The file it was read from.
    pub fn file(&self) -> Option<PathBuf> {
        self.loaded.lock().file.clone()
    }

    /// What the last reload could not apply.
    pub fn unapplied(&self) -> Unapplied {
        self.unapplied.lock().clone()
    }

    /// Wakes whenever a value changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Config>> {
        self.changes.subscribe()
    }

    /// Every key, its value (secrets hidden) and where it came from.
    pub fn explain(&self) -> Vec<(String, String, Source)> {
        self.loaded.lock().explain()
    }

    /// The value of a parameter that is not cluster-wide, as `CONFIG GET` answers it.
    pub fn get(&self, row: &Parameter) -> Option<String> {
        let loaded = self.loaded.lock();
        match row.scope {
            Scope::Cluster => None,
            Scope::Node(key, _) => {
                let (value, _) = loaded.values.get(key)?;
                Some(row.redis_word(tree::show(value)))
            }
            Scope::Compatibility(default) => {
                let stored = loaded.config.parameters.get(row.name);
                Some(stored.cloned().unwrap_or_else(|| default.to_owned()))
            }
        }
    }

    /// Changes parameters that are not cluster-wide, all or none. The values are canonical
    /// ([`super::Kind::check`]). The error names the parameter and gives the reason in Redis's
    /// words.
    pub fn set(&self, changes: &[(&'static Parameter, String)]) -> Result<(), (String, String)> {
        let mut loaded = self.loaded.lock();
        let mut values = loaded.values.clone();
        for (row, value) in changes {
            let (key, value) = match row.scope {
                Scope::Cluster => continue,
                Scope::Node(key, _) => {
                    let model = values.get(key).map(|(value, _)| value);
                    (key.to_owned(), tree::parse(model, &row.our_word(value.clone())))
                }
                Scope::Compatibility(_) => {
                    (format!("{PARAMETERS}.{}", row.name), value.clone().into())
                }
            };
            values.insert(key, (value, Source::ConfigSet));
        }
        let config = build(&values).map_err(|message| blame(changes, None, message))?;
        if let Some((key, message)) = validate::check(&config).into_iter().next() {
            return Err(blame(changes, Some(key), message));
        }
        loaded.values = values;
        self.publish(&mut loaded, config);
        Ok(())
    }

    /// Reads file and environment again. Applies every change that needs no restart, except to
    /// parameters that `CONFIG SET` has changed since the start.
    pub fn reload(&self) -> Result<ReloadReport, Problems> {
        let outcome = self.take_over();
        let mut unapplied = self.unapplied.lock();
        match &outcome {
            Ok(report) => {
                let pending_restart = report.needs_restart.clone();
                *unapplied = Unapplied { pending_restart, error: None };
            }
            Err(problems) => unapplied.error = Some(problems.to_string()),
        }
        outcome
    }

    fn take_over(&self) -> Result<ReloadReport, Problems> {
        let fresh = load(&self.sources)?;
        let mut loaded = self.loaded.lock();
        let mut report = ReloadReport::default();
        let mut values = loaded.values.clone();
        let dropped: Vec<String> = loaded
            .values
            .iter()
            .filter(|(key, (_, source))| {
                !fresh.values.contains_key(*key) && *source != Source::ConfigSet
            })
            .map(|(key, _)| key.clone())
            .collect();
        for (key, (value, source)) in fresh.values {
            let old = values.get(&key);
            if old.is_some_and(|(old, source)| *old == value || *source == Source::ConfigSet) {
                continue;
            }
            if is_live(&key) {
                values.insert(key.clone(), (value, source));
                report.changed.push(key);
            } else {
                report.needs_restart.push(key);
            }
        }
        for key in dropped {
            values.remove(&key);
            report.changed.push(key);
        }
        let config = build(&values).map_err(|text| one_problem("configuration", text))?;
        loaded.values = values;
        self.publish(&mut loaded, config);
        Ok(report)
    }

    /// `CONFIG REWRITE`: writes what `CONFIG SET` changed into the file, keeping its comments.
    pub fn rewrite(&self) -> Result<(), String> {
        let loaded = self.loaded.lock();
        let Some(path) = &loaded.file else {
            return Err("The server is running without a config file".to_owned());
        };
        let changed: BTreeMap<String, serde_yaml::Value> = loaded
            .values
            .iter()
            .filter(|(_, (_, source))| *source == Source::ConfigSet)
            .map(|(key, (value, _))| (key.clone(), value.clone()))
            .collect();
        rewrite::rewrite(path, &changed).map_err(|error| format!("Rewriting config file: {error}"))
    }

    fn publish(&self, loaded: &mut Loaded, config: Config) {
        let shared = Arc::new(config.clone());
        loaded.config = config;
        self.current.store(Arc::clone(&shared));
        self.changes.send_replace(shared);
    }
}

/// Whether a change of this key takes effect without a restart.
fn is_live(key: &str) -> bool {
    let row = parameters::all().find(|row| matches!(row.scope, Scope::Node(own, _) if own == key));
    key.starts_with("parameters.") || row.is_some_and(|row| row.change == Change::Live)
}

fn blame(
    changes: &[(&'static Parameter, String)],
    key: Option<&str>,
    message: String,
) -> (String, String) {
    let guilty = changes.iter().find(
        |(row, _)| matches!(row.scope, Scope::Node(own, _) if key.is_none_or(|key| own == key)),
    );
    let name = guilty.or_else(|| changes.first()).map_or("", |(row, _)| row.name);
    (name.to_owned(), message)
}

fn one_problem(place: &str, message: String) -> Problems {
    Problems(vec![Problem::new(place, message)])
}

#[cfg(test)]
#[path = "live_test.rs"]
mod tests;
