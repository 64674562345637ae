//! The operator, installed as its users install it.

use std::sync::OnceLock;

use super::Kube;

/// Name of the release and of its namespace.
pub const NAMESPACE: &str = "ironkv-system";
const IMAGE_VARIABLE: &str = "IRONKV_E2E_IMAGE";
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/ironkv-operator");

/// Installs the operator, or updates it to the current chart and image, once per process.
///
/// # Panics
/// When it does not become ready.
pub fn install(kube: &Kube) {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| upgrade(kube));
}

fn upgrade(kube: &Kube) {
    let image = std::env::var(IMAGE_VARIABLE)
        .unwrap_or_else(|_| panic!("{IMAGE_VARIABLE} is not set: run `just e2e`"));
    let (repository, tag) = image.rsplit_once(':').expect("an image with a tag");
    kube.in_namespace(NAMESPACE).helm(&[
        "upgrade",
        "--install",
        "--create-namespace",
        "--wait",
        "--timeout=120s",
        "ironkv-operator",
        CHART,
        &format!("--set=image.repository={repository},image.tag={tag}"),
        // The tag stays the same when its image changes.
        &format!("--set-string=podAnnotations.tested-at={}", rand::random::<u32>()),
    ]);
}
