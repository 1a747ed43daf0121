//! What durability costs: one commit of the journal, one change through the call path, 200 children of one
//! `run-each`, and reading 10,000 effects back; each beside bare SQLite in the same folder.
//!
//! Everything is measured twice: on this disk as it is, and with 10 ms added to each commit, since a virtual
//! machine's fsync can be too kind. The addition is a sleep behind each commit, in the journal as in bare SQLite;
//! nothing of SQLite itself is changed. What acts is a double that answers at once.

use crate::times::Times;
use crate::{Result, tell};
use camino::Utf8Path;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use windlass::backend::{Acted, Backend, Ready};
use windlass::effect::{CallPath, Interrupt, Replay, Surroundings};
use windlass::journal::{CallName, Journal, KeptObject, Row, Settlement, Trace};
use windlass::model::{
    Answer, CommandName, Content, Effect, EffectClass, Fault, FileName, NodeName, ObjectName, Outcome,
    PluginName, RunId, Stop,
};
use windlass::policy::{Facts, Gate, Permit, Rules};
use windlass::run::Position;
use windlass::site::GrantBlock;

const COUNT: usize = 200;
const CHILDREN: usize = 200;
const CONCURRENCY: usize = 50;
const EFFECTS: i64 = 10_000;
const SLOW: Duration = Duration::from_millis(10);

pub fn measure(folder: &Utf8Path) -> Result<()> {
    for (slower, how) in [(Duration::ZERO, "as this disk is"), (SLOW, "with 10 ms slept behind each commit")]
    {
        commits(folder, slower, how)?;
        change(folder, slower, how)?;
        children(folder, slower, how)?;
    }
    read_back(folder)
}

/// A fresh journal of its own.
fn journal(folder: &Utf8Path, slower: Duration) -> Result<Journal> {
    let number = (0..).find(|number| !folder.join(format!("runs-{number}")).exists()).unwrap_or(0);
    let journal = Journal::create(&folder.join(format!("runs-{number}")), &RunId::new("bench-1")?)?;
    journal.slow_down(slower);
    Ok(journal)
}

fn commits(folder: &Utf8Path, slower: Duration, how: &str) -> Result<()> {
    let journal = journal(folder, slower)?;
    let times = Times::of(COUNT, || Ok(journal.commit(&Row::Confirmed).map(drop)?))?;
    tell(
        "durable commit of the journal",
        &times,
        None,
        &format!("one row, hash-chained; {COUNT} times; {how}"),
    );

    let bare = rusqlite::Connection::open(folder.join(format!("bare-{}.db", slower.as_millis())))?;
    bare.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (id INTEGER PRIMARY KEY, row TEXT)",
    )?;
    let times = Times::of(COUNT, || {
        bare.execute("INSERT INTO rows (row) VALUES (?1)", ["{\"row\":\"confirmed\"}"])?;
        std::thread::sleep(slower);
        Ok(())
    })?;
    tell(
        "  beside it: an insert of bare SQLite",
        &times,
        None,
        &format!("WAL, synchronous = FULL, the same folder; {how}"),
    );
    Ok(())
}

fn change(folder: &Utf8Path, slower: Duration, how: &str) -> Result<()> {
    let journal = Arc::new(journal(folder, slower)?);
    let mut path = path(&journal)?;
    let put = Effect::FilesPut {
        node: NodeName::new("n0")?,
        file: FileName::new("plain")?,
        content: Content::Bytes(b"bench".to_vec()),
    };
    let before = journal.commits();
    let times = Times::of(COUNT, || perform(&mut path, put.clone()).map(drop))?;
    // One more to warm up.
    let each = (journal.commits() - before) as f64 / (COUNT + 1) as f64;
    tell(
        "one change, from the gate to its outcome",
        &times,
        None,
        &format!("{each} durable commits each; {COUNT} times, acting and mirroring answered at once; {how}"),
    );
    Ok(())
}

fn children(folder: &Utf8Path, slower: Duration, how: &str) -> Result<()> {
    let journal = Arc::new(journal(folder, slower)?);
    let mut path = path(&journal)?;
    let nodes =
        (0..CHILDREN).map(|n| NodeName::new(format!("n{n}"))).collect::<std::result::Result<_, _>>()?;
    let each = Effect::NodesRunEach { nodes, command: CommandName::new("work")?, arguments: Vec::new() };
    let before = journal.commits();
    let times = Times::of(10, || perform(&mut path, each.clone()).map(drop))?;
    let commits = (journal.commits() - before) / 11;
    tell(
        &format!("{CHILDREN} children of one run-each, {commits} commits"),
        &times,
        None,
        &format!("{CONCURRENCY} at once, acting and mirroring answered at once; 10 times; {how}"),
    );
    if commits > 10 {
        return Err(format!("{CHILDREN} children cost {commits} commits; 10 is the most they may").into());
    }
    Ok(())
}

