//! The ports and directories of a development cluster; saved at its first start, so that later
//! commands need only the directory.

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::client::tls::{Dialer, TlsFiles};
use crate::cli::output::{Failure, Outcome};

const NODES: u16 = 3;
const PORT: u16 = 6379;
const HTTP_PORT: u16 = 8080;

/// A development cluster on disk.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) directory: PathBuf,
    pub(super) nodes: Vec<Node>,
    pub(super) dialer: Dialer,
    saved: Saved,
    /// Whether it was started before.
    existed: bool,
}

/// The requested properties of a new cluster.
#[derive(Debug, Default)]
pub(super) struct Wishes<'a> {
    pub(super) nodes: Option<u16>,
    pub(super) port: Option<u16>,
    pub(super) http_port: Option<u16>,
    pub(super) tls: Option<TlsFiles<'a>>,
}

/// One node of the cluster.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// From 1.
    pub(super) number: u16,
    pub(super) resp_port: u16,
    pub(super) grpc_port: u16,
    pub(super) http_port: u16,
    pub(super) directory: PathBuf,
}

/// The file `dev.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    nodes: u16,
    port: u16,
    http_port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls: Option<SavedTls>,
}

/// Absolute paths; all nodes, their clients and this program use the same certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedTls {
    ca_file: PathBuf,
    certificate_file: PathBuf,
    key_file: PathBuf,
}

impl SavedTls {
    fn new(files: &TlsFiles<'_>) -> Result<Self, Failure> {
        let absolute = |file: &PathBuf| {
            fs::canonicalize(file)
                .map_err(|error| Failure::new(format!("{}: {error}", file.display())))
        };
        let [certificate, key] = files.own.ok_or_else(|| {
            Failure::new("nodes with --tls need --certificate-file and --key-file too")
        })?;
        Ok(Self {
            ca_file: absolute(files.ca)?,
            certificate_file: absolute(certificate)?,
            key_file: absolute(key)?,
        })
    }

    fn dialer(&self) -> Result<Dialer, Failure> {
        let own = Some([&self.certificate_file, &self.key_file]);
        Dialer::with_tls(&TlsFiles { ca: &self.ca_file, own })
    }
}

impl Node {
    pub(super) fn grpc_address(&self) -> String {
        format!("127.0.0.1:{}", self.grpc_port)
    }

    pub(super) fn resp_address(&self) -> String {
        format!("127.0.0.1:{}", self.resp_port)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    pub(super) fn pid(&self) -> PathBuf {
        self.directory.join("pid")
    }
}

impl Layout {
    /// The cluster in `directory`, or a new one with the given wishes and defaults for the rest,
    /// which [`Layout::save`] stores.
    pub(super) fn open_or_create(directory: &Path, wishes: Wishes<'_>) -> Result<Self, Failure> {
        let found = Saved::read(directory)?;
        let known = |part: fn(&Saved) -> u16| found.as_ref().map(part);
        let saved = Saved {
            nodes: wishes.nodes.or(known(|saved| saved.nodes)).unwrap_or(NODES),
            port: wishes.port.or(known(|saved| saved.port)).unwrap_or(PORT),
            http_port: wishes.http_port.or(known(|saved| saved.http_port)).unwrap_or(HTTP_PORT),
            tls: match &wishes.tls {
                Some(files) => Some(SavedTls::new(files)?),
                None => found.as_ref().and_then(|saved| saved.tls.clone()),
            },
        };
        if let Some(found) = found.as_ref().filter(|found| **found != saved) {
            return Err(Failure::new(format!(
                "{} holds a cluster of {} nodes at ports {} and {}, {}",
                directory.display(),
                found.nodes,
                found.port,
                found.http_port,
                if found.tls.is_some() { "with TLS and its own files" } else { "without TLS" },
            ))
            .try_next("start it without size, ports and files, or use --dir for a new one"));
        }
        fs::create_dir_all(directory)
            .map_err(|error| Failure::new(format!("{}: {error}", directory.display())))?;
        Self::from_saved(directory, saved, found.is_some())
    }

    /// Stores the ports: later commands need only the directory.
    pub(super) fn save(&self) -> Outcome {
        if self.existed { Ok(()) } else { self.saved.write(&self.directory) }
    }

    /// The cluster in `directory`.
    pub(super) fn open(directory: &Path) -> Result<Self, Failure> {
        let saved = Saved::read(directory)?.ok_or_else(|| {
            Failure::new(format!("there is no cluster in {}", directory.display()))
                .try_next("start one with `ironkv dev start`, or name its directory with --dir")
        })?;
        Self::from_saved(directory, saved, true)
    }

    fn from_saved(directory: &Path, saved: Saved, existed: bool) -> Result<Self, Failure> {
        let directory = fs::canonicalize(directory)?;
        let last_port = u32::from(saved.port) + 2 * u32::from(saved.nodes) - 1;
        let last_http = u32::from(saved.http_port) + u32::from(saved.nodes) - 1;
        if last_port.max(last_http) > u32::from(u16::MAX) {
            return Err(Failure::new("the ports would exceed 65535").try_next("use lower ports"));
        }
        let nodes = (0..saved.nodes)
            .map(|index| Node {
                number: index + 1,
                resp_port: saved.port + 2 * index,
                grpc_port: saved.port + 2 * index + 1,
                http_port: saved.http_port + index,
                directory: directory.join(format!("node-{}", index + 1)),
            })
            .collect();
        let dialer = saved.tls.as_ref().map(SavedTls::dialer).transpose()?.unwrap_or_default();
        Ok(Self { directory, nodes, dialer, saved, existed })
    }

