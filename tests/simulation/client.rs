//! A client inside a simulated node: the real dispatcher, without sockets.

use bytes::BytesMut;
use ironkv::base::ids::ClientId;
use ironkv::consensus::Group;
use ironkv::dispatch::{Dispatcher, Flow};
use ironkv::node::Node;
use ironkv::resp::Reply;
use ironkv::resp::client::{decode_reply, encode_request};
use ironkv::resp::decode::{Batch, Decoder};
use ironkv::services::sessions::{Client as Registered, Session};

/// The result of a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// The reply.
    Reply(Reply),
    /// Refused: certainly not executed.
    Refused,
    /// The connection was closed: it is not known whether the command was executed.
    Unknown,
}

/// One session.
pub(crate) struct SimulatedClient {
    dispatcher: Dispatcher<Group>,
    session: Session,
}

impl SimulatedClient {
    pub(crate) fn new(node: &Node, number: u64) -> Self {
        Self { dispatcher: node.dispatcher(number), session: session(number) }
    }

    /// Runs commands in one batch; returns one answer for each.
    pub(crate) async fn run(&mut self, commands: &[Vec<String>]) -> Vec<Answer> {
        let mut input = BytesMut::new();
        for words in commands {
            encode_request(&mut input, words);
        }
        let mut batch = Batch::default();
        let mut decoder = Decoder::new(1 << 20);
        decoder.set_authenticated(true);
        decoder.decode(&mut input, &mut batch).expect("we encoded it");
        let mut output = BytesMut::new();
        let mut next = 0;
        let mut flow = Flow::Continue;
        while next < batch.len() && flow == Flow::Continue {
            let progress = self.dispatcher.run(&mut self.session, &batch, next, &mut output).await;
            (next, flow) = (progress.next, progress.flow);
        }
        if flow == Flow::Close {
            self.session = session(u64::MAX);
        }
        let mut answers = Vec::new();
        while let Ok(Some(reply)) = decode_reply(&mut output) {
            answers.push(answer(reply));
        }
        answers.resize(commands.len(), Answer::Unknown);
        answers
    }

    /// Runs one command.
    pub(crate) async fn call(&mut self, words: &[&str]) -> Answer {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        self.run(&[words]).await.remove(0)
    }
}

fn session(number: u64) -> Session {
    let client = Registered::new(ClientId(number), String::new(), String::new());
    Session::new(client.into(), true)
}

/// Only with these codes is it certain that nothing was executed.
fn answer(reply: Reply) -> Answer {
    match &reply {
        Reply::Error(error) => match error.code() {
            "BUSY" | "CLUSTERDOWN" | "TRYAGAIN" | "EXECABORT" | "MISCONF" => Answer::Refused,
            _ => Answer::Reply(reply),
        },
        _ => Answer::Reply(reply),
    }
}
