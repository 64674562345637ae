//! RESP and HTTP over TLS: accepted clients, refused clients, certificates replaced while in use.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ironkv_tests::clients::certificates::{Authority, Identity, SecretFiles};
use ironkv_tests::clients::client::{Client, ClientError};
use ironkv_tests::cluster::Cluster;
use ironkv_tests::process::{self, free_ports};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

/// Files are checked every two seconds.
const RELOAD_LIMIT: Duration = Duration::from_secs(30);

/// One node with a TLS port.
struct Bench {
    cluster: Cluster,
    authority: Authority,
    files: SecretFiles,
    address: String,
}

impl Bench {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let authority = Authority::new();
        let directory = tempfile::tempdir().unwrap().keep();
        let mut files = SecretFiles::new(directory);
        files.write(&secret(authority.issue(), &authority));
        let [port] = free_ports();
        let path = |name| files.path(name).display().to_string();
        let (certificate, key, ca) = (path("tls.crt"), path("tls.key"), path("ca.crt"));
        let port_text = port.to_string();
        let mut all = vec![
            ("listen.resp_tls_port", port_text.as_str()),
            ("tls.certificate_file", &certificate),
            ("tls.key_file", &key),
            ("tls.client_ca_file", &ca),
        ];
        all.extend(settings);
        let cluster = Cluster::start_with(1, &all).await;
        Self { cluster, authority, files, address: format!("127.0.0.1:{port}") }
    }

    async fn connect(&self, config: Arc<ClientConfig>) -> Result<Client, ClientError> {
        Client::connect_with_tls(&self.address, config).await
    }

    /// The reply to PING; with TLS 1.3 a client learns only then that its certificate was refused.
    async fn ping(&self, own: Option<&Identity>) -> Result<String, ClientError> {
        let mut client = self.connect(self.authority.client(own)).await?;
        client.line("PING").await.map(|reply| format!("{reply:?}"))
    }

    async fn metric(&self, name: &str) -> u64 {
        let stream = TcpStream::connect(&self.cluster.nodes[0].http_address).await.unwrap();
        let text = get(stream, "/metrics").await;
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("no {name} in {text}"))
    }

    /// Waits until the node's log contains this text this many times.
    async fn logged(&self, text: &str, times: usize) {
        let deadline = Instant::now() + RELOAD_LIMIT;
        while self.cluster.nodes[0].log_tail().matches(text).count() < times {
            let log = self.cluster.nodes[0].log_tail();
            assert!(Instant::now() < deadline, "no `{text}` in:\n{log}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn secret(own: Identity, trusted: &Authority) -> [(&'static str, String); 3] {
    [("tls.crt", own.certificate), ("tls.key", own.key), ("ca.crt", trusted.pem())]
}

async fn get<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut stream: S, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    read.expect("an answer in time").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_data_is_served_with_and_without_tls() {
    let bench = Bench::start(&[]).await;
    let mut secure = bench.connect(bench.authority.client(None)).await.unwrap();
    let big = "x".repeat(3 << 20);
    let set = secure.command(&["SET", "big", &big]).await.unwrap();
    assert_eq!(format!("{set:?}"), "+OK");
    let mut plain = bench.cluster.client(0).await;
    assert_eq!(plain.line("GET big").await.unwrap().text(), big);
    let many: Vec<Vec<String>> = (0..2000)
        .flat_map(|n| [vec!["SET".into(), format!("k{n}"), big[..1000].to_owned()]])
        .chain((0..2000).map(|n| vec!["GET".into(), format!("k{n}")]))
        .collect();
    let replies = secure.pipeline(&many).await.unwrap();
    assert!(replies[2000..].iter().all(|reply| reply.text() == big[..1000]), "a value differs");
    let port = bench.address.rsplit(':').next().unwrap();
    let shown = plain.line("CONFIG GET tls-port").await.unwrap();
    assert!(format!("{shown:?}").contains(port), "{shown:?}");
    let listeners = plain.line("INFO server").await.unwrap().text();
    assert!(listeners.contains(&format!("listener1:name=tls,bind=127.0.0.1,port={port}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_speaks_tls() {
    let bench = Bench::start(&[("tls.client_certificates", "required")]).await;
    let own = bench.authority.issue();
    let mut files = SecretFiles::new(tempfile::tempdir().unwrap().keep());
    files.write(&secret(own, &bench.authority));
    let output = Command::new("redis-cli")
        .args(["-p", bench.address.rsplit(':').next().unwrap(), "--tls"])
        .args(["--cacert".into(), files.path("ca.crt")])
        .args(["--cert".into(), files.path("tls.crt")])
        .args(["--key".into(), files.path("tls.key")])
        .args(["SET", "from", "redis-cli"])
        .output()
        .unwrap();
    let (printed, errors) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(printed).trim(), "OK", "{errors}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_refuses_a_node_of_another_authority_or_name() {
    let bench = Bench::start(&[]).await;
    let refused = bench.connect(Authority::new().client(None)).await.unwrap_err();
    assert!(format!("{refused:?}").contains("UnknownIssuer"), "{refused:?}");
    let elsewhere = bench.address.replace("127.0.0.1", "localhost");
    let trusting = bench.authority.client(None);
    let refused = Client::connect_with_tls(&elsewhere, trusting).await.unwrap_err();
    assert!(format!("{refused:?}").contains("not valid for name"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_tls_gets_nothing_from_the_tls_port() {
    let bench = Bench::start(&[]).await;
    let mut plain = Client::connect(&bench.address).await.unwrap();
    let lost = plain.line("PING").await.unwrap_err();
    assert!(matches!(lost, ClientError::Lost(_)), "{lost:?}");
    let deadline = Instant::now() + RELOAD_LIMIT;
    while bench.metric("ironkv_tls_handshake_failures_total").await != 1 {
        assert!(Instant::now() < deadline, "it is not counted");
    }
    assert_eq!(bench.ping(None).await.unwrap(), "+PONG");
    let secure = bench.authority.client(None);
    let plain_port = &bench.cluster.nodes[0].resp_address;
    assert!(Client::connect_with_tls(plain_port, secure).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_client_delays_no_other() {
    let bench = Bench::start(&[]).await;
    let silent = TcpStream::connect(&bench.address).await.unwrap();
    assert_eq!(bench.ping(None).await.unwrap(), "+PONG");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_present_certificates_as_configured() {
    let stranger = Authority::new().issue();
    for (mode, without, with_wrong) in [("required", false, false), ("optional", true, false)] {
        let bench = Bench::start(&[("tls.client_certificates", mode)]).await;
        let own = bench.authority.issue();
        assert_eq!(bench.ping(Some(&own)).await.as_deref(), Ok("+PONG"), "{mode}");
        assert_eq!(bench.ping(None).await.is_ok(), without, "{mode}, none presented");
        assert_eq!(bench.ping(Some(&stranger)).await.is_ok(), with_wrong, "{mode}, a stranger's");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_used_at_once_and_a_broken_one_never() {
    let mut bench = Bench::start(&[]).await;
    let mut early = bench.connect(bench.authority.client(None)).await.unwrap();
    let expires = bench.metric("ironkv_tls_certificate_expires_unix_s").await;
    let fresh = Authority::new();
    bench.files.write(&secret(fresh.issue_for("127.0.0.1", 2044), &fresh));
    bench.logged("read the certificate for clients again", 1).await;
    let refused = bench.connect(bench.authority.client(None)).await;
    assert!(refused.is_err(), "the old authority is still trusted");
    bench.authority = fresh;
    assert_eq!(bench.ping(None).await.unwrap(), "+PONG");
    assert_eq!(format!("{:?}", early.line("PING").await.unwrap()), "+PONG", "the open connection");
    let sooner = bench.metric("ironkv_tls_certificate_expires_unix_s").await;
    assert_eq!(expires - sooner, 365 * 86_400, "from the end of 2045 to that of 2044");

    let Identity { certificate, .. } = bench.authority.issue();
    let key = bench.authority.issue().key;
    bench.files.write(&secret(Identity { certificate, key }, &bench.authority));
    bench.logged("the key does not belong to the certificate", 1).await;
    assert_eq!(bench.ping(None).await.unwrap(), "+PONG", "the old one stays");
    bench.files.write(&secret(bench.authority.issue_for("127.0.0.1", 2043), &bench.authority));
    bench.logged("read the certificate for clients again", 2).await;
    assert_eq!(bench.ping(None).await.unwrap(), "+PONG");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_need_no_certificate() {
    let settings = [("tls.client_certificates", "required"), ("tls.http_mode", "on")];
    let bench = Bench::start(&settings).await;
    let address = &bench.cluster.nodes[0].http_address;
    for path in ["/livez", "/readyz", "/startupz", "/metrics"] {
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(bench.authority.client(None));
        let stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
        let answer = get(stream, path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
}

#[test]
fn a_node_does_not_start_with_files_it_cannot_use() {
    let authority = Authority::new();
    let good = authority.issue();
    let other_key = authority.issue().key;
    let old = authority.issue_for("127.0.0.1", 2001);
    let with = |certificate: &str, key: &str| (certificate.to_owned(), key.to_owned());
    for ((certificate, key), file, reason) in [
        (with(&good.certificate, ""), "tls.key", "holds no PEM block of a"),
        (with("text", &good.key), "tls.crt", "holds no PEM block of a certificate"),
        (with(&good.certificate, &other_key), "tls.key", "the key does not belong to"),
        (with(&old.certificate, &old.key), "tls.crt", "the certificate expired at 2001-12-31"),
        (with(&good.certificate[..200], &good.key), "tls.crt", "is no PEM"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("tls.crt"), certificate).unwrap();
        std::fs::write(path("tls.key"), key).unwrap();
        check_refused(&directory, &path(file).display().to_string(), reason);
    }
    let directory = tempfile::tempdir().unwrap();
    check_refused(&directory, &directory.path().join("tls.crt").display().to_string(), "No such");
}

fn check_refused(directory: &tempfile::TempDir, file: &str, reason: &str) {
    let path = |name: &str| directory.path().join(name).display().to_string();
    let output = process::ironkv_command()
        .args(["serve", "--data-directory", &path("data"), "--listen-resp-tls-port", "1"])
        .args(["--tls-certificate-file", &path("tls.crt"), "--tls-key-file", &path("tls.key")])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains(file) && errors.contains(reason), "no {file}, {reason} in:\n{errors}");
}
