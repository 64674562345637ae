//! The artifacts of a failed test: everything that `kubectl` can report about its namespace.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Kube, operator};

/// Each file with the arguments of the command that fills it.
const FILES: [(&str, &[&str]); 7] = [
    ("objects.txt", &["get", "--output=wide", KINDS]),
    ("objects.yaml", &["get", "--output=yaml", KINDS]),
    ("describe.txt", &["describe", KINDS]),
    ("clusters.yaml", &["get", "--output=yaml", "ironkvclusters.ironkv.io"]),
    ("clusters.txt", &["describe", "ironkvclusters.ironkv.io"]),
    ("events.txt", &["get", "events", "--sort-by=.lastTimestamp"]),
    ("nodes.txt", &["describe", "nodes"]),
];
const KINDS: &str = "statefulsets,pods,services,configmaps,persistentvolumeclaims,\
    poddisruptionbudgets,networkpolicies,serviceaccounts,leases";
const OPERATOR_LOGS: [&str; 5] = [
    "logs",
    "--selector=app.kubernetes.io/name=ironkv-operator",
    "--prefix",
    "--timestamps",
    "--tail=5000",
];

/// Writes files for a namespace under `target/e2e-artifacts`. A command that fails leaves its
/// error in its file.
#[allow(clippy::print_stderr)]
pub(super) fn collect(kube: &Kube, namespace: &str) {
    let folder = folder().join(namespace);
    let written = fs::create_dir_all(&folder).and_then(|()| {
        for (file, arguments) in FILES {
            write(kube, &folder.join(file), arguments)?;
        }
        let operator = kube.in_namespace(operator::NAMESPACE);
        write(&operator, &folder.join("operator.log"), &OPERATOR_LOGS)?;
        logs(kube, &folder)
    });
    match written {
        Ok(()) => eprintln!("what was there is in {}", folder.display()),
        Err(error) => eprintln!("{}: {error}", folder.display()),
    }
}

fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    target.join("e2e-artifacts")
}

/// Logs of all containers, also of those that ended: a crash is in the log of the previous one.
fn logs(kube: &Kube, folder: &Path) -> std::io::Result<()> {
    let names = kube.try_kubectl(&["get", "pods", "--output=name"]).unwrap_or_default();
    for pod in names.lines() {
        let file = pod.replace('/', "-");
        let arguments = ["logs", pod, "--all-containers", "--prefix", "--timestamps"];
        write(kube, &folder.join(format!("{file}.log")), &arguments)?;
        let before = [&arguments[..], &["--previous"]].concat();
        if let Ok(text) = kube.try_kubectl(&before) {
            fs::write(folder.join(format!("{file}.previous.log")), text)?;
        }
    }
    Ok(())
}

fn write(kube: &Kube, path: &Path, arguments: &[&str]) -> std::io::Result<()> {
    let text = kube.try_kubectl(arguments).unwrap_or_else(|failure| failure.to_string());
    fs::write(path, text)
}
