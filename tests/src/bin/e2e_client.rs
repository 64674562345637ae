//! `e2e-client`: writes through a service for as long as a test runs, and records what it wrote.
//!
//! `run` writes one new key after the other and reads each back through another connection, which
//! may lead to another node. `report` summarises. `verify` stops the writes and checks every
//! acknowledged one. The last two print JSON and are for `kubectl exec`.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ironkv_tests::clients::reply::Reply;
use ironkv_tests::clients::session::{Outcome, Session};
use ironkv_tests::kube::record::{self, Event, Line, Record, Report};
use tokio::time::{Instant, sleep};

/// Leaves processor time to the nodes, which share the machine with the tests.
const PAUSE: Duration = Duration::from_millis(5);
/// New connections reach all nodes in turn; existing ones would stay with one node.
const WRITES_PER_CONNECTION: u64 = 50;
/// A write before a restart of this program may not be recorded, so its number is not used again.
const NUMBERS_SKIPPED: u64 = 1000;
const KEYS_PER_READ: usize = 200;
const VERIFICATION_MAX: Duration = Duration::from_secs(120);

#[derive(Parser)]
#[command(name = "e2e-client")]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write until `verify` runs, then wait for termination.
    Run(Store),
    /// Summarise what was written so far.
    Report {
        /// The file of `run`.
        #[arg(long)]
        record: PathBuf,
    },
    /// Stop the writes, check every acknowledged write, summarise.
    Verify {
        #[command(flatten)]
        store: Store,
        /// Address of a member to check too, as host:port; may be repeated.
        #[arg(long = "member")]
        members: Vec<String>,
    },
}

#[derive(Args, Clone)]
struct Store {
    /// The service, as host:port.
    #[arg(long)]
    address: String,
    /// The file with the outcome of each write.
    #[arg(long)]
    record: PathBuf,
    /// Prefix of each key.
    #[arg(long, default_value = "e2e:")]
    prefix: String,
    /// A file with the password of the default user.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

impl Store {
    fn session(&self) -> Session {
        self.session_at(&self.address)
    }

    fn session_at(&self, address: &str) -> Session {
        let session = Session::new(Arc::new(vec![address.to_owned()]));
        match &self.password_file {
            Some(file) => session.with_password_file(file.clone()),
            None => session,
        }
    }

    fn key(&self, number: u64) -> String {
        format!("{}{number}", self.prefix)
    }

    /// Exists when the writes have to stop.
    fn stop_file(&self) -> PathBuf {
        self.record.with_extension("stop")
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    match Cli::parse().action {
        Action::Run(store) => {
            Writer::new(&store)?.run().await?;
            std::future::pending::<()>().await;
        }
        Action::Report { record } => print(&Report::of(&record::read(&record)?))?,
        Action::Verify { store, members } => {
            let lines = stop(&store).await?;
            let mut report = Report::of(&lines);
            report.missing = missing(&store, &store.address, &lines).await?;
            for member in members {
                report.missing.extend(missing(&store, &member, &lines).await?);
                report.keys.insert(member.clone(), count_keys(&store, &member).await?);
            }
            print(&report)?;
        }
    }
    Ok(())
}

fn print(report: &Report) -> Result<(), Box<dyn Error>> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}

struct Writer<'a> {
    store: &'a Store,
    record: Record,
    writer: Session,
    reader: Session,
    next: u64,
    start: Instant,
    earlier_ms: u64,
}

impl<'a> Writer<'a> {
    fn new(store: &'a Store) -> Result<Self, Box<dyn Error>> {
        let earlier = record::read(&store.record)?;
        let last = earlier.iter().map(|line| line.number).max();
        Ok(Self {
            store,
            record: Record::append(&store.record)?,
            writer: store.session(),
            reader: store.session(),
            next: last.map_or(1, |last| last + NUMBERS_SKIPPED),
            start: Instant::now(),
            earlier_ms: earlier.last().map_or(0, |line| line.at_ms),
        })
    }

