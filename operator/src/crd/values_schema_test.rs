#![allow(clippy::unwrap_used)]

use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::IronKVCluster;

/// How deep in the spec descriptions are kept: our own fields, not those of Kubernetes' types.
const DESCRIBED: usize = 2;

#[test]
fn the_cluster_chart_takes_what_the_definition_takes_and_nothing_else() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/ironkv-cluster/values.schema.json");
    let schema = serde_json::to_string_pretty(&values_schema()).unwrap() + "\n";
    if std::env::var_os("IRONKV_UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &schema).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == schema,
        "charts/ironkv-cluster/values.schema.json is stale; write it again with\n  \
         IRONKV_UPDATE_GOLDEN=1 cargo test -p ironkv-operator values_schema"
    );
}

#[test]
fn the_cluster_chart_describes_every_field() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/ironkv-cluster/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let schema = values_schema();
    let fields = schema.pointer("/properties/cluster/properties").unwrap().as_object().unwrap();
    let written =
        |field: &str| ["`", "."].iter().any(|end| text.contains(&format!("`{field}{end}")));
    let missing: Vec<_> = fields.keys().filter(|field| !written(field)).collect();
    assert!(missing.is_empty(), "charts/ironkv-cluster/README.md says nothing of {missing:?}");
}

fn values_schema() -> Value {
    let definition = serde_json::to_value(IronKVCluster::crd()).unwrap();
    let spec =
        definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    let strings = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of ironkv-cluster",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "maxLength": 40 },
            "labels": strings,
            "annotations": strings,
            "cluster": strict(spec, 0),
            "test": {
                "type": "object",
                "additionalProperties": false,
                "properties": { "image": { "type": "string" } },
            },
            "global": { "type": "object" },
        },
    })
}

/// A schema of a definition as JSON Schema, with unknown fields refused instead of dropped.
fn strict(schema: &Value, depth: usize) -> Value {
    let Some(object) = schema.as_object() else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in object {
        match key.as_str() {
            "description" if depth <= DESCRIBED => insert(&mut out, key, value.clone()),
            "properties" => {
                let fields = value.as_object().unwrap().iter();
                let fields = fields.map(|(name, field)| (name.clone(), strict(field, depth + 1)));
                insert(&mut out, key, fields.collect::<Map<_, _>>().into());
                insert(&mut out, "additionalProperties", false.into());
            }
            "additionalProperties" | "items" => insert(&mut out, key, strict(value, depth + 1)),
            "type" if object.get("nullable") == Some(&true.into()) => {
                insert(&mut out, key, json!([value, "null"]));
            }
            "x-kubernetes-int-or-string" => insert(&mut out, "type", json!(["integer", "string"])),
            "type" | "enum" | "minimum" | "maximum" | "minLength" | "maxLength" | "pattern"
            | "required" => insert(&mut out, key, value.clone()),
            _ => {}
        }
    }
    out.into()
}

fn insert(out: &mut Map<String, Value>, key: &str, value: Value) {
    out.insert(key.to_owned(), value);
}
