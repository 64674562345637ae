//! Checks `spec.podOverrides`: a pod template without the fields that the operator sets itself.

use std::path::Path;

use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use serde_json::Value;

use super::invalid::Invalid;
use crate::names::{self, ClusterName, ports, volumes};

/// Reads and checks the overrides.
pub(super) fn parse(raw: &Value) -> Result<PodTemplateSpec, Invalid> {
    let template: PodTemplateSpec = serde_json::from_value(raw.clone())
        .map_err(|error| Invalid::Overrides(error.to_string()))?;
    let known = serde_json::to_value(&template).unwrap_or_default();
    if let Some(path) = unknown_field(raw, &known, "") {
        return Err(Invalid::UnknownOverride(path));
    }
    check_metadata(&template)?;
    let Some(spec) = &template.spec else { return Ok(template) };
    for container in &spec.containers {
        if container.name.is_empty() {
            return reserved("a container without a name", "write `name: ironkv` to change ours");
        }
        if container.name == names::CONTAINER {
            check_own_container(container)?;
        }
        check_ports(container)?;
    }
    spec.init_containers.iter().flatten().try_for_each(check_ports)?;
    for volume in spec.volumes.iter().flatten() {
        if volumes::ALL.iter().any(|(name, _)| *name == volume.name) {
            return reserved(format!("the volume `{}`", volume.name), "give it another name");
        }
    }
    if spec.termination_grace_period_seconds.is_some() {
        let instead = "write spec.terminationGracePeriodSeconds of the cluster";
        return reserved("spec.terminationGracePeriodSeconds", instead);
    }
    Ok(template)
}

fn check_metadata(template: &PodTemplateSpec) -> Result<(), Invalid> {
    let Some(metadata) = &template.metadata else { return Ok(()) };
    let ours = names::labels(&ClusterName::default());
    let is_ours = |key: &&String| ours.contains_key(*key) || key.starts_with("ironkv.io/");
    let labels = metadata.labels.iter().flat_map(|labels| labels.keys());
    let annotations = metadata.annotations.iter().flat_map(|annotations| annotations.keys());
    match labels.chain(annotations).find(is_ours) {
        Some(key) => reserved(format!("`{key}`"), "the operator finds pods by it"),
        None => Ok(()),
    }
}

/// Checks the container of the store.
fn check_own_container(container: &Container) -> Result<(), Invalid> {
    let field = |name: &str| format!("{name} of container `{}`", names::CONTAINER);
    if container.image.is_some() {
        return reserved(field("image"), "write spec.image");
    }
    if container.args.is_some() || container.command.is_some() {
        return reserved(field("command or args"), "write keys of the store into spec.config");
    }
    if container.ports.is_some() {
        return reserved(field("ports"), "they are fixed; add a Service of your own to map them");
    }
    for mount in container.volume_mounts.iter().flatten() {
        if volumes::ALL.iter().any(|(_, path)| overlap(path, &mount.mount_path)) {
            let at = format!("volumeMounts at {}", mount.mount_path);
            return reserved(field(&at), "mount it elsewhere");
        }
    }
    // The environment takes precedence over the file, so it could change what the operator sets.
    let is_ours = |name: &str| name == "POD_NAME" || name.starts_with("IRONKV_");
    match container.env.iter().flatten().find(|variable| is_ours(&variable.name)) {
        Some(variable) => reserved(
            field(&format!("env {}", variable.name)),
            "write keys of the store into spec.config",
        ),
        None => Ok(()),
    }
}

/// Whether one path is the other or lies below it.
fn overlap(one: &str, other: &str) -> bool {
    Path::new(one).starts_with(other) || Path::new(other).starts_with(one)
}

/// Checks the ports of any container, because the containers of a pod share its network.
fn check_ports(container: &Container) -> Result<(), Invalid> {
    let is_ours = |port: i32| ports::ALL.iter().any(|ours| i32::from(*ours) == port);
    match container.ports.iter().flatten().find(|port| is_ours(port.container_port)) {
        Some(port) => reserved(
            format!("port {} of container `{}`", port.container_port, container.name),
            "the store listens there; choose another",
        ),
        None => Ok(()),
    }
}

fn reserved<T>(field: impl Into<String>, instead: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid::ReservedOverride { field: field.into(), instead: instead.into() })
}

/// The path of the first field that was written but is not part of the parsed template.
fn unknown_field(written: &Value, parsed: &Value, path: &str) -> Option<String> {
    match written {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match parsed.get(name) {
                Some(parsed) => unknown_field(value, parsed, &path),
                None => (!is_empty(value)).then_some(path),
            }
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let parsed = parsed.get(index).unwrap_or(&Value::Null);
            unknown_field(item, parsed, &format!("{path}[{index}]"))
        }),
        _ => None,
    }
}

/// Whether serializing the parsed template may omit this value.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
