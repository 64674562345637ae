//! The permissions of the operator.

use serde_yaml::Value;

use super::helm::render;

const NAMESPACED: [&str; 2] = ["--set", "watchNamespaces={one,two}"];

fn rules<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = (String, &'a Value)> {
    objects.iter().filter(move |object| object["kind"] == kind).flat_map(|role| {
        let name = role["metadata"]["name"].as_str().unwrap().to_owned();
        let rules = role["rules"].as_sequence().unwrap().iter();
        rules.map(move |rule| (name.clone(), rule))
    })
}

fn holds(rule: &Value, field: &str, word: &str) -> bool {
    rule[field].as_sequence().unwrap().iter().any(|entry| entry == word)
}

#[test]
fn secrets_are_reached_by_name_only() {
    for arguments in [&[][..], &NAMESPACED] {
        let objects = render("ironkv-operator", arguments).unwrap();
        let mut seen = 0;
        for (role, rule) in rules(&objects, "ClusterRole").chain(rules(&objects, "Role")) {
            if holds(rule, "resources", "secrets") {
                seen += 1;
                for verb in ["list", "watch", "delete", "deletecollection", "*"] {
                    assert!(!holds(rule, "verbs", verb), "{role} may {verb} Secrets");
                }
            }
        }
        assert!(seen > 0, "no role holds Secrets");
    }
}

#[test]
fn nothing_is_granted_by_a_star_and_exec_is_not_granted() {
    let objects = render("ironkv-operator", &[]).unwrap();
    for (role, rule) in rules(&objects, "ClusterRole").chain(rules(&objects, "Role")) {
        for (field, word) in
            [("verbs", "*"), ("resources", "*"), ("apiGroups", "*"), ("resources", "pods/exec")]
        {
            assert!(!holds(rule, field, word), "{role} grants {word} of {field}");
        }
    }
}

#[test]
fn a_namespaced_operator_has_a_role_in_each_namespace_and_none_over_all() {
    let objects = render("ironkv-operator", &NAMESPACED).unwrap();
    let namespaces: Vec<_> = objects
        .iter()
        .filter(|object| object["kind"] == "Role")
        .filter_map(|role| role["metadata"]["namespace"].as_str())
        .collect();
    assert_eq!(namespaces, ["one", "two", "system"]);
    for (role, rule) in rules(&objects, "ClusterRole") {
        if !role.ends_with("-view") && !role.ends_with("-edit") {
            assert!(
                holds(rule, "resources", "nodes")
                    || holds(rule, "resources", "customresourcedefinitions"),
                "{role}: {rule:?}"
            );
        }
    }
    let none = "rbac.clusterScoped=false,rbac.aggregateClusterRoles=false";
    let objects = render("ironkv-operator", &[&NAMESPACED[..], &["--set", none]].concat()).unwrap();
    assert_eq!(rules(&objects, "ClusterRole").count(), 0);
}
