//! Helm as a subprocess.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use serde_yaml::Value;

/// The root of the repository.
pub fn top() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The output of Helm, or its error.
pub fn helm(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("helm")
        .args(arguments)
        .current_dir(top())
        .output()
        .expect("helm must be installed: https://helm.sh/docs/intro/install");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// The objects of a chart, released as `x` in the namespace `system`.
pub fn render(chart: &str, arguments: &[&str]) -> Result<Vec<Value>, String> {
    let chart = format!("charts/{chart}");
    let fixed = ["template", "x", &chart, "--namespace", "system", "--kube-version", "1.33.0"];
    let text = helm(&[&fixed, arguments].concat())?;
    let objects = serde_yaml::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|object| !object.is_null());
    Ok(objects.collect())
}

/// The definition of the custom resource among them.
pub fn definition(objects: &[Value]) -> Option<Value> {
    objects.iter().find(|object| object["kind"] == "CustomResourceDefinition").cloned()
}
