//! A client as an application would have it: any node will do, a broken connection is replaced,
//! and what became of a request is told apart into done, not done, and unknown.

use std::sync::Arc;
use std::time::Duration;

use crate::client::{Client, ClientError};
use crate::reply::Reply;

const PATIENCE: Duration = Duration::from_secs(3);

/// Errors that promise that nothing was executed.
const REFUSALS: [&str; 9] = [
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MOVED",
    "LOADING",
    "MASTERDOWN",
    "NOREPLICAS",
    "OOM",
    "MISCONF",
    "EXECABORT",
];

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// The reply, errors of the command included.
    Done(Reply),
    /// Certainly not executed.
    Refused(String),
    /// Executed or not, now or later.
    Unknown(String),
}

/// An application's connection to a cluster.
#[derive(Debug)]
pub struct Session {
    addresses: Arc<Vec<String>>,
    client: Option<Client>,
}

impl Session {
    /// Talks to any of these addresses.
    pub fn new(addresses: Arc<Vec<String>>) -> Self {
        Self { addresses, client: None }
    }

    /// Sends one command.
    pub async fn ask<A: AsRef<[u8]> + Clone>(&mut self, words: &[A]) -> Fate {
        match self.ask_all(&[words.to_vec()]).await {
            Ok(mut replies) => judge(replies.remove(0)),
            Err(fate) => fate,
        }
    }

    /// Sends the words of a line.
    pub async fn line(&mut self, line: &str) -> Fate {
        self.ask(&line.split(' ').collect::<Vec<_>>()).await
    }

    /// Sends several commands at once; one reply each.
    ///
    /// # Errors
    /// [`Fate::Refused`] or [`Fate::Unknown`] for all of them together.
    pub async fn ask_all<A: AsRef<[u8]>>(
        &mut self,
        commands: &[Vec<A>],
    ) -> Result<Vec<Reply>, Fate> {
        match self.try_all(commands).await {
            Ok(replies) => Ok(replies),
            Err(error) => {
                self.client = None;
                // A cluster that is down should not be asked a thousand times a second.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(match error {
                    ClientError::Refused(why) => Fate::Refused(why),
                    ClientError::Lost(why) => Fate::Unknown(why),
                })
            }
        }
    }

    /// Forgets the connection, so that the next request may go to another node.
    pub fn leave(&mut self) {
        self.client = None;
    }

    async fn try_all<A: AsRef<[u8]>>(
        &mut self,
        commands: &[Vec<A>],
    ) -> Result<Vec<Reply>, ClientError> {
        if self.client.is_none() {
            let address = &self.addresses[rand::random_range(0..self.addresses.len())];
            self.client = Some(Client::connect_with_patience(address, PATIENCE).await?);
        }
        match &mut self.client {
            Some(client) => client.pipeline(commands).await,
            None => Err(ClientError::Refused("not connected".to_owned())),
        }
    }
}

/// Tells refusals apart from answers.
pub fn judge(reply: Reply) -> Fate {
    let text = reply.text();
    let refused = reply.is_error() && REFUSALS.iter().any(|refusal| text.starts_with(refusal));
    if refused { Fate::Refused(text) } else { Fate::Done(reply) }
}
