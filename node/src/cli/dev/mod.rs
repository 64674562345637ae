//! `ironkv dev`: a whole cluster on this machine. Without a subcommand it stays in the foreground
//! and shows a live table; `start`, `stop`, `restart`, `status`, `logs` and `test` manage a cluster
//! in the background.

mod bootstrap;
mod layout;
mod process;
mod self_test;
mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::client::tls::TlsFlags;
use super::output::{self, Failure, Outcome};
use layout::{Layout, Wishes};

#[derive(Debug, Args)]
pub(super) struct Dev {
    #[command(subcommand)]
    action: Option<Action>,
    /// Directory for data, logs and process ids.
    #[arg(long, global = true, default_value = "ironkv-dev", env = "IRONKV_DEV_DIR")]
    dir: PathBuf,
    /// Number of nodes of a new cluster. 3 nodes survive the loss of 1, 5 nodes the loss of 2.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: Option<u16>,
    /// RESP port of the first node; RESP and gRPC ports alternate from here.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// HTTP port of the first node.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    http_port: Option<u16>,
    #[command(flatten)]
    tls: TlsFlags,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start the nodes that do not run, in the background, and wait until the cluster serves.
    Start,
    /// Stop the cluster gracefully; the data stays.
    Stop,
    /// Stop the cluster and start it again on the same data.
    Restart,
    /// Show all nodes.
    Status,
    /// Print the logs.
    Logs {
        /// Print only the log of this node.
        node: Option<u16>,
        /// Continue to print new lines.
        #[arg(long, short)]
        follow: bool,
    },
    /// Write, kill the leader, and check that every acknowledged write is still there.
    Test {
        /// Number of acknowledged writes to make; the leader is killed after half of them.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..))]
        writes: u32,
        /// Password sent with AUTH.
        #[arg(long, env = "IRONKV_PASSWORD", hide_env_values = true)]
        password: Option<String>,
    },
}

impl Dev {
    pub(super) fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.act())
    }

    async fn act(self) -> Outcome {
        match &self.action {
            None => {
                let (layout, stopped) = self.to_start()?;
                if stopped.is_empty() {
                    return Err(Failure::new("all nodes of this cluster run already").try_next(
                        "see them with `ironkv dev status`, stop them with `ironkv dev stop`",
                    ));
                }
                let mut nodes = process::start_all(&layout, &stopped)?;
                let outcome = self.foreground(&layout, &mut nodes).await;
                process::stop_all(&layout.nodes).await?;
                outcome
            }
            Some(Action::Start) => self.start().await,
            Some(Action::Stop) => self.stop().await,
            Some(Action::Restart) => {
                self.stop().await?;
                self.start().await
            }
            Some(Action::Status) => {
                output::line(watch::table(&self.existing()?).await);
                Ok(())
            }
            Some(Action::Logs { node, follow }) => {
                watch::logs(&self.existing()?, *node, *follow).await
            }
            Some(Action::Test { writes, password }) => {
                self_test::run(&self.existing()?, *writes, password.as_deref()).await
            }
        }
    }

    async fn foreground(&self, layout: &Layout, nodes: &mut process::Nodes) -> Outcome {
        let started = tokio::select! {
            outcome = bootstrap::form_cluster(layout) => outcome,
            ended = nodes.any_ended() => Err(ended),
            outcome = process::interrupted() => return outcome,
        };
        started?;
        output::line(greeting(layout));
        tokio::select! {
            () = watch::live(layout) => Ok(()),
            outcome = process::interrupted() => outcome,
        }
    }

    async fn start(&self) -> Outcome {
        let (layout, stopped) = self.to_start()?;
        if stopped.is_empty() {
            output::note("all nodes run already");
        }
        let mut nodes = process::start_all(&layout, &stopped)?;
        let formed = tokio::select! {
            outcome = bootstrap::form_cluster(&layout) => outcome,
            ended = nodes.any_ended() => Err(ended),
        };
        if let Err(failure) = formed {
            process::stop_all(&stopped).await?;
            return Err(failure);
        }
        output::line(greeting(&layout));
        output::line(watch::table(&layout).await);
        Ok(())
    }

    async fn stop(&self) -> Outcome {
        let stopped = process::stop_all(&self.existing()?.nodes).await?;
        output::line(format!("stopped {stopped} nodes; the data is in {}", self.dir.display()));
        Ok(())
    }

    /// A cluster and its nodes that do not run, whose ports are free.
    fn to_start(&self) -> Result<(Layout, Vec<layout::Node>), Failure> {
        let layout = Layout::open_or_create(
            &self.dir,
            Wishes {
                nodes: self.nodes,
                port: self.port,
                http_port: self.http_port,
                tls: self.tls.files()?,
            },
        )?;
        let nodes = process::stopped(&layout);
        layout.ports_are_free(&nodes)?;
        layout.save()?;
        Ok((layout, nodes))
    }

    fn existing(&self) -> Result<Layout, Failure> {
        Layout::open(&self.dir)
    }
}

fn greeting(layout: &Layout) -> String {
    let first = &layout.nodes[0];
    format!(
        "{} nodes are up. Any of them serves every command:\n\n  redis-cli -p {}{}\n\n\
         kill any node with `kill -9` (its pid is in the table); `ironkv dev start` brings it \
         back.\n\
         Logs and data: {}\n",
        layout.nodes.len(),
        first.resp_port,
        layout.client_flags(),
        layout.directory.display(),
    )
}
