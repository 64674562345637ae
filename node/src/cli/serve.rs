//! `ironkv serve`: one node in the foreground until it is asked to stop.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use tokio::signal::unix::{SignalKind, signal};

use super::output::{self, Failure, Outcome};
use crate::base::config::{Config, LiveConfig, Loaded, Sources, load};
use crate::base::telemetry::logging;
use crate::node::{Environment, Node};

/// How often files are checked: the configuration, certificates, passwords. Kubernetes replaces
/// mounted files by renaming a link, which a watch on the file itself would miss.
const FILE_POLL: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// YAML file to read. Environment variables and flags take precedence over it.
    #[arg(long, env = "IRONKV_CONFIG")]
    config: Option<PathBuf>,
    /// Print every key with its value and the source of the value, and exit.
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    keys: KeyFlags,
}

/// A flag for every key of the configuration.
#[derive(Debug)]
struct KeyFlags(Vec<(String, String)>);

impl Args for KeyFlags {
    fn augment_args(command: Command) -> Command {
        Config::keys().into_iter().fold(
            command.next_help_heading("Configuration"),
            |command, key| {
                let text = format!(
                    "{} [default: {}] [env: {}]",
                    key.text,
                    if key.default.is_empty() { "none" } else { &key.default },
                    key.environment()
                );
                let flag = Arg::new(key.key).long(key.flag()).value_name("VALUE").help(text);
                command.arg(flag.allow_hyphen_values(true))
            },
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for KeyFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &'static str| {
            let value = matches.get_one::<String>(key)?;
            Some((key.to_owned(), value.clone()))
        };
        Ok(Self(Config::keys().into_iter().filter_map(|key| given(key.key)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Serve {
    pub(super) fn run(self) -> Outcome {
        let sources = Sources {
            file: self.config,
            environment: std::env::vars().collect(),
            flags: self.keys.0,
        };
        // Read before it is loaded, so that a change in between is noticed.
        let content = content(sources.file.as_ref());
        let loaded = load(&sources)?;
        if self.print_config {
            print_config(&loaded);
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(serve(loaded, sources, content))
    }
}

fn print_config(loaded: &Loaded) {
    let rows = loaded.explain().into_iter();
    let rows = rows.map(|(key, value, source)| [key, value, source.to_string()]);
    output::line(output::table(["KEY", "VALUE", "FROM"], rows));
}

async fn serve(loaded: Loaded, sources: Sources, mut seen: Option<Vec<u8>>) -> Outcome {
    let telemetry = &loaded.config.telemetry;
    let level = logging::start(telemetry.format, telemetry.level);
    let file = sources.file.clone();
    let config = LiveConfig::new(loaded, sources);
    let node = Node::start(config.clone(), Environment::real(level)).await.map_err(|error| {
        tracing::error!(%error, "cannot start");
        Failure::new(error)
    })?;
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hang_up = signal(SignalKind::hangup())?;
    let outcome = loop {
        tokio::select! {
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
            reason = node.ended() => break reason,
            _ = hang_up.recv() => {
                reload(&node, &config);
                node.reload_credentials();
            }
            () = tokio::time::sleep(FILE_POLL) => {
                node.reload_credentials();
                let now = content(file.as_ref());
                if now != seen {
                    seen = now;
                    reload(&node, &config);
                }
            }
        }
    };
    tracing::info!("stopping");
    node.stop().await;
    outcome.map_err(Failure::new)
}

/// The whole file, which is small: two versions may have the same time, length and inode.
fn content(file: Option<&PathBuf>) -> Option<Vec<u8>> {
    std::fs::read(file?).ok()
}

fn reload(node: &Node, config: &LiveConfig) {
    match config.reload() {
        Ok(report) => {
            node.config_changed();
            for key in report.changed {
                tracing::info!(key, "configuration reloaded");
            }
            for key in report.needs_restart {
                tracing::warn!(key, "changed in the configuration, needs a restart to take effect");
            }
        }
        Err(problems) => tracing::error!(%problems, "configuration not reloaded"),
    }
}
