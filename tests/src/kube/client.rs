//! `kubectl` and `helm` with one explicit cluster, never with the current one of a shell.

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The variable that names the kubeconfig. Not KUBECONFIG, which may be set for other purposes.
const KUBECONFIG: &str = "IRONKV_E2E_KUBECONFIG";
/// Timeout of one request; longer waits use [`super::until`].
const REQUEST_TIMEOUT: &str = "--request-timeout=30s";

/// A cluster, and possibly one namespace of it.
#[derive(Debug, Clone)]
pub struct Kube {
    kubeconfig: OsString,
    namespace: Option<String>,
}

/// A command that failed, with what it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    command: String,
    output: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.command, self.output.trim())
    }
}

impl Failure {
    /// Whether the cause is that something named does not exist.
    pub fn is_not_found(&self) -> bool {
        self.output.contains("(NotFound)")
    }
}

impl Kube {
    /// The cluster that the environment variable names.
    ///
    /// # Panics
    /// When it is not set.
    pub fn from_environment() -> Self {
        let kubeconfig = std::env::var_os(KUBECONFIG).unwrap_or_else(|| {
            panic!("{KUBECONFIG} is not set: run `just e2e` or `just e2e-here`")
        });
        Self { kubeconfig, namespace: None }
    }

    /// The same cluster, with a namespace for every command that takes one.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self.clone() }
    }

    /// Runs `kubectl`; returns what it printed.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<String, Failure> {
        run(self.kubectl_command(arguments), None)
    }

    /// Runs `kubectl`; returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// `kubectl get ARGUMENTS`, decoded.
    ///
    /// # Errors
    /// [`Failure`], also for output that is no JSON.
    pub fn try_get(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let command = self.kubectl_command(&[&["get", "--output=json"], arguments].concat());
        let what = describe(&command);
        serde_json::from_str(&run(command, None)?)
            .map_err(|error| Failure { command: what, output: error.to_string() })
    }

    /// `kubectl get ARGUMENTS`, decoded.
    ///
    /// # Panics
    /// When it fails.
    pub fn get(&self, arguments: &[&str]) -> Value {
        self.try_get(arguments).unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Applies manifests, YAML or JSON.
    ///
    /// # Errors
    /// [`Failure`], such as a rejection by a rule of the definition.
    pub fn try_apply(&self, manifests: &str) -> Result<String, Failure> {
        run(self.kubectl_command(&["apply", "--filename=-"]), Some(manifests))
    }

    /// Applies manifests, YAML or JSON.
    ///
    /// # Panics
    /// When that fails.
    pub fn apply(&self, manifests: &str) -> String {
        self.try_apply(manifests).unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Runs a program in a pod; returns what it printed.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn try_exec(&self, pod: &str, program: &[&str]) -> Result<String, Failure> {
        // The program may run longer than a request may take.
        let mut command = self.command("kubectl");
        command.args(["exec", pod, "--"]).args(program);
        run(command, None)
    }

    /// Runs `helm`; returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn helm(&self, arguments: &[&str]) -> String {
        let mut command = self.command("helm");
        command.args(arguments);
        run(command, None).unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("kubectl");
        command.arg(REQUEST_TIMEOUT).args(arguments);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("KUBECONFIG", &self.kubeconfig).arg("--kubeconfig").arg(&self.kubeconfig);
        if let Some(namespace) = &self.namespace {
            command.args(["--namespace", namespace]);
        }
        command
    }
}

fn run(mut command: Command, input: Option<&str>) -> Result<String, Failure> {
    let what = describe(&command);
    let failure = |output: String| Failure { command: what.clone(), output };
    let Output { status, stdout, stderr } =
        output(&mut command, input).map_err(|error| failure(error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if status.success() {
        return Ok(text(&stdout));
    }
    Err(failure(format!("{status}: {}{}", text(&stdout), text(&stderr))))
}

fn output(command: &mut Command, input: Option<&str>) -> std::io::Result<Output> {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // Both programs read all of it before they print, so that neither side blocks the other.
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        pipe.write_all(input.as_bytes())?;
    }
    child.wait_with_output()
}

/// The command without the kubeconfig, which is the same in all of them.
fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().skip(2).map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