    /// Flags of `ironkv serve` for the ports for clients and peers.
    pub(super) fn port_flags(&self, node: &Node) -> Vec<OsString> {
        let port = node.resp_port.to_string();
        let Some(SavedTls { ca_file, certificate_file, key_file }) = &self.saved.tls else {
            return ["--listen-resp-port".into(), port.into()].into();
        };
        let mut flags: Vec<OsString> =
            ["--listen-resp-port", "0", "--listen-resp-tls-port", &port].map(OsString::from).into();
        flags.extend(["--tls-peer-mode".into(), "on".into()]);
        for (flag, file) in [
            ("--tls-certificate-file", certificate_file),
            ("--tls-key-file", key_file),
            ("--tls-peer-certificate-file", certificate_file),
            ("--tls-peer-key-file", key_file),
            ("--tls-peer-ca-file", ca_file),
        ] {
            flags.extend([flag.into(), file.into()]);
        }
        flags
    }

    /// What `redis-cli` needs besides the port.
    pub(super) fn client_flags(&self) -> String {
        let flags = |tls: &SavedTls| format!(" --tls --cacert {}", tls.ca_file.display());
        self.saved.tls.as_ref().map(flags).unwrap_or_default()
    }

    /// Fails before anything is started if ports of the nodes are in use, and names all of them.
    pub(super) fn ports_are_free(&self, nodes: &[Node]) -> Outcome {
        let ports = nodes.iter().flat_map(|node| [node.resp_port, node.grpc_port, node.http_port]);
        let taken: Vec<_> = ports
            .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_err())
            .map(|port| port.to_string())
            .collect();
        if taken.is_empty() {
            return Ok(());
        }
        let next = if self.existed {
            "stop what listens there; or create another cluster with --dir, --port and --http-port"
        } else {
            "stop what listens there, or choose others with --port and --http-port"
        };
        Err(Failure::new(format!("these ports are taken on 127.0.0.1: {}", taken.join(", ")))
            .try_next(next))
    }
}

impl Saved {
    fn path(directory: &Path) -> PathBuf {
        directory.join("dev.yaml")
    }

    fn read(directory: &Path) -> Result<Option<Self>, Failure> {
        let path = Self::path(directory);
        match fs::read_to_string(&path) {
            Ok(text) => serde_yaml::from_str(&text)
                .map(Some)
                .map_err(|error| Failure::new(format!("{}: {error}", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
        }
    }

    fn write(&self, directory: &Path) -> Outcome {
        let path = Self::path(directory);
        let text = serde_yaml::to_string(self)?;
        fs::write(&path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn open(
        directory: &tempfile::TempDir,
        nodes: Option<u16>,
        port: Option<u16>,
    ) -> Result<Layout, Failure> {
        let wishes = Wishes { nodes, port, ..Wishes::default() };
        let layout = Layout::open_or_create(directory.path(), wishes)?;
        layout.save()?;
        Ok(layout)
    }

    #[test]
    fn ports_alternate_and_are_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let made = open(&directory, Some(3), Some(7000)).unwrap();
        let ports: Vec<_> = made.nodes.iter().map(|n| (n.resp_port, n.grpc_port)).collect();
        assert_eq!(ports, [(7000, 7001), (7002, 7003), (7004, 7005)]);
        assert_eq!(made.nodes[2].http_port, 8082);
        assert_eq!(Layout::open(directory.path()).unwrap().nodes.len(), 3);
    }

    #[test]
    fn another_size_for_an_existing_cluster_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        open(&directory, Some(3), None).unwrap();
        assert!(open(&directory, Some(5), None).is_err());
        assert!(open(&directory, None, None).is_ok());
    }

    #[test]
    fn a_start_that_failed_leaves_the_choice_of_ports_open() {
        let directory = tempfile::tempdir().unwrap();
        let wish = |port| Wishes { port: Some(port), ..Wishes::default() };
        drop(Layout::open_or_create(directory.path(), wish(7000)).unwrap());
        let other = Layout::open_or_create(directory.path(), wish(7100)).unwrap();
        other.save().unwrap();
        assert!(Layout::open_or_create(directory.path(), wish(7000)).is_err());
        assert_eq!(Layout::open(directory.path()).unwrap().nodes[0].resp_port, 7100);
    }

    #[test]
    fn a_taken_port_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().min(65_000);
        let layout = open(&directory, Some(1), Some(port)).unwrap();
        if port == taken.local_addr().unwrap().port() {
            let failure = format!("{:?}", layout.ports_are_free(&layout.nodes).unwrap_err());
            assert!(failure.contains(&port.to_string()), "{failure}");
        }
    }
}
