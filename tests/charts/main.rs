//! The charts as Helm sees them, without a cluster. Needs `helm`.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod helm;
mod permissions;
mod values;

use helm::{definition, helm, render, top};
use serde_yaml::Value;

#[test]
fn helm_lint_finds_no_fault_in_the_charts() {
    helm(&["lint", "--strict", "charts/ironkv-operator", "charts/ironkv-cluster"]).unwrap();
}

#[test]
fn the_chart_installs_the_committed_definition_and_keeps_it() {
    let rendered = definition(&render("ironkv-operator", &[]).unwrap()).unwrap();
    let text = std::fs::read_to_string(top().join("crds/ironkvclusters.yaml")).unwrap();
    let committed: Value = serde_yaml::from_str(&text).unwrap();
    assert!(plain(&rendered["spec"]) == plain(&committed["spec"]), "Helm changed the definition");
    assert_eq!(rendered["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    let unkept = render("ironkv-operator", &["--set", "crds.keep=false"]).unwrap();
    assert_eq!(definition(&unkept).unwrap()["metadata"].get("annotations"), None);
    let without = render("ironkv-operator", &["--set", "crds.enabled=false"]).unwrap();
    assert_eq!(definition(&without), None);
}

#[test]
fn a_packaged_chart_renders_like_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    helm(&["package", "charts/ironkv-operator", "--destination", path]).unwrap();
    let package = std::fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
    let kube = ["--kube-version", "1.33.0"];
    let render = |chart: &str| helm(&["template", "x", chart, kube[0], kube[1]]).unwrap();
    assert_eq!(render(package.to_str().unwrap()), render("charts/ironkv-operator"));
}

#[test]
fn the_manifests_without_helm_are_those_of_the_chart() {
    let output = std::process::Command::new(top().join("manifests/operator/generate"))
        .arg("--check")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_spec_of_a_cluster_arrives_unchanged() {
    let overrides = r#"{"spec":{"securityContext":{"runAsUser":1000700000}}}"#;
    let values = &format!(r#"cluster={{"replicas":5,"podOverrides":{overrides}}}"#);
    let objects = render("ironkv-cluster", &["--set-json", values]).unwrap();
    let spec = &objects.iter().find(|object| object["kind"] == "IronKVCluster").unwrap()["spec"];
    assert_eq!(spec["replicas"], 5);
    assert_eq!(spec["podOverrides"]["spec"]["securityContext"]["runAsUser"], 1_000_700_000);
}

#[test]
fn the_client_of_the_test_reads_the_password_where_it_is() {
    let password = |arguments: &[&str]| {
        let objects = render("ironkv-cluster", arguments).unwrap();
        let pod = objects.into_iter().find(|object| object["kind"] == "Pod").unwrap();
        let environment = pod["spec"]["containers"][0].get("env")?;
        Some(environment[0]["valueFrom"]["secretKeyRef"].clone())
    };
    let generated = password(&[]).unwrap();
    assert_eq!((&generated["name"], &generated["key"]), (&"x-auth".into(), &"password".into()));
    let own = password(&["--set", "cluster.auth.secret.name=mine,cluster.auth.secret.key=pw"]);
    let own = own.unwrap();
    assert_eq!((&own["name"], &own["key"]), (&"mine".into(), &"pw".into()));
    assert_eq!(password(&["--set", "cluster.auth.enabled=false"]), None);
}

/// Every number as a float, because Helm writes 0.0 as 0.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().unwrap().into(),
        Value::Sequence(items) => items.iter().map(plain).collect(),
        Value::Mapping(fields) => Value::Mapping(
            fields.iter().map(|(name, field)| (name.clone(), plain(field))).collect(),
        ),
        other => other.clone(),
    }
}
