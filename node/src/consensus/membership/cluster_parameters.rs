//! Cluster-wide parameters as a whole, for whoever wants the cluster to have certain values: what
//! differs goes the way of `CONFIG SET`, the rest is left alone.

use std::collections::BTreeMap;

use super::change::ChangeError;
use crate::base::config::nearest;
use crate::base::config::parameters::{self, Parameter, Scope};
use crate::base::feature_level::FeatureLevel;
use crate::consensus::errors::{ProposeError, ReadError, Refusal};
use crate::consensus::group::Group;
use crate::data::keyspace::Settings;

impl Group {
    /// Gives parameters these values; the names of those that had another. One that cannot be set
    /// refuses all.
    pub async fn set_parameters(
        &self,
        wanted: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<&'static str>, ChangeError> {
        self.read_barrier().await.map_err(|error| match error {
            ReadError::NoLeader | ReadError::TooStale => ChangeError::NotLeader(None),
            ReadError::Stopping => ChangeError::Unreachable(error.to_string()),
        })?;
        let settings = self.0.apply.settings().await;
        let settings = settings.map_err(|error| ChangeError::Unreachable(error.to_string()))?;
        let changes = differences(&settings, wanted).map_err(ChangeError::Refused)?;
        let all: Vec<(&str, &[u8])> =
            changes.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        // Members of version 0.1.0 know no entry that sets several.
        let at_once =
            if self.0.applied.feature_level() < FeatureLevel::SECOND { 1 } else { all.len() };
        for some in all.chunks(at_once.max(1)) {
            let set = self.change_parameters(some).await;
            set.map_err(|error| match error {
                ProposeError::NotExecuted(Refusal::NoLeader) => ChangeError::NotLeader(None),
                ProposeError::NotExecuted(Refusal::Invalid(text)) => ChangeError::Refused(text),
                ProposeError::NotExecuted(refusal @ Refusal::NeedsLevel { .. }) => {
                    ChangeError::Refused(refusal.to_string())
                }
                ProposeError::NotExecuted(refusal) => ChangeError::Unreachable(refusal.to_string()),
                ProposeError::Unknown => ChangeError::Unknown,
            })?;
        }
        Ok(changes.into_keys().collect())
    }
}

/// What must be set, in canonical form; or every mistake.
fn differences(
    now: &Settings,
    wanted: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<&'static str, String>, String> {
    let (mut then, mut named, mut mistakes) = (now.clone(), BTreeMap::new(), Vec::new());
    for (name, value) in wanted {
        let checked = canonical_name(&name).and_then(|own| {
            then.change(own, value.as_bytes())?;
            match named.insert(own, name.clone()) {
                None => Ok(()),
                Some(other) => Err(format!("the same parameter as {other}")),
            }
        });
        mistakes.extend(checked.err().map(|reason| format!("{name}: {reason}")));
    }
    if !mistakes.is_empty() {
        mistakes.sort_unstable();
        return Err(mistakes.join("; "));
    }
    let changed = named.into_keys().filter(|name| then.get(name) != now.get(name));
    Ok(changed.filter_map(|name| Some((name, then.get(name)?))).collect())
}

fn canonical_name(name: &str) -> Result<&'static str, String> {
    let Some(row) = parameters::find(name) else {
        let known = parameters::all().filter(|row| row.scope == Scope::Cluster);
        let near = nearest(name, known.flat_map(Parameter::names));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(format!("unknown parameter{hint}"));
    };
    let own = "each node has its own";
    match row.scope {
        Scope::Cluster => Ok(row.name),
        Scope::Node(key, _) => Err(format!("{own}: write {key} in the configuration file")),
        Scope::Compatibility(_) => {
            Err(format!("{own}: write parameters.{} in the configuration file", row.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &[(&str, &str)], expected: Result<&[(&'static str, &str)], &str>) {
        let now = Settings { maxmemory: 1 << 20, ..Settings::default() };
        let wanted = wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let found = differences(&now, wanted);
        let expected = expected.map(|rows| {
            rows.iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        });
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn only_what_differs_is_set_by_its_own_name_and_in_its_canonical_form() {
        check(&[("maxmemory", "1mb"), ("maxmemory-policy", "NOEVICTION")], Ok(&[]));
        check(&[("MaxMemory", "2mb")], Ok(&[("maxmemory", "2097152")]));
        let by_alias = [("hash-max-ziplist-value", "1kb"), ("maxmemory", "1048576")];
        check(&by_alias, Ok(&[("hash-max-listpack-value", "1024")]));
    }

    #[test]
    fn every_mistake_is_told() {
        check(&[("maxmemroy", "1")], Err("maxmemroy: unknown parameter; did you mean maxmemory?"));
        check(
            &[("maxmemory", "lots"), ("maxclients", "1"), ("hz", "5"), ("maxmemory-samples", "3")],
            Err("hz: each node has its own: write parameters.hz in the configuration file; \
                 maxclients: each node has its own: write limits.clients_max in the configuration \
                 file; maxmemory: argument must be a memory value"),
        );
        check(
            &[("MAXMEMORY", "1"), ("maxmemory", "2")],
            Err("maxmemory: the same parameter as MAXMEMORY"),
        );
        check(&[("active-expire", "no")], Err("active-expire: unknown parameter"));
    }
}
