//! Passwords and certificates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The password of clients.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Auth {
    /// Whether clients need a password.
    pub enabled: bool,
    /// A Secret of this namespace with the password; when absent the operator makes
    /// `<name>-auth` with a random one. A change is taken over without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretKey>,
}

impl Default for Auth {
    fn default() -> Self {
        Self { enabled: true, secret: None }
    }
}

/// A key of a Secret.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    pub name: String,
    /// Key within it.
    #[serde(default = "password_key")]
    pub key: String,
}

fn password_key() -> String {
    "password".to_owned()
}

/// Encryption between members and towards clients.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Tls {
    /// Between members, and between them and the operator: certificates of an authority that the
    /// operator keeps in the Secret `<name>-ca`, renewed without a restart. Changes only while
    /// `replicas` is 0.
    pub peers: TlsMode,
    /// Towards clients, on port 6390 beside the plain port.
    pub clients: TlsMode,
    /// A Secret of type kubernetes.io/tls for the clients' side; made by the operator when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_name: Option<String>,
}

impl Default for Tls {
    fn default() -> Self {
        Self { peers: TlsMode::On, clients: TlsMode::Off, client_secret_name: None }
    }
}

/// On or off. Not written so: those two are booleans for the YAML of kubectl and Helm.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Encrypted and authenticated.
    #[serde(rename = "Enabled")]
    On,
    /// Plain text.
    #[serde(rename = "Disabled")]
    Off,
}
