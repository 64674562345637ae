//! The volumes of a pod. Secrets and the configuration are mounted as directories and not with
//! `subPath`, so that changes reach the node without a restart.

use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, SecretVolumeSource, Volume, VolumeMount};

use crate::controller::decide::ValidatedCluster;
use crate::crd::TlsMode;
use crate::names::{self, volumes};

/// Owner and group may read.
const SECRET_MODE: i32 = 0o440;

/// The mounts, each with its volume. The volume of the disk comes from the claim template.
pub(super) fn mounts(cluster: &ValidatedCluster) -> Vec<(VolumeMount, Option<Volume>)> {
    let (spec, name) = (&cluster.spec, &cluster.name);
    let mut mounts = vec![
        (mount(volumes::DATA, volumes::DATA_PATH, None), None),
        (
            mount(volumes::CONFIG, volumes::CONFIG_PATH, Some(true)),
            Some(config(names::config_map(name))),
        ),
    ];
    let mut secret = |volume: &str, path: &str, secret: String| {
        mounts.push((mount(volume, path, Some(true)), Some(secret_volume(volume, secret))));
    };
    if spec.auth.enabled {
        secret(volumes::PASSWORDS, volumes::PASSWORDS_PATH, names::passwords_secret(name));
    }
    if spec.tls.peers == TlsMode::On {
        secret(volumes::PEER_TLS, volumes::PEER_TLS_PATH, names::peer_tls_secret(name));
    }
    if spec.tls.clients == TlsMode::On {
        let given = spec.tls.client_secret_name.clone();
        let source = given.unwrap_or_else(|| names::client_tls_secret(name));
        secret(volumes::CLIENT_TLS, volumes::CLIENT_TLS_PATH, source);
    }
    mounts
}

fn mount(name: &str, path: &str, read_only: Option<bool>) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    }
}

fn config(name: String) -> Volume {
    Volume {
        name: volumes::CONFIG.to_owned(),
        config_map: Some(ConfigMapVolumeSource { name, ..ConfigMapVolumeSource::default() }),
        ..Volume::default()
    }
}

fn secret_volume(volume: &str, secret: String) -> Volume {
    Volume {
        name: volume.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret),
            default_mode: Some(SECRET_MODE),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}
