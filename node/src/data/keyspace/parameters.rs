//! The cluster-wide parameters as fields of [`Settings`]. Their names, ranges and words are in the
//! table in `base/config/parameters`.

use super::Settings;
use super::policy::MaxmemoryPolicy;
use crate::base::config::NotifyClasses;
use crate::base::config::parameters::{Parameter, of_cluster};
use crate::base::feature_level::FeatureLevel;
use crate::resp::ReplyError;

/// The field of one parameter.
struct Field {
    name: &'static str,
    get: fn(&Settings) -> String,
    /// Sets the field from the canonical form; `None` if the text is not of this type.
    set: fn(&mut Settings, &str) -> Option<()>,
}

/// A type of fields, in the notation of `CONFIG`.
trait Written: Sized {
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

macro_rules! fields {
    ($($name:literal => $field:ident,)*) => {
        &[$(Field {
            name: $name,
            get: |settings| settings.$field.write(),
            set: |settings, text| {
                settings.$field = Written::read(text)?;
                Some(())
            },
        },)*]
    };
}

static FIELDS: &[Field] = fields! {
    "hash-max-listpack-entries" => hash_max_listpack_entries,
    "hash-max-listpack-value" => hash_max_listpack_value,
    "list-max-listpack-size" => list_max_listpack_size,
    "list-compress-depth" => list_compress_depth,
    "set-max-intset-entries" => set_max_intset_entries,
    "set-max-listpack-entries" => set_max_listpack_entries,
    "set-max-listpack-value" => set_max_listpack_value,
    "zset-max-listpack-entries" => zset_max_listpack_entries,
    "zset-max-listpack-value" => zset_max_listpack_value,
    "maxmemory" => maxmemory,
    "maxmemory-policy" => maxmemory_policy,
    "maxmemory-samples" => maxmemory_samples,
    "lfu-log-factor" => lfu_log_factor,
    "lfu-decay-time" => lfu_decay_time,
    "notify-keyspace-events" => notify_keyspace_events,
    "active-expire" => active_expire,
};

impl Settings {
    /// The value of a parameter as `CONFIG GET` shows it; `None` if it is not cluster-wide. Accepts
    /// aliases; case does not matter.
    pub fn get(&self, name: &str) -> Option<String> {
        find(name).map(|(_, field)| (field.get)(self))
    }

    /// Changes a parameter. The error is the whole reply of `CONFIG SET`, with the name as given.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), ReplyError> {
        let (row, field) = find(name).ok_or_else(|| Self::unknown(name))?;
        self.write(row, field, value).map_err(|reason| {
            ReplyError::new(format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
            ))
        })
    }

    /// The reply of `CONFIG SET` for a parameter that does not exist.
    pub fn unknown(name: &str) -> ReplyError {
        ReplyError::new(format!(
            "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
        ))
    }

    /// The feature level at which every member knows the parameter and takes the same values.
    pub fn needs_level(name: &str) -> FeatureLevel {
        find(name).map_or(FeatureLevel::FIRST, |(row, _)| row.needs_level)
    }

    /// All parameters of a feature level with their values, for a digest: the same in every program
    /// that knows the level.
    pub fn fingerprint(&self, level: FeatureLevel) -> Vec<u8> {
        let known = of_cluster().filter(|row| row.needs_level <= level);
        let row = |row: &Parameter| Some(format!("{} {}\n", row.name, self.get(row.name)?));
        let mut rows: Vec<String> = known.filter_map(row).collect();
        rows.sort_unstable();
        rows.concat().into_bytes()
    }

    /// As [`Settings::set`], but the error is only the reason.
    pub fn change(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        let (row, field) = find(name).ok_or("unknown parameter")?;
        self.write(row, field, value)
    }

    fn write(&mut self, row: &Parameter, field: &Field, value: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(value);
        let canonical = row.kind.check(&text, "")?;
        (field.set)(self, &canonical).ok_or_else(|| format!("{canonical} cannot be stored"))
    }
}

/// Finds a parameter by name or alias; case does not matter.
fn find(name: &str) -> Option<(&'static Parameter, &'static Field)> {
    let row = of_cluster().find(|row| row.is_called(name))?;
    FIELDS.iter().find(|field| field.name == row.name).map(|field| (row, field))
}

impl Written for u64 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Written for i64 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Written for bool {
    fn write(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        Some(text == "yes")
    }
}

impl Written for MaxmemoryPolicy {
    fn write(&self) -> String {
        self.name().to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == text)
    }
}

impl Written for NotifyClasses {
    fn write(&self) -> String {
        (*self).into()
    }

    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

#[cfg(test)]
#[path = "parameters_test.rs"]
mod tests;
