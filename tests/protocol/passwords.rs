//! Passwords in a mounted file, replaced while clients are connected.

use std::time::Duration;

use ironkv_tests::clients::certificates::SecretFiles;
use ironkv_tests::cluster::Cluster;
use ironkv_tests::process;
use tokio::time::{Instant, sleep};

async fn auth(cluster: &Cluster, password: &str) -> String {
    let mut client = cluster.client(0).await;
    format!("{:?}", client.command(&["AUTH", password]).await.unwrap())
}

async fn accepted(cluster: &Cluster, password: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while auth(cluster, password).await != "+OK" {
        assert!(Instant::now() < deadline, "{}", cluster.nodes[0].log_tail());
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_and_new_password_are_valid_while_clients_change() {
    let mut files = SecretFiles::new(tempfile::tempdir().unwrap().keep());
    files.write(&[("password", "old".to_owned())]);
    let path = files.path("password").display().to_string();
    let cluster = Cluster::start_with(1, &[("auth.password_file", &path)]).await;
    let mut client = cluster.client(0).await;
    let refused = client.line("GET a").await.unwrap();
    assert_eq!(format!("{refused:?}"), "-NOAUTH Authentication required.");
    assert!(auth(&cluster, "new").await.starts_with("-WRONGPASS"));
    assert_eq!(format!("{:?}", client.line("AUTH default old").await.unwrap()), "+OK");

    files.write(&[("password", "new\nold\n".to_owned())]);
    accepted(&cluster, "new").await;
    assert_eq!(auth(&cluster, "old").await, "+OK");
    files.write(&[("password", "new\n".to_owned())]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while auth(&cluster, "old").await == "+OK" {
        assert!(Instant::now() < deadline, "the old password is still accepted");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(auth(&cluster, "new").await, "+OK");
    let reply = client.line("SET a 1").await.unwrap();
    assert_eq!(format!("{reply:?}"), "+OK", "a client with the old password stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_file_accepts_no_password() {
    let mut files = SecretFiles::new(tempfile::tempdir().unwrap().keep());
    files.write(&[("password", "word".to_owned())]);
    let path = files.path("password").display().to_string();
    let cluster = Cluster::start_with(1, &[("auth.password_file", &path)]).await;
    files.write(&[("password", "\n".to_owned())]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !cluster.nodes[0].log_tail().contains("holds no password") {
        assert!(Instant::now() < deadline, "{}", cluster.nodes[0].log_tail());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(auth(&cluster, "").await.starts_with("-WRONGPASS"));
    assert_eq!(auth(&cluster, "word").await, "+OK");

    let directory = tempfile::tempdir().unwrap();
    let output = process::ironkv_command()
        .args(["serve", "--auth-password-file", &path, "--data-directory"])
        .arg(directory.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains(&path), "{errors}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_is_sent_without_another_client() {
    let mut files = SecretFiles::new(tempfile::tempdir().unwrap().keep());
    files.write(&[("password", "\nnew\nold\n".to_owned())]);
    let path = files.path("password").display().to_string();
    let cluster = Cluster::start_with(1, &[("auth.password_file", &path)]).await;
    let address = cluster.nodes[0].resp_address.clone();
    let run = |flags: &[&str], words: &[&str]| {
        let mut command = process::ironkv_command();
        command.args(["command", "--address", &address]).args(flags).args(words);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let own = ["--password-file", path.as_str()];
    assert_eq!(run(&own, &["SET", "key", "-1 two"]), (true, "OK\n".into(), String::new()));
    assert_eq!(run(&own, &["--", "GET", "key"]).1, "-1 two\n");
    assert_eq!(run(&own, &["MGET", "key", "other", "key"]).1, "-1 two\n\n-1 two\n");
    assert_eq!(run(&["--password", "old"], &["DEL", "key", "--x"]).1, "1\n");
    let (done, printed, errors) = run(&own, &["INCR"]);
    assert!(!done && printed.is_empty() && errors.contains("wrong number"), "{errors}");
    assert!(run(&[], &["GET", "key"]).2.contains("NOAUTH"));
    assert!(run(&["--password", "wrong"], &["GET", "key"]).2.contains("WRONGPASS"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_warns_of_a_grpc_port_that_passwords_do_not_guard() {
    const WARNING: &str = "the gRPC port asks for no password";
    let open = ("listen.grpc_host", "0.0.0.0");
    let advertised = ("advertise.host", "127.0.0.1");
    let password = ("security.requirepass", "secret");
    for (settings, warns) in [
        (vec![open, advertised, password], true),
        (vec![open, advertised], false),
        (vec![password], false),
    ] {
        let cluster = Cluster::start_with(1, &settings).await;
        let log = std::fs::read_to_string(cluster.nodes[0].directory.join("node.log")).unwrap();
        assert_eq!(log.contains(WARNING), warns, "{settings:?}: {log}");
    }
}
