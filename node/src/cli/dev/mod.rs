//! `ironkv dev`: a whole cluster on this machine. Without a subcommand it stays in the foreground
//! and shows a live table; `start`, `stop`, `restart`, `status`, `logs` and `test` manage a cluster
//! in the background.

mod bootstrap;
mod layout;
mod process;
mod self_test;
mod start;
mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::client::password::PasswordFlags;
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
    ///
    /// A node that does not start is named with the reason, and does not keep a majority of the
    /// others from serving.
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
        #[command(flatten)]
        password: PasswordFlags,
    },
}

impl Dev {
    pub(super) fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.act())
    }

    /// Only a start reads them.
    fn check_flags(&self) -> Outcome {
        let given = self.nodes.is_some()
            || self.port.is_some()
            || self.http_port.is_some()
            || self.tls.files()?.is_some();
        let starts = matches!(self.action, None | Some(Action::Start | Action::Restart));
        if starts || !given {
            return Ok(());
        }
        Err(Failure::new("--nodes, --port, --http-port and the flags of TLS are for a start only")
            .try_next("leave them out: the directory knows its ports and files"))
    }

    async fn act(self) -> Outcome {
        self.check_flags()?;
        match &self.action {
            None => {
                let (layout, stopped) = self.to_start()?;
                if stopped.is_empty() {
                    return Err(Failure::new("all nodes of this cluster run already").try_next(
                        "see them with `ironkv dev status`, stop them with `ironkv dev stop`",
                    ));
                }
                let mut nodes = process::start_all(&layout, &stopped);
                let outcome = foreground(&layout, &mut nodes).await;
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
                self_test::run(&self.existing()?, *writes, password.read()?.as_deref()).await
            }
        }
    }

    async fn start(&self) -> Outcome {
        let (layout, stopped) = self.to_start()?;
        if stopped.is_empty() {
            output::note("all nodes run already");
        }
        let mut nodes = process::start_all(&layout, &stopped);
        match start::bring_up(&layout, &mut nodes).await {
            Ok(absent) => output::line(start::greeting(&layout, &absent)),
            Err(failure) => {
                process::stop_all(&stopped).await?;
                return Err(failure);
            }
        }
        output::line(watch::table(&layout).await);
        Ok(())
    }

    async fn stop(&self) -> Outcome {
        let stopped = process::stop_all(&self.existing()?.nodes).await?;
        let nodes = start::nodes(stopped);
        output::line(format!("stopped {nodes}; the data is in {}", self.dir.display()));
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

async fn foreground(layout: &Layout, nodes: &mut process::Nodes) -> Outcome {
    let absent = tokio::select! {
        brought_up = start::bring_up(layout, nodes) => brought_up?,
        outcome = process::interrupted() => return outcome,
    };
    output::line(start::greeting(layout, &absent));
    tokio::select! {
        () = watch::live(layout) => Ok(()),
        outcome = process::interrupted() => outcome,
    }
}
