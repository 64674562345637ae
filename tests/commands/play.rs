//! Plays a story on two servers at once, in RESP2 and in RESP3.

use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::reply::Reply;

use crate::compare;
use crate::script::{Likeness, Line, Step, Story};

/// What was compared and what differed.
#[derive(Debug, Default)]
pub struct Report {
    compared: usize,
    differences: Vec<String>,
}

impl Report {
    /// How many replies differed.
    pub fn differences(&self) -> usize {
        self.differences.len()
    }

    /// Fails with all differences.
    pub fn assert_equal(&self, what: &str) {
        let Self { compared, differences } = self;
        let count = differences.len();
        assert!(
            differences.is_empty(),
            "{what}: {count} of {compared} replies differ:\n{}",
            differences.join("\n")
        );
    }
}

/// One server and the connections of a story to it.
struct Server {
    address: String,
    protocol: u8,
    connections: Vec<Option<Client>>,
}

impl Server {
    async fn new(address: &str, protocol: u8) -> Self {
        let mut server = Self { address: address.to_owned(), protocol, connections: Vec::new() };
        let reply = server.send(0, &[b"FLUSHALL".to_vec()]).await;
        assert!(!reply.is_error(), "{address} cannot be emptied: {reply:?}");
        server
    }

    /// The reply; a lost connection counts as an error reply, so that it is compared too.
    async fn send(&mut self, connection: usize, words: &[Vec<u8>]) -> Reply {
        while self.connections.len() <= connection {
            self.connections.push(None);
        }
        let slot = &mut self.connections[connection];
        if slot.is_none() {
            let mut client = Client::connect(&self.address).await.expect("a server that listens");
            let hello = format!("HELLO {}", self.protocol);
            client.line(&hello).await.expect("an answer to HELLO");
            *slot = Some(client);
        }
        let Some(client) = slot else { unreachable!("connected above") };
        match client.command(words).await {
            Ok(reply) => reply,
            Err(error) => {
                *slot = None;
                Reply::Error(format!("(the connection is lost: {error:?})").into())
            }
        }
    }
}

/// How often a story is played until all replies are the same. Stories contain deadlines, and on a
/// busy machine a pause between the two servers can fall on one of them.
const ATTEMPTS: usize = 3;

/// Plays `story` on the server at `theirs` and on the one at `ours`.
pub async fn play(story: &Story, theirs: &str, ours: &str, report: &mut Report) {
    for protocol in [2, 3] {
        let mut attempt = Report::default();
        for _ in 0..ATTEMPTS {
            attempt = play_once(story, theirs, ours, protocol).await;
            if attempt.differences.is_empty() {
                break;
            }
        }
        report.compared += attempt.compared;
        report.differences.append(&mut attempt.differences);
    }
}

async fn play_once(story: &Story, theirs: &str, ours: &str, protocol: u8) -> Report {
    let mut report = Report::default();
    let mut theirs = Server::new(theirs, protocol).await;
    let mut ours = Server::new(ours, protocol).await;
    for line in &story.lines {
        let words = match &line.step {
            Step::SleepMs(ms) => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                continue;
            }
            Step::Send(words) => words,
        };
        // Lines that only have to work here may not exist there.
        let their_reply = match line.likeness {
            Likeness::Works => Reply::Simple("works".into()),
            _ => theirs.send(line.connection, words).await,
        };
        let our_reply = ours.send(line.connection, words).await;
        report.compared += 1;
        if !compare::alike(&line.likeness, &their_reply, &our_reply) {
            let request = show(words);
            report.differences.push(format!(
                "{}:{} {} (RESP{protocol})\n  {request}\n    expected {}\n    got      {}",
                story.file,
                line.number,
                story.name,
                expected(line, &their_reply),
                clip(&format!("{our_reply:?}"))
            ));
        }
    }
    report
}

fn expected(line: &Line, theirs: &Reply) -> String {
    match &line.likeness {
        Likeness::Text(text) => text.clone(),
        _ => clip(&format!("{theirs:?}")),
    }
}

fn show(words: &[Vec<u8>]) -> String {
    let words: Vec<String> = words.iter().map(|word| word.escape_ascii().to_string()).collect();
    clip(&words.join(" "))
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
