#![allow(clippy::unwrap_used)]

use super::*;

fn row(name: &str) -> &'static Parameter {
    parameters::find(name).unwrap()
}

fn set(live: &LiveConfig, name: &str, text: &str) -> Result<(), (String, String)> {
    let current = live.get(row(name)).unwrap();
    let value = row(name).kind.check(text, &current).unwrap();
    live.set(&[(row(name), value)])
}

fn get(live: &LiveConfig, name: &str) -> String {
    live.get(row(name)).unwrap()
}

fn from_file(text: &str) -> (Arc<LiveConfig>, std::path::PathBuf) {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path().keep().unwrap();
    std::fs::write(&path, text).unwrap();
    let sources = Sources { file: Some(path.clone()), ..Sources::default() };
    (LiveConfig::new(load(&sources).unwrap(), sources), path)
}

#[test]
fn a_set_value_is_seen_by_readers_and_by_get() {
    let live = LiveConfig::defaults();
    set(&live, "maxclients", "7").unwrap();
    set(&live, "client-output-buffer-limit", "normal 1mb 0 0").unwrap();
    assert_eq!(live.load().limits.clients_max, 7);
    assert_eq!(live.load().limits.output_buffer.normal.hard_bytes, 1 << 20);
    assert_eq!(get(&live, "maxclients"), "7");
}

#[test]
fn words_are_translated_both_ways() {
    let live = LiveConfig::defaults();
    assert_eq!(get(&live, "loglevel"), "notice");
    assert_eq!(get(&live, "cluster-enabled"), "no");
    set(&live, "loglevel", "debug").unwrap();
    set(&live, "latency-tracking", "no").unwrap();
    assert_eq!(live.load().telemetry.level, crate::base::config::LogLevel::Trace);
    assert_eq!(
        (get(&live, "loglevel"), get(&live, "latency-tracking")),
        ("debug".into(), "no".into())
    );
}

#[test]
fn every_parameter_of_a_node_can_be_read() {
    let live = LiveConfig::defaults();
    for row in parameters::all() {
        assert_eq!(live.get(row).is_none(), row.scope == Scope::Cluster, "{}", row.name);
    }
}

#[test]
fn every_live_parameter_accepts_its_own_value() {
    let live = LiveConfig::defaults();
    for row in parameters::all().filter(|row| row.scope != Scope::Cluster) {
        let text = live.get(row).unwrap();
        // Redis counts I/O threads from one; our 0 means automatic.
        if row.change == Change::Live {
            assert_eq!(set(&live, row.name, &text), Ok(()), "{}", row.name);
            assert_eq!(live.get(row).unwrap(), text, "{}", row.name);
        }
    }
}

#[test]
fn compatibility_parameters_are_stored_and_returned() {
    let live = LiveConfig::defaults();
    assert_eq!(get(&live, "hz"), "10");
    set(&live, "hz", "50").unwrap();
    assert_eq!(get(&live, "hz"), "50");
}

#[test]
fn a_reload_changes_what_it_can_and_names_what_it_cannot() {
    let (live, path) = from_file("limits:\n  clients_max: 5\n");
    std::fs::write(&path, "limits:\n  clients_max: 6\nlisten:\n  resp_port: 7000\n").unwrap();
    let report = live.reload().unwrap();
    assert_eq!(report.changed, ["limits.clients_max"]);
    assert_eq!(report.needs_restart, ["listen.resp_port"]);
    assert_eq!((live.load().limits.clients_max, live.load().listen.resp_port), (6, 6379));
}

#[test]
fn changes_without_effect_are_reported_until_they_take_effect_or_are_reverted() {
    let (live, path) = from_file("limits:\n  clients_max: 5\n");
    let reload = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let _ = live.reload();
        live.unapplied()
    };
    assert_eq!(live.unapplied(), Unapplied::default());
    let pending = reload("log:\n  segment_bytes: 1mb\nlisten:\n  resp_port: 7000\n");
    assert_eq!(pending.pending_restart, ["listen.resp_port", "log.segment_bytes"]);
    assert_eq!(pending.error, None);
    let refused = reload("limits:\n  clients_max: none\n");
    assert!(refused.error.is_some_and(|text| text.contains("limits.clients_max")));
    assert_eq!(refused.pending_restart, pending.pending_restart);
    let fewer = reload("listen:\n  resp_port: 7000\n");
    assert_eq!((fewer.pending_restart, fewer.error), (vec!["listen.resp_port".to_owned()], None));
    assert_eq!(reload("listen:\n  resp_port: 6379\n"), Unapplied::default());
    std::fs::remove_file(&path).unwrap();
    assert!(live.reload().is_err() && live.unapplied().error.is_some());
}

#[test]
fn a_reload_keeps_what_config_set_changed() {
    let (live, path) = from_file("limits:\n  clients_max: 5\n");
    set(&live, "maxclients", "9").unwrap();
    std::fs::write(&path, "limits:\n  clients_max: 6\n").unwrap();
    assert_eq!(live.reload().unwrap(), ReloadReport::default());
    assert_eq!(live.load().limits.clients_max, 9);
}

#[test]
fn a_broken_file_leaves_everything_as_it_was() {
    let (live, path) = from_file("limits:\n  clients_max: 5\n");
    std::fs::write(&path, "limits:\n  clients_max: none\n").unwrap();
    assert!(live.reload().is_err());
    assert_eq!(live.load().limits.clients_max, 5);
}

#[test]
fn a_rewrite_survives_a_restart_and_keeps_comments() {
    let (live, path) = from_file("# mine\nlimits:\n  clients_max: 5 # few\n");
    set(&live, "maxclients", "9").unwrap();
    set(&live, "hz", "50").unwrap();
    live.rewrite().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("# mine"), "{text}");
    let again = load(&Sources { file: Some(path), ..Sources::default() }).unwrap().config;
    assert_eq!((again.limits.clients_max, again.parameters["hz"].as_str()), (9, "50"));
}

#[test]
fn without_a_file_a_rewrite_is_an_error() {
    let error = LiveConfig::defaults().rewrite().unwrap_err();
    assert_eq!(error, "The server is running without a config file");
}

#[tokio::test]
async fn subscribers_wake_on_a_change() {
    let live = LiveConfig::defaults();
    let mut changes = live.subscribe();
    set(&live, "timeout", "30").unwrap();
    changes.changed().await.unwrap();
    assert_eq!(changes.borrow().limits.idle_timeout_s, 30);
}
