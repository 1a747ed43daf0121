//! Who may change the nodes: of two controllers one, and after a take-over never the one that had it before,
//! however late it wakes.

use super::bare::{Bare, NODES, bare};
use super::crash::{Dice, begin};
use super::e2e::{Ended, PLAIN, Pair, files, up, wait};
use camino::Utf8PathBuf;
use nix::sys::signal::Signal;
use std::process::{Child, Command, Stdio};
use windlass::lab::Transport;

const WORK: [&str; 5] = ["run", "probe", "--yes", "-p", "calls=nodes.run"];
const EACH: [&str; 5] = ["run", "probe", "--yes", "-p", "calls=nodes.run-each"];

fn ended(child: Child) -> Ended {
    child.wait_with_output().unwrap().into()
}

/// The token of each node's lease; none where it is free.
fn tokens(bare: &Bare) -> Vec<Option<String>> {
    NODES.map(|node| std::fs::read_to_string(bare.home(node).join(".windlass/lease/token")).ok()).into()
}

#[test]
fn of_two_controllers_started_together_exactly_one_proceeds_a_hundred_times() {
    let Some(bare) = bare() else { return };
    let gate = bare.dir.join("gate");
    for time in 0..100 {
        let waiting = ["one", "two"].map(|controller| {
            let windlass = bare.command(controller, &WORK);
            let mut shell = Command::new("sh");
            shell.args(["-c", "while [ ! -e \"$0\" ]; do :; done; exec \"$@\"", gate.as_str()]);
            shell.arg(windlass.get_program()).args(windlass.get_args()).env_clear();
            shell.envs(windlass.get_envs().filter_map(|(name, value)| Some((name, value?))));
            shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        });
        std::fs::write(&gate, "").unwrap();
        // The one that has it keeps it until its command may end.
        let [mut one, mut two] = waiting;
        let mut first_is_out = None;
        wait("the one that is refused", 60, || {
            let out = [&mut one, &mut two].map(|child| child.try_wait().unwrap().is_some());
            first_is_out = Some(out[0]);
            out[0] || out[1]
        });
        let (refused, proceeds) = if first_is_out.unwrap() { (one, two) } else { (two, one) };
        let refused = ended(refused).expect(4);
        assert!(refused.err.contains("is held by probe-"), "{time}: {refused:?}");
        bare.let_end("node1");
        ended(proceeds).expect(0);
        assert_eq!(bare.ran("node1"), time + 1, "{time}");
        assert_eq!(tokens(&bare), [None, None]);
        for file in [gate.clone(), bare.home("node1").join("go")] {
            std::fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn a_lease_is_not_taken_over_while_a_job_of_its_run_lives_on_any_node() {
    for (run, lives_on) in [(&WORK, "node1"), (&EACH, "node2")] {
        let Some(bare) = bare() else { return };
        if lives_on == "node2" {
            bare.let_end("node1");
        }
        let mut first = bare.start("c", run);
        wait("the command", 30, || bare.ran(lives_on) == 1);
        first.kill().unwrap();
        first.wait().unwrap();
        let before = tokens(&bare);
        let other = ["run", "probe", "--yes", "-p", "calls=files.put", "--take-over"];
        let refused = bare.windlass("d", &other).expect(4);
        let says = format!("still runs on {lives_on}");
        assert!(refused.err.contains(&says) && refused.err.contains("the job e"), "{refused:?}");
        assert_eq!(tokens(&bare), before);
        assert!(!bare.home("node1").join("plain").exists());

        // It ended, and nobody has the lease taken from them unasked.
        bare.let_end(lives_on);
        wait("the end of the job", 30, || {
            let jobs = files(&bare.home(lives_on).join(".windlass/runs"));
            jobs.iter().any(|path| path.as_str().ends_with("/status"))
        });
        let refused = bare.windlass("d", &other[..5]).expect(4);
        assert!(refused.err.contains("--take-over"), "{refused:?}");
        bare.windlass("d", &other).expect(0);
        assert!(bare.home("node1").join("plain").exists());
        let shown = bare.windlass("d", &["runs", "show"]).expect(0).out;
        assert_eq!(shown.matches("TOOK OVER the lease on node").count(), 2, "{shown}");

        // The first one comes back, and is told; once the nodes are free again it may have them back.
        let lost = bare.windlass("c", &["resume"]).expect(5);
        assert!(lost.err.contains("lease-lost") && lost.err.contains("--take-over"), "{lost:?}");
        bare.windlass("c", &["resume", "--take-over"]).expect(0);
        assert_eq!(bare.ran(lives_on), 1);
    }
}

#[test]
fn a_manager_that_is_out_of_reach_stops_a_run_unless_it_is_known_to_be_dead() {
    let Some(bare) = bare() else { return };
    let put = ["run", "probe", "--yes", "-p", "calls=files.put"];
    let said = |more: &[&str]| bare.windlass("c", &[&put[..], more].concat());
    let answers = said(&["--take-over", "--node-is-dead", "node2"]).expect(4);
    assert!(answers.err.contains("is said to be dead, and it answers"), "{answers:?}");
    said(&["--node-is-dead", "node2"]).expect(2);
    said(&["--take-over", "--node-is-dead", "node7"]).expect(4);

    let (way, away) = (bare.dir.join("nodes/node2/login-env"), bare.dir.join("nodes/node2/away"));
    std::fs::rename(&way, &away).unwrap();
    let refused = said(&[]).expect(4);
    assert!(refused.err.contains("--take-over --node-is-dead node2"), "{refused:?}");
    assert!(!bare.home("node1").join("plain").exists());
    said(&["--take-over", "--node-is-dead", "node2"]).expect(0);
    assert!(bare.home("node1").join("plain").exists());
    let shown = bare.windlass("c", &["runs", "show"]).expect(0).out;
    assert!(shown.contains("node2 is DEAD, as the operator said"), "{shown}");
    std::fs::rename(&away, &way).unwrap();
    said(&[]).expect(0);
}

/// All that windlass and the product have on the nodes of a pair, but for the number of the last lease.
fn on_nodes(pair: &Pair) -> Vec<(Utf8PathBuf, Vec<u8>)> {
    let of = |node| [pair.cert_ha(node), pair.home(node).join(".windlass")];
    let all = super::e2e::NODES.into_iter().flat_map(of).flat_map(|folder| files(&folder));
    all.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

/// A controller is stopped somewhere in a run, another takes the lease over and does what it can, and then the
/// first one wakes.
fn superseded(transport: Transport, times: usize) {
    let mut dice = Dice::roll();
    for time in 0..times {
        let Some(pair) = up(transport, PLAIN) else { return };
        let effect = 20 + time * 240 / times + dice.below(240 / times);
        println!("stopped after effect {effect}");
        let mut first = begin(&pair, &["run", "ha-cert", "--yes"]);
        if !first.until_effect(effect) {
            continue;
        }
        first.signal(Signal::SIGSTOP);
        let mut second = None;
        wait("the lease", 60, || {
            let mut command = pair.command(&["run", "ha-cert", "--yes", "--take-over"]);
            command.env("WINDLASS_STATE_DIR", pair.controller.join("other"));
            let ended: Ended = command.output().unwrap().into();
            // A job that was under way when it was stopped comes to its end by itself.
            let had = !ended.err.contains("still runs on");
            second = Some(ended);
            had
        });
        let second = second.unwrap();
        assert!(second.err.contains("is taken over from ha-cert-"), "{}", second.err);
        // What a half rotated pair allows: a rotation, or a refusal before anything is changed.
        assert!(matches!(second.code, Some(0 | 4)), "{}", second.err);
        let (before, ran) = (on_nodes(&pair), pair.executions());
        first.signal(Signal::SIGCONT);
        let ended = first.end();
        let said = ended.err.clone();
        // Behind its first change it pauses; before, it ends.
        assert!(matches!(ended.code, Some(4 | 5)) && said.contains("lease"), "{:?}: {said}", ended.code);
        assert!(on_nodes(&pair) == before, "woken after effect {effect}, it changed a node");
        assert_eq!(pair.executions(), ran, "woken after effect {effect}");
    }
}

#[test]
fn a_controller_that_slept_through_a_take_over_changes_nothing_when_it_wakes() {
    superseded(Transport::Local, 4);
}

#[test]
fn a_controller_that_slept_through_a_take_over_changes_nothing_over_ssh_when_it_wakes() {
    superseded(Transport::Ssh, 2);
}
