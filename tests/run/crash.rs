//! Runs that are killed, cut off or interrupted anywhere: `resume` finishes what was begun, `rollback` takes it
//! back, and no script of the product runs twice.

use super::e2e::{Ended, NODES, PLAIN, Pair, Taste, up, wait};
use super::proof;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use windlass::lab::{Double, Switch, Transport};

/// A `windlass --json …` under way, its lines as they come.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    effects: usize,
    pub(super) told: String,
}

pub fn begin(pair: &Pair, arguments: &[&str]) -> Running {
    let mut command = pair.command(&["--json"]);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (sender, lines) = channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    Running { child, lines, effects: 0, told: String::new() }
}

impl Running {
    /// Reads until so many effects have been told; false where the story ends before.
    pub(super) fn until_effect(&mut self, effects: usize) -> bool {
        while self.effects < effects {
            let Ok(line) = self.lines.recv_timeout(Duration::from_secs(90)) else { return false };
            self.effects += usize::from(line.starts_with(r#"{"event":"effect""#));
            self.told += &line;
            self.told.push('\n');
        }
        true
    }

    /// Reads until a line holds something; false where the story ends before.
    pub fn until(&mut self, wanted: &str) -> bool {
        loop {
            let Ok(line) = self.lines.recv_timeout(Duration::from_secs(90)) else { return false };
            let found = line.contains(wanted);
            self.told += &line;
            self.told.push('\n');
            if found {
                return true;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Kills the controller, which must still be at it.
    #[track_caller]
    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it had ended before: {status}");
    }

    pub(super) fn end(mut self) -> Ended {
        self.until_effect(usize::MAX);
        let mut ended: Ended = self.child.wait_with_output().unwrap().into();
        ended.out = self.told;
        ended
    }
}

/// Numbers that look random and come again with the same seed.
pub struct Dice(u64);

impl Dice {
    /// The seed is printed, so that a failure can be had again with `WINDLASS_SEED`.
    pub fn roll() -> Self {
        let given = std::env::var("WINDLASS_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            now.as_nanos() as u64
        });
        println!("WINDLASS_SEED={seed}");
        Self(seed | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

#[derive(Debug, Clone, Copy)]
enum Then {
    Resume,
    RollBack,
}

/// Kills one run in each of `points` equal parts of its length, of the `of` parts that there are, and goes on.
fn killed(transport: Transport, points: impl Iterator<Item = usize>, of: usize, then: Then) {
    let Some(pair) = up(transport, PLAIN) else { return };
    let mut dice = Dice::roll();
    // How long a run is; waiting for a service may add some, so points lie within nine tenths of it.
    let mut whole = begin(&pair, &["run", "ha-cert", "--yes"]);
    whole.until_effect(usize::MAX);
    let length = whole.effects * 9 / 10;
    whole.end().expect(0);
    let part = length / of;
    for point in points {
        let effect = point * part + dice.below(part) + 1;
        println!("killed after effect {effect} of {}, then {then:?}", length * 10 / 9);
        let (before, executions) = (pair.content(), pair.executions());
        let mut run = begin(&pair, &["run", "ha-cert", "--yes"]);
        assert!(run.until_effect(effect), "{}", run.told);
        // Somewhere within the next effect, too.
        std::thread::sleep(Duration::from_millis(dice.below(20) as u64));
        run.kill();
        match then {
            Then::Resume => {
                pair.windlass(&["resume", "--yes"]).expect(0);
                proof::rotated(&pair, &before);
                ran_once_more(&pair, executions);
            }
            Then::RollBack => {
                // 1: as it was, which is no success of the run.
                pair.windlass(&["rollback"]).expect(1);
                proof::as_it_was(&pair, &before);
            }
        }
    }
}

/// Each script of a plain run ran once more than before, on each node.
#[track_caller]
fn ran_once_more(pair: &Pair, before: [[usize; 3]; 2]) {
    let once = before.map(|[generated, replaced, restarted]| [generated, replaced + 1, restarted + 1]);
    assert_eq!(pair.executions(), once);
}

/// As [`ran_once_more`], for a run of any taste.
#[track_caller]
pub fn ran_as_a_whole_run(pair: &Pair, before: [[usize; 3]; 2], taste: Taste) {
    let more = super::whole::expected(taste);
    let expected: Vec<Vec<usize>> = before
        .iter()
        .zip(more)
        .map(|(was, more)| was.iter().zip(more).map(|(a, b)| a + b).collect())
        .collect();
    assert_eq!(pair.executions().map(|ran| ran.to_vec()).to_vec(), expected);
}

/// Parts of a run that are killed in: more with `cargo xtask test --matrix`.
fn points() -> usize {
    if std::env::var_os("WINDLASS_MATRIX").is_some() { 40 } else { 8 }
}

#[test]
fn a_controller_killed_in_the_first_half_is_resumed() {
    killed(Transport::Local, 0..points() / 2, points(), Then::Resume);
}

#[test]
fn a_controller_killed_in_the_second_half_is_resumed() {
    killed(Transport::Local, points() / 2..points(), points(), Then::Resume);
}

#[test]
fn a_controller_killed_over_ssh_is_resumed() {
    killed(Transport::Ssh, 0..3, 3, Then::Resume);
}

#[test]
fn a_controller_killed_anywhere_can_be_taken_back() {
    killed(Transport::Local, 0..4, 4, Then::RollBack);
}

/// What happens to the controller or its connection while replacehaSSLCert.sh runs on the first node.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Killed,
    SessionsKilled,
    LinkCut,
    /// Ctrl-C, once.
    Interrupted,
}

fn struck(transport: Transport, switch: Switch, blow: Blow) {
    let Some(pair) = up(transport, PLAIN) else { return };
    // A dead connection is noticed after three unanswered messages.
    let site = pair.dir.join("site.toml");
    let text = std::fs::read_to_string(&site).unwrap();
    std::fs::write(&site, text.replace("[ssh]\n", "[ssh]\nkeepalive = \"1s\"\n")).unwrap();
    let (before, executions) = (pair.content(), pair.executions());
    let script = [Double::ReplaceHaSslCert];
    pair.lab.break_with(switch, Some("master1"), false, &script).unwrap();
    let running = begin(&pair, &["run", "ha-cert", "--yes"]);
    wait("replacehaSSLCert.sh", 60, || pair.ran("master1", Double::ReplaceHaSslCert) == 1);
    let heal = |switch| drop(pair.lab.break_with(switch, Some("master1"), true, &script).unwrap());
    let ended = match blow {
        Blow::Killed => {
            running.kill();
            None
        }
        Blow::SessionsKilled => {
            sessions(&pair, "master1").into_iter().for_each(|pid| kill(pid, Signal::SIGKILL).unwrap());
            heal(switch);
            Some(running.end())
        }
        Blow::LinkCut => {
            pair.lab.break_with(Switch::LinkDown, Some("master1"), false, &[]).unwrap();
            let ended = running.end();
            pair.lab.break_with(Switch::LinkDown, Some("master1"), true, &[]).unwrap();
            Some(ended)
        }
        Blow::Interrupted => {
            running.signal(Signal::SIGINT);
            heal(switch);
            Some(running.end())
        }
    };
    // A connection that came back by itself is as good as a pause.
    let finished = ended.as_ref().is_some_and(|ended| ended.code == Some(0));
    if let (Some(ended), false) = (ended, finished) {
        let ended = ended.expect(5);
        assert!(ended.err.contains("windlass resume ha-cert-"), "{}", ended.err);
    }
    assert!(!finished || matches!(blow, Blow::SessionsKilled | Blow::LinkCut), "{blow:?} was not noticed");
    if !finished {
        let mut resumed = begin(&pair, &["resume"]);
        resumed.until_effect(1);
        heal(switch);
        resumed.end().expect(0);
    }
    proof::rotated(&pair, &before);
    ran_once_more(&pair, executions);
}

/// What is put back under a running script, the script would write again.
#[test]
fn a_rollback_waits_for_the_script_that_a_dead_controller_left_running() {
    for transport in [Transport::Local, Transport::Ssh] {
        let Some(pair) = up(transport, PLAIN) else { return };
        let before = pair.content();
        let script = [Double::ReplaceHaSslCert];
        pair.lab.break_with(Switch::Hang, Some("master1"), false, &script).unwrap();
        let running = begin(&pair, &["run", "ha-cert", "--yes"]);
        wait("replacehaSSLCert.sh", 60, || pair.ran("master1", Double::ReplaceHaSslCert) == 1);
        running.kill();
        let mut back = begin(&pair, &["rollback"]);
        assert!(back.until("replace-ha-cert still runs on master1"), "{}", back.told);
        pair.lab.break_with(Switch::Hang, Some("master1"), true, &script).unwrap();
        back.end().expect(1);
        proof::as_it_was(&pair, &before);
    }
}

/// The processes of a node's sshd that carry a login, as this machine numbers them.
fn sessions(pair: &Pair, node: &str) -> Vec<Pid> {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let root = pair.lab.node_root(node).unwrap();
    let first = root.parent().unwrap().file_name().unwrap().to_owned();
    let wanted = namespace(&first);
    let found: Vec<Pid> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|pid| pid.parse::<i32>().is_ok() && wanted.is_some() && namespace(pid) == wanted)
        .filter(|pid| {
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            arguments.starts_with(b"sshd") && String::from_utf8_lossy(&arguments).contains(": admin")
        })
        .map(|pid| Pid::from_raw(pid.parse().unwrap()))
        .collect();
    assert!(!found.is_empty(), "no session of {node} was found");
    found
}

#[test]
fn a_controller_killed_while_the_script_runs_is_resumed_and_the_script_runs_once() {
    for switch in [Switch::Slow, Switch::Hang] {
        struck(Transport::Local, switch, Blow::Killed);
    }
}

#[test]
fn a_controller_killed_over_ssh_while_the_script_runs_is_resumed_and_the_script_runs_once() {
    struck(Transport::Ssh, Switch::Hang, Blow::Killed);
}

#[test]
fn a_connection_cut_while_the_script_runs_costs_no_second_run_of_it() {
    struck(Transport::Ssh, Switch::Slow, Blow::SessionsKilled);
}

#[test]
fn a_link_lost_while_the_script_runs_costs_no_second_run_of_it() {
    struck(Transport::Ssh, Switch::Hang, Blow::LinkCut);
}

#[test]
fn an_interrupt_pauses_and_resume_goes_on() {
    struck(Transport::Local, Switch::Slow, Blow::Interrupted);
}

/// The shell lines of a section of docs/by-hand.md.
fn by_hand(section: &str) -> String {
    let page = include_str!("../../docs/by-hand.md");
    let section = page.split("\n## ").find(|text| text.starts_with(section)).unwrap();
    section.split("```").nth(1).unwrap().strip_prefix("sh\n").unwrap().to_owned()
}

#[test]
fn a_half_rotated_pair_is_put_back_by_hand() {
    for (transport, effects) in [(Transport::Local, 185), (Transport::Ssh, 250)] {
        let Some(pair) = up(transport, PLAIN) else { return };
        let before = pair.content();
        let mut run = begin(&pair, &["run", "ha-cert", "--yes"]);
        assert!(run.until_effect(effects), "{}", run.told);
        run.kill();
        wait("the last script", 30, || NODES.iter().all(|node| no_job_lives(&pair, node)));
        assert_ne!(pair.content(), before, "nothing was changed yet");
        for node in ["master2", "master1"] {
            as_service_user(&pair, node, &by_hand("2. Put back"));
            as_service_user(&pair, node, &by_hand("3. Restart"));
        }
        for node in NODES {
            let said = as_service_user(&pair, node, &by_hand("4. See that"));
            assert!(said.contains("server.crt: OK"), "{said}");
            as_service_user(&pair, node, &by_hand("5. Let go"));
        }
        assert_eq!(pair.content(), before);
        pair.wait_normal();
        // Another run is free to begin.
        pair.windlass(&["run", "ha-cert", "--yes"]).expect(0);
    }
}

/// Every job of a node has ended.
fn no_job_lives(pair: &Pair, node: &str) -> bool {
    let runs = pair.home(node).join(".windlass/runs");
    let jobs = runs.read_dir_utf8().into_iter().flatten().flatten().map(|run| run.path().join("jobs"));
    jobs.flat_map(|jobs| jobs.read_dir_utf8().into_iter().flatten().flatten())
        .all(|job| job.path().join("status").exists())
}

/// Types lines into a login shell of the service user; returns what they print.
#[track_caller]
fn as_service_user(pair: &Pair, node: &str, lines: &str) -> String {
    let mut command = match pair.lab.transport() {
        Transport::Ssh => {
            let mut ssh = pair.lab.command("ssh").unwrap();
            let config = pair.lab.ssh_config();
            ssh.args(["-F", config.as_str(), &format!("admin@{node}"), "sudo -n su - omm -s /bin/sh"]);
            ssh
        }
        Transport::Local => {
            let root = pair.lab.node_root(node).unwrap();
            let environment = std::fs::read_to_string(root.join("login-env")).unwrap();
            let mut sh = pair.lab.command("sh").unwrap();
            sh.env_clear().envs(environment.lines().filter_map(|line| line.split_once('=')));
            sh.current_dir(pair.home(node));
            sh
        }
    };
    super::e2e::feed(&mut command, lines.as_bytes()).expect(0).out
}

#[test]
fn a_run_that_was_taken_back_can_be_had_again() {
    let Some(pair) = up(Transport::Local, PLAIN) else { return };
    let before = pair.content();
    pair.windlass(&["run", "ha-cert", "--yes"]).expect(0);
    let ran = NODES.map(|node| pair.ran(node, Double::ReplaceHaSslCert));
    // Done is not closed: what was saved is still there.
    pair.windlass(&["rollback", &pair.last_run()]).expect(1);
    proof::as_it_was(&pair, &before);
    assert_eq!(NODES.map(|node| pair.ran(node, Double::ReplaceHaSslCert)), ran);
    pair.windlass(&["run", "ha-cert", "--yes"]).expect(0);
    proof::rotated(&pair, &before);
}

#[test]
fn what_expired_while_a_run_stood_is_not_put_back_and_the_run_goes_forward() {
    let Some(pair) = up(Transport::Local, PLAIN) else { return };
    let soon = jiff::Timestamp::now() + Duration::from_secs(25);
    let written: &'static str = soon.strftime("%Y%m%d%H%M%SZ").to_string().leak();
    let dates = (super::states::GOOD.0, written);
    pair.dated(dates, [dates; 2]);
    pair.wait_normal();
    let before = pair.content();
    let mut run = begin(&pair, &["run", "ha-cert", "--yes"]);
    assert!(run.until(r#"{"event":"step-done","step":"replace@first""#), "{}", run.told);
    run.kill();
    let there = pair.content();
    assert!(there != before && jiff::Timestamp::now() < soon, "it was too slow to be a test");
    wait("the end of the old certificates", 30, || jiff::Timestamp::now() > soon);

    let id = pair.last_run();
    let back = pair.windlass(&["rollback", &id]).expect(5);
    for says in
        ["no-way-back", "root certificate that master1 had before the run expired on", "windlass resume"]
    {
        assert!(back.err.contains(says), "{says:?} is not in {}", back.err);
    }
    assert!(pair.content() == there, "something was taken back");
    pair.windlass(&["resume", &id, "--yes"]).expect(0);
    proof::new_consistent(&pair, &before);
}
