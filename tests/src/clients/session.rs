//! A client like that of an application: it uses any node, replaces a broken connection, and
//! distinguishes the outcomes of a request: executed, not executed, unknown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::clients::client::{Client, ClientError};
use crate::clients::reply::Reply;

const REPLY_TIMEOUT: Duration = Duration::from_secs(3);

/// Errors that guarantee that nothing was executed.
const REFUSALS: [&str; 10] = [
    "BUSY",
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

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The reply, including errors of the command.
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
    password_file: Option<PathBuf>,
    client: Option<Client>,
}

impl Session {
    /// Uses any of these addresses.
    pub fn new(addresses: Arc<Vec<String>>) -> Self {
        Self { addresses, password_file: None, client: None }
    }

    /// Sends the password in this file on each new connection; the file may change meanwhile.
    #[must_use]
    pub fn with_password_file(self, file: PathBuf) -> Self {
        Self { password_file: Some(file), ..self }
    }

    /// Sends one command.
    pub async fn ask<A: AsRef<[u8]> + Clone>(&mut self, words: &[A]) -> Outcome {
        match self.ask_all(&[words.to_vec()]).await {
            Ok(mut replies) => outcome_of(replies.remove(0)),
            Err(outcome) => outcome,
        }
    }

    /// Sends the words of a line.
    pub async fn line(&mut self, line: &str) -> Outcome {
        self.ask(&line.split(' ').collect::<Vec<_>>()).await
    }

    /// Sends several commands at once; one reply each.
    ///
    /// # Errors
    /// [`Outcome::Refused`] or [`Outcome::Unknown`] for all of them together.
    pub async fn ask_all<A: AsRef<[u8]>>(
        &mut self,
        commands: &[Vec<A>],
    ) -> Result<Vec<Reply>, Outcome> {
        match self.try_all(commands).await {
            Ok(replies) => Ok(replies),
            Err(error) => {
                self.client = None;
                // A cluster that is down should not get a thousand requests per second.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(match error {
                    ClientError::Refused(why) => Outcome::Refused(why),
                    ClientError::Lost(why) => Outcome::Unknown(why),
                })
            }
        }
    }

    /// Closes the connection, so that the next request may go to another node.
    pub fn leave(&mut self) {
        self.client = None;
    }

    async fn try_all<A: AsRef<[u8]>>(
        &mut self,
        commands: &[Vec<A>],
    ) -> Result<Vec<Reply>, ClientError> {
        if self.client.is_none() {
            let address = &self.addresses[rand::random_range(0..self.addresses.len())];
            let mut client = Client::connect_with_timeout(address, REPLY_TIMEOUT).await?;
            if let Some(file) = &self.password_file {
                authenticate(&mut client, file).await?;
            }
            self.client = Some(client);
        }
        match &mut self.client {
            Some(client) => client.pipeline(commands).await,
            None => Err(ClientError::Refused("not connected".to_owned())),
        }
    }
}

async fn authenticate(client: &mut Client, password_file: &Path) -> Result<(), ClientError> {
    let refused = |why: String| ClientError::Refused(format!("no authentication: {why}"));
    let password = std::fs::read_to_string(password_file)
        .map_err(|error| refused(format!("{}: {error}", password_file.display())))?;
    // Whatever the result, the request itself was not sent.
    match client.command(&["AUTH", password.trim_end()]).await {
        Ok(reply) if reply.is_error() => Err(refused(reply.text())),
        Ok(_) => Ok(()),
        Err(ClientError::Refused(why) | ClientError::Lost(why)) => Err(refused(why)),
    }
}

/// Distinguishes refusals from other replies.
pub fn outcome_of(reply: Reply) -> Outcome {
    let text = reply.text();
    let refused = reply.is_error() && REFUSALS.iter().any(|refusal| text.starts_with(refusal));
    if refused { Outcome::Refused(text) } else { Outcome::Done(reply) }
}
