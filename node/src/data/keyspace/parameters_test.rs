#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::base::config::Kind;
use crate::base::config::parameters::EVICTION_POLICIES;

/// What version 0.1.0 accepts. A row may be added only with a higher level; a row that accepts
/// other values than here needs code that checks the current level.
const OF_THE_FIRST_LEVEL: &str = "\
active-expire yes or no
hash-max-listpack-entries 0..9223372036854775807
hash-max-listpack-value bytes ..9223372036854775807
lfu-decay-time 0..2147483647
lfu-log-factor 0..2147483647
list-compress-depth 0..2147483647
list-max-listpack-size -2147483648..2147483647
maxmemory bytes ..18446744073709551615
maxmemory-policy policy
maxmemory-samples 1..2147483647
notify-keyspace-events classes
set-max-intset-entries 0..9223372036854775807
set-max-listpack-entries 0..9223372036854775807
set-max-listpack-value bytes ..9223372036854775807
zset-max-listpack-entries 0..9223372036854775807
zset-max-listpack-value bytes ..9223372036854775807
";

#[test]
fn every_parameter_accepts_the_value_that_it_shows() {
    let mut settings = Settings::default();
    for row in of_cluster() {
        let value = settings.get(row.name).unwrap();
        settings.set(row.name, value.as_bytes()).unwrap();
    }
    assert_eq!(settings, Settings::default());
    assert_eq!(of_cluster().count(), FIELDS.len(), "a field has no row");
}

#[test]
fn values_and_errors_are_those_of_redis() {
    let check = |name: &str, value: &str, expected: Result<&str, &str>| {
        let mut settings = Settings::default();
        let result = settings.set(name, value.as_bytes());
        let shown = result.map(|()| settings.get(name).unwrap());
        let expected = expected.map(str::to_owned).map_err(|reason| {
            ReplyError::new(format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
            ))
        });
        assert_eq!(shown, expected, "{name} {value}");
    };
    let memory = Err("argument must be a memory value");
    let integer = Err("argument couldn't be parsed into an integer");
    check("maxmemory", "100mb", Ok("104857600"));
    check("MaxMemory", "3K", Ok("3000"));
    check("maxmemory", "99999999999999999999", Ok("18446744073709551615"));
    check("maxmemory", "-1", memory);
    check("maxmemory", "1.5gb", memory);
    check("maxmemory", "1kib", memory);
    check("maxmemory", "", memory);
    check("maxmemory-samples", "x", integer);
    check("set-max-intset-entries", "1k", integer);
    let range = "argument must be between 1 and 2147483647 inclusive";
    check("maxmemory-samples", "0", Err(range));
    let range = "argument must be between 0 and 9223372036854775807 inclusive";
    check("hash-max-listpack-entries", "-5", Err(range));
    let range = "argument must be between -2147483648 and 2147483647 inclusive";
    check("list-max-ziplist-size", "99999999999", Err(range));
    check("hash-max-ziplist-value", "1kb", Ok("1024"));
    check("maxmemory-policy", "ALLKEYS-LRU", Ok("allkeys-lru"));
    let policies = "argument(s) must be one of the following: volatile-lru, volatile-lfu, \
                    volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, \
                    allkeys-random, noeviction";
    check("maxmemory-policy", "foo", Err(policies));
    check("notify-keyspace-events", "KExg", Ok("gxKE"));
    check("notify-keyspace-events", "KEA", Ok("AKE"));
    let classes = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    check("notify-keyspace-events", "q", Err(classes));
}

#[test]
fn both_ends_of_a_range_can_be_kept() {
    for row in of_cluster() {
        let ends = match row.kind {
            Kind::Integer(min, max) => [min.to_string(), max.to_string()],
            Kind::Memory(min, max) => [min.to_string(), max.to_string()],
            _ => continue,
        };
        for end in ends {
            let mut settings = Settings::default();
            settings.set(row.name, end.as_bytes()).unwrap();
            assert_eq!(settings.get(row.name), Some(end), "{}", row.name);
        }
    }
}

#[test]
fn an_alias_is_the_same_parameter_and_settings_survive_a_checkpoint() {
    let mut settings = Settings::default();
    settings.set("zset-max-ziplist-entries", b"7").unwrap();
    settings.set("maxmemory-policy", b"volatile-ttl").unwrap();
    settings.set("notify-keyspace-events", b"Kl").unwrap();
    assert_eq!(settings.get("zset-max-listpack-entries").unwrap(), "7");
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
    assert_eq!(
        settings.set("nope", b"1"),
        Err(ReplyError::new("ERR Unknown option or number of arguments for CONFIG SET - 'nope'"))
    );
}

#[test]
fn the_parameters_of_the_first_level_never_change() {
    let first = of_cluster().filter(|row| row.needs_level == FeatureLevel::FIRST);
    let mut rows: Vec<String> = first
        .map(|row| {
            let takes = match row.kind {
                Kind::Integer(min, max) => format!("{min}..{max}"),
                Kind::Memory(0, max) => format!("bytes ..{max}"),
                Kind::Choice(words) if words == EVICTION_POLICIES => "policy".to_owned(),
                Kind::EventClasses => "classes".to_owned(),
                Kind::YesNo => "yes or no".to_owned(),
                other => panic!("{} takes {other:?}", row.name),
            };
            format!("{} {takes}\n", row.name)
        })
        .collect();
    rows.sort_unstable();
    assert_eq!(rows.concat(), OF_THE_FIRST_LEVEL);
}