/// Reads a journal back as a resume does: the chain checked, the position and the interrupted call's replay made.
fn read_back(folder: &Utf8Path) -> Result<()> {
    let held = journal(folder, Duration::ZERO)?;
    let (runs, run) = (held.folder().parent().unwrap_or(folder).to_owned(), held.run().clone());
    held.note(&Row::CallBegan { call: CallName::Verify })?;
    let effect = Effect::FilesFingerprint { node: NodeName::new("n0")?, file: FileName::new("plain")? };
    for n in 0..EFFECTS {
        let intent = Row::Intent {
            plugin: PluginName::new("bench")?,
            effect: effect.clone(),
            class: EffectClass::Observe,
        };
        let of = held.note(&intent)?;
        let answer = Ok(Answer::Text(Some(format!("{n:064x}"))));
        held.note(&Row::Outcome { of, answer, kept: Vec::new(), traces: Vec::new(), settled: None })?;
    }
    held.flush()?;
    drop(held);
    let times = Times::of(10, || {
        let (_held, rows) = Journal::open(&runs, &run)?;
        let replay = Replay::of(&CallName::Verify, &rows);
        let _position = Position::of(&rows);
        match replay.len() as i64 {
            EFFECTS => Ok(()),
            other => Err(format!("{other} effects were read back").into()),
        }
    })?;
    tell(
        "10,000 effects read back for a resume",
        &times,
        Some(1.0),
        "20,001 rows: chain checked, position and replay made; 10 times, the file in the page cache",
    );
    Ok(())
}

fn path(journal: &Arc<Journal>) -> Result<CallPath> {
    let block = GrantBlock {
        commands: vec!["work".into()],
        files: vec!["write plain".into()],
        ..GrantBlock::default()
    };
    let rules = Rules::parse(&block)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let plugin = PluginName::new("bench")?;
    let around = Surroundings {
        plugin: plugin.clone(),
        gate: Gate::new(plugin, rules.clone(), rules, false),
        journal: journal.clone(),
        backend: Arc::new(Double),
        events: Arc::new(|_| {}),
        interrupt: Interrupt::default(),
        expected: None,
    };
    Ok(CallPath::new(around, CallName::Verify, Replay::default()))
}

fn perform(path: &mut CallPath, effect: Effect) -> Result<Answer> {
    match path.perform(effect).now_or_never() {
        Some(Ok(Ok(answer))) => Ok(answer),
        Some(Ok(Err(fault))) => Err(fault.message.into()),
        Some(Err(stop)) => Err(stop.message.into()),
        None => Err("the double did not answer at once".into()),
    }
}

/// Answers at once, and knows nothing of any node, file or command.
pub struct Double;

impl Facts for Double {
    fn places(&self, _: &NodeName) -> Vec<String> {
        Vec::new()
    }
    fn set_members(&self, _: &ObjectName, _: &NodeName) -> Vec<FileName> {
        Vec::new()
    }
    fn is_command(&self, _: &str) -> bool {
        false
    }
    fn secret_in_argv(&self, _: &CommandName) -> bool {
        false
    }
}

impl Backend for Double {
    fn as_facts(&self) -> &dyn Facts {
        self
    }
    fn class(&self, _: &Effect) -> EffectClass {
        EffectClass::Change
    }
    fn concurrency(&self) -> usize {
        CONCURRENCY
    }
    fn act<'a>(
        &'a self,
        _: &'a PluginName,
        permit: Permit,
        _: i64,
        _: Ready,
    ) -> BoxFuture<'a, std::result::Result<Acted, Stop>> {
        let answer: std::result::Result<Answer, Fault> = Ok(match permit.effect() {
            Effect::NodesRun { .. } => Answer::Outcome(Outcome {
                succeeded: true,
                exit: 0,
                reason: String::new(),
                output: vec!["done".into()],
            }),
            _ => Answer::Done,
        });
        async move { Ok(answer.into()) }.boxed()
    }
    fn settle<'a>(
        &'a self,
        plugin: &'a PluginName,
        permit: Permit,
        sequence: i64,
    ) -> BoxFuture<'a, std::result::Result<(Acted, Settlement), Stop>> {
        async move { Ok((self.act(plugin, permit, sequence, Ready::default()).await?, Settlement::ActsAgain)) }.boxed()
    }
    fn recall(
        &self,
        _: &PluginName,
        _: &Effect,
        _: &Answer,
        _: &[KeptObject],
        _: &[Trace],
    ) -> std::result::Result<(), Stop> {
        Ok(())
    }
}