    async fn run(mut self) -> Result<(), Box<dyn Error>> {
        while !self.store.stop_file().exists() {
            let number = self.next;
            self.next += 1;
            self.write_and_read(number).await?;
            if number.is_multiple_of(WRITES_PER_CONNECTION) {
                self.writer.leave();
                self.reader.leave();
            }
            sleep(PAUSE).await;
        }
        self.note(Event::Stopped, 0, "")
    }

    async fn write_and_read(&mut self, number: u64) -> Result<(), Box<dyn Error>> {
        let (key, value) = (self.store.key(number), number.to_string());
        match self.writer.ask(&["SET", &key, &value]).await {
            Outcome::Done(reply) if reply.text() == "OK" => {
                self.note(Event::Acknowledged, number, "")?;
            }
            // The test does not rely on other errors as proof that nothing was executed.
            Outcome::Done(reply) => return self.note(Event::Unknown, number, &reply.text()),
            Outcome::Unknown(why) => return self.note(Event::Unknown, number, &why),
            Outcome::Refused(why) => return self.note(Event::Refused, number, &why),
        }
        match self.reader.ask(&["GET", &key]).await {
            Outcome::Done(reply) if reply.is_error() || reply.text() == value => Ok(()),
            Outcome::Done(reply) => self.note(Event::Stale, number, &format!("{reply:?}")),
            Outcome::Unknown(_) | Outcome::Refused(_) => Ok(()),
        }
    }

    fn note(&mut self, event: Event, number: u64, remark: &str) -> Result<(), Box<dyn Error>> {
        let elapsed_ms = u64::try_from(self.start.elapsed().as_millis())?;
        let at_ms = self.earlier_ms + elapsed_ms;
        self.record.write(&Line { event, number, at_ms, remark: remark.to_owned() })?;
        Ok(())
    }
}

/// Stops the writes and returns the whole record.
async fn stop(store: &Store) -> Result<Vec<Line>, Box<dyn Error>> {
    std::fs::write(store.stop_file(), "")?;
    let deadline = Instant::now() + VERIFICATION_MAX;
    loop {
        let lines = record::read(&store.record)?;
        if lines.last().is_some_and(|line| line.event == Event::Stopped) {
            return Ok(lines);
        }
        if Instant::now() > deadline {
            let last = lines.last();
            return Err(format!("the writer does not stop; its last line: {last:?}").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Every acknowledged write that is missing, with what was found instead.
async fn missing(
    store: &Store,
    address: &str,
    lines: &[Line],
) -> Result<Vec<String>, Box<dyn Error>> {
    let acknowledged = lines.iter().filter(|line| line.event == Event::Acknowledged);
    let numbers: Vec<u64> = acknowledged.map(|line| line.number).collect();
    let mut session = store.session_at(address);
    let mut missing = Vec::new();
    for some in numbers.chunks(KEYS_PER_READ) {
        let commands: Vec<Vec<String>> =
            some.iter().map(|number| vec!["GET".to_owned(), store.key(*number)]).collect();
        for (number, reply) in some.iter().zip(read(&mut session, &commands).await?) {
            if reply.text() != number.to_string() {
                missing.push(format!("{}: {reply:?} at {address}", store.key(*number)));
            }
        }
    }
    Ok(missing)
}

async fn count_keys(store: &Store, address: &str) -> Result<u64, Box<dyn Error>> {
    let replies = read(&mut store.session_at(address), &[vec!["DBSIZE".to_owned()]]).await?;
    Ok(replies[0].text().parse()?)
}

/// Replies without any error: a write that cannot be read is not yet known to be missing.
async fn read(
    session: &mut Session,
    commands: &[Vec<String>],
) -> Result<Vec<Reply>, Box<dyn Error>> {
    let deadline = Instant::now() + VERIFICATION_MAX;
    loop {
        let answer = session.ask_all(commands).await;
        match answer {
            Ok(replies) if !replies.iter().any(Reply::is_error) => return Ok(replies),
            answer if Instant::now() > deadline => {
                return Err(format!("the writes cannot be read back: {answer:?}").into());
            }
            _ => session.leave(),
        }
        sleep(Duration::from_millis(100)).await;
    }
}
