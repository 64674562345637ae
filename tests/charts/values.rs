//! The values that may be set.

use serde_yaml::Value;

use super::helm::{render, top};

#[test]
fn wrong_values_are_refused_with_their_place_and_what_is_right() {
    let cases = [
        ("ironkv-operator", "replicas=3", "additional properties 'replicas' not allowed"),
        ("ironkv-operator", "replicaCount=two", "'/replicaCount': got string, want integer"),
        ("ironkv-operator", "image.digest=sha256:abc", "'/image/digest'"),
        ("ironkv-operator", "image.pullPolicy=always", "'Always', 'IfNotPresent', 'Never'"),
        ("ironkv-operator", "logFormat=xml", "one of 'json', 'text'"),
        ("ironkv-operator", "watchNamespaces=a", "'/watchNamespaces': got string, want array"),
        ("ironkv-operator", "watchNamespaces={Prod}", "'/watchNamespaces/0'"),
        ("ironkv-operator", "rbac.clusterScoped=false", "only when watchNamespaces names"),
        ("ironkv-operator", "serviceAccount.create=false", "serviceAccount.name is needed"),
        ("ironkv-operator", "metrics.serviceMonitor.enabled=true", "'serviceMonitor' not allowed"),
        ("ironkv-cluster", "replicas=3", "additional properties 'replicas' not allowed"),
        ("ironkv-cluster", "cluster.replica=3", "'/cluster': additional properties 'replica'"),
        ("ironkv-cluster", "cluster.replicas=11", "'/cluster/replicas': maximum: got 11, want 9"),
        ("ironkv-cluster", "cluster.tls.clients=On", "one of 'Enabled', 'Disabled'"),
        ("ironkv-cluster", "cluster.config.maxmemory=5", "got number, want string"),
        ("ironkv-cluster", "cluster.auth.secret.key=x", "missing property 'name'"),
        (
            "ironkv-cluster",
            "name=a-name-of-more-than-forty-characters-in-all",
            "'/name': maxLength",
        ),
    ];
    for (chart, value, answer) in cases {
        let text = render(chart, &["--set", value]).expect_err(value);
        assert!(text.contains(answer), "{chart} {value}: {text}");
    }
}

#[test]
fn every_value_of_the_operator_chart_is_described() {
    let read = |name| std::fs::read_to_string(top().join("charts/ironkv-operator").join(name));
    let text = read("README.md").unwrap();
    let mut paths = Vec::new();
    collect("", &serde_yaml::from_str(&read("values.yaml").unwrap()).unwrap(), &mut paths);
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths {
        // A map that is passed on as a whole is described as a whole.
        let mut parents = path.match_indices('.').map(|(at, _)| &path[..at]).chain([&*path]);
        assert!(parents.any(|name| text.contains(&format!("| `{name}` |"))), "nothing on {path}");
    }
}

fn collect(path: &str, value: &Value, paths: &mut Vec<String>) {
    match value.as_mapping() {
        Some(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                let name = name.as_str().unwrap();
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                collect(&path, field, paths);
            }
        }
        _ => paths.push(path.to_owned()),
    }
}
